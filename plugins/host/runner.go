package host

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/hashicorp/go-plugin/runner"
)

// child is a plugin's process, in a group of its own. It gets SIGTERM when
// the server dies, and whatever it started dies with it.
type child struct {
	cmd *exec.Cmd
	// starting bounds the time until started is called.
	starting       context.Context
	started        func() bool
	stdout, stderr *os.File // read here
	pid            int
	exited         chan struct{}
	err            error // of Wait, once exited
}

var _ runner.Runner = (*child)(nil)

// newChild prepares a process. The command's standard streams are set here.
func newChild(ctx context.Context, cmd *exec.Cmd) *child {
	cmd.Stdin = nil
	return &child{cmd: cmd, starting: ctx, exited: make(chan struct{})}
}

// Start starts the process on a thread that lives as long as it does: the
// kernel sends the parent-death signal when the thread that forked ends.
func (c *child) Start(context.Context) error {
	outR, outW, err := os.Pipe()
	if err != nil {
		return err
	}
	errR, errW, err := os.Pipe()
	if err != nil {
		return errors.Join(err, outR.Close(), outW.Close())
	}
	c.stdout, c.stderr = outR, errR
	c.cmd.Stdout, c.cmd.Stderr = outW, errW
	if c.cmd.SysProcAttr == nil {
		c.cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	c.cmd.SysProcAttr.Setpgid = true
	c.cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM
	started := make(chan error)
	go c.live(started)
	err = <-started
	outW.Close()
	errW.Close()
	if err != nil {
		outR.Close()
		errR.Close()
		return err
	}
	c.started = context.AfterFunc(c.starting, func() { _ = c.Kill(context.Background()) })
	return nil
}

// pipeGrace is how long a process that outlived its group may hold the pipes.
const pipeGrace = time.Second

func (c *child) live(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := c.cmd.Start(); err != nil {
		started <- err
		return
	}
	c.pid = c.cmd.Process.Pid
	started <- nil
	c.err = c.cmd.Wait()
	_ = syscall.Kill(-c.pid, syscall.SIGKILL)
	close(c.exited)
	time.AfterFunc(pipeGrace, func() {
		c.stdout.Close()
		c.stderr.Close()
	})
}

// Wait returns when the process has exited.
func (c *child) Wait(ctx context.Context) error {
	select {
	case <-c.exited:
		return c.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Kill ends the process and its group.
func (c *child) Kill(context.Context) error {
	if c.pid == 0 || c.hasExited() {
		return nil
	}
	return syscall.Kill(-c.pid, syscall.SIGKILL)
}

func (c *child) hasExited() bool {
	select {
	case <-c.exited:
		return true
	default:
		return false
	}
}

// Name is what go-plugin names the logger of the process's output.
func (c *child) Name() string { return outputLogger }

// ID is the process's number.
func (c *child) ID() string { return strconv.Itoa(c.pid) }

// Stdout has the handshake.
func (c *child) Stdout() io.ReadCloser { return c.stdout }

// Stderr has the log.
func (c *child) Stderr() io.ReadCloser { return c.stderr }

// Diagnose says how the process ended, if it did.
func (c *child) Diagnose(context.Context) string {
	select {
	case <-c.exited:
		return "the process ended: " + exitText(c.err)
	case <-time.After(pipeGrace):
		return ""
	}
}

func exitText(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

// PluginToHost and HostToPlugin translate nothing: both see the same files.
func (c *child) PluginToHost(network, address string) (string, string, error) {
	return network, address, nil
}

// HostToPlugin is PluginToHost's counterpart.
func (c *child) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}
