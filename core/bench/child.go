package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a child that runs until stop.
type process struct {
	cmd    *exec.Cmd
	stderr output
	done   chan struct{}
}

// output is a buffer that may be read while a process writes.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write is io.Writer's.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

// String is what was written so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// errProcess is returned when a child does not do what it was started for.
var errProcess = errors.New("child process")

// startProcess starts a child, which the kernel kills if this process dies.
func startProcess(command []string) (*process, error) {
	p := &process{cmd: exec.Command(command[0], command[1:]...), done: make(chan struct{})}
	p.cmd.Stderr = &p.stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", command[0], err)
	}
	go func() {
		_ = p.cmd.Wait() // whoever expects it to live looks at done
		close(p.done)
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// await polls until ok holds, the child ends or patience does.
func (p *process) await(ctx context.Context, what string, ok func() bool) error {
	const limit = 15 * time.Second
	for end := time.Now().Add(limit); time.Now().Before(end); {
		select {
		case <-p.done:
			return fmt.Errorf("%w: %s ended: %s", errProcess, p.cmd.Path, lastLine(p.stderr.String()))
		default:
		}
		if ok() {
			return nil
		}
		if !pause(ctx, 20*time.Millisecond) {
			return ctx.Err()
		}
	}
	return fmt.Errorf("%w: %s: not %s within %v", errProcess, p.cmd.Path, what, limit)
}

// stop asks the child to end, and kills it if it does not.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(3 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// errNoReport is returned for a child that failed.
var errNoReport = errors.New("no report")

// runReport runs a child that prints a report as JSON.
func runReport(ctx context.Context, command []string, report any) error {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("run %s: %w: %w: %s", strings.Join(command, " "), errNoReport, err, lastLine(stderr.String()))
	}
	if err := json.Unmarshal(out, report); err != nil {
		return fmt.Errorf("run %s: %w", strings.Join(command, " "), err)
	}
	return nil
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}

// thisProgram is the command that runs the subcommands of bench.
func thisProgram() ([]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	return []string{self, "bench"}, nil
}

// serverProgram is the server to measure: the one that was named, or this
// program.
func serverProgram(named string) (string, error) {
	if named != "" {
		return named, nil
	}
	self, err := thisProgram()
	if err != nil {
		return "", err
	}
	return self[0], nil
}
