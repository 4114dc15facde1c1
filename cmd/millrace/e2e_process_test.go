package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// killAfter is what a peer gets between SIGTERM and SIGKILL: a hung ffmpeg
// ignores the first.
const killAfter = 3 * time.Second

// peer is an outside program in a process group of its own.
type peer struct {
	name string
	cmd  *exec.Cmd
	out  *output // what it wrote on stdout and stderr
	done chan struct{}
	late atomic.Bool // it had to be stopped at its deadline
}

// output is a buffer that may be read while a process writes.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// startPeer runs a program for at most limit; at the end of the test it is
// killed.
func startPeer(t *testing.T, limit time.Duration, name string, args ...string) *peer {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = t.TempDir()
	return startCommand(t, limit, cmd)
}

// startCommand is startPeer for a prepared command.
func startCommand(t *testing.T, limit time.Duration, cmd *exec.Cmd) *peer {
	t.Helper()
	p := &peer{name: cmd.Path, cmd: cmd, out: &output{}, done: make(chan struct{})}
	if cmd.Stdout == nil {
		cmd.Stdout = p.out
	}
	if cmd.Stderr == nil {
		cmd.Stderr = p.out
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = killAfter
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", cmd.Path, err)
	}
	started.Lock()
	started.groups = append(started.groups, cmd.Process.Pid)
	started.Unlock()
	go p.reap(limit)
	t.Cleanup(func() { p.finish(t) })
	return p
}

// reap waits for the process, and stops it at its limit.
func (p *peer) reap(limit time.Duration) {
	term := time.AfterFunc(limit, func() {
		p.late.Store(true)
		p.signal(syscall.SIGTERM)
	})
	kill := time.AfterFunc(limit+killAfter, p.kill)
	_ = p.cmd.Wait()
	term.Stop()
	kill.Stop()
	close(p.done)
}

// signal sends to the whole group.
func (p *peer) signal(sig syscall.Signal) { _ = syscall.Kill(-p.cmd.Process.Pid, sig) }

func (p *peer) kill() { p.signal(syscall.SIGKILL) }

// finish is the peer's end with its test.
func (p *peer) finish(t *testing.T) {
	p.kill()
	<-p.done
	if t.Failed() {
		t.Logf("%s\n%s", p, tail(p.out.String(), 30))
	}
}

func (p *peer) String() string { return strings.Join(p.cmd.Args, " ") }

// alive tells that the process still runs.
func (p *peer) alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// wait waits until the peer ends by itself and returns its exit status.
func (p *peer) wait(t *testing.T) int {
	t.Helper()
	<-p.done
	if p.late.Load() {
		t.Errorf("did not end by itself: %s", p)
	}
	return p.cmd.ProcessState.ExitCode()
}

// succeed waits until the peer ends by itself with exit status 0.
func (p *peer) succeed(t *testing.T) {
	t.Helper()
	if code := p.wait(t); code != 0 {
		t.Errorf("exit status %d of %s", code, p)
	}
}

// run runs a program to its end and returns its stdout and exit status.
func run(t *testing.T, name string, args ...string) (stdout string, status int) {
	t.Helper()
	cmd := exec.Command(name, args...)
	var out bytes.Buffer
	cmd.Stdout = &out
	cmd.Dir = t.TempDir()
	p := startCommand(t, 2*patience, cmd)
	status = p.wait(t)
	return out.String(), status
}

// mustRun is run for what must succeed.
func mustRun(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, status := run(t, name, args...)
	if status != 0 {
		t.Fatalf("exit status %d of %s %s", status, name, strings.Join(args, " "))
	}
	return out
}

// tail is the last n lines of s.
func tail(s string, n int) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	if len(lines) > n {
		lines = append([]string{fmt.Sprintf("… %d lines", len(lines)-n)}, lines[len(lines)-n:]...)
	}
	return strings.Join(lines, "\n")
}

// eventually polls until ok holds or patience is at its end.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	if err := poll(patience, ok); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

var errNotInTime = errors.New("not in time")

func poll(limit time.Duration, ok func() bool) error {
	return pollEvery(10*time.Millisecond, limit, ok)
}

func pollEvery(pause, limit time.Duration, ok func() bool) error {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(pause) {
		if ok() {
			return nil
		}
	}
	return errNotInTime
}
