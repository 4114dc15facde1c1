package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"syscall"
)

// writerProcess is a child that runs [RunWriter]: its first line is where it
// listens, and each line that it reads it answers with its counts.
type writerProcess struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Scanner
	addr  netip.AddrPort
}

// errWriter is returned when the child does not answer.
var errWriter = errors.New("the bare process does not answer")

// startWriter starts the child; stop ends it.
func startWriter(ctx context.Context, command []string, o WriterOptions) (*writerProcess, error) {
	if len(command) == 0 {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find this program: %w", err)
		}
		command = []string{self, "bench", "floor-writer"}
	}
	cmd := exec.CommandContext(ctx, command[0], append(command[1:], o.args()...)...)
	cmd.Stderr = os.Stderr
	// Go's scheduler has no say in a bare process: no signals to threads that
	// it thinks run for long.
	cmd.Env = append(os.Environ(), "GODEBUG=asyncpreemptoff=1")
	// It ends at the end of its input, and when this process is killed, its
	// kernel sees to that.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start bare process: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start bare process: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start bare process: %w", err)
	}
	w := &writerProcess{cmd: cmd, in: in, lines: bufio.NewScanner(out)}
	if w.addr, err = w.listens(); err != nil {
		w.stop()
		return nil, err
	}
	return w, nil
}

func (w *writerProcess) pid() int { return w.cmd.Process.Pid }

func (w *writerProcess) listens() (netip.AddrPort, error) {
	if !w.lines.Scan() {
		return netip.AddrPort{}, errWriter
	}
	addr, err := netip.ParseAddrPort(w.lines.Text())
	if err != nil {
		return addr, fmt.Errorf("%w: %w", errWriter, err)
	}
	return addr, nil
}

// counts asks the child.
func (w *writerProcess) counts() (WriterCounts, error) {
	var c WriterCounts
	if _, err := io.WriteString(w.in, "\n"); err != nil {
		return c, fmt.Errorf("%w: %w", errWriter, err)
	}
	if !w.lines.Scan() {
		return c, errWriter
	}
	if err := json.Unmarshal(w.lines.Bytes(), &c); err != nil {
		return c, fmt.Errorf("%w: %w", errWriter, err)
	}
	return c, nil
}

// stop ends the child and waits for it.
func (w *writerProcess) stop() {
	_ = w.in.Close()
	_ = w.cmd.Process.Kill() // it has nothing to save
	_ = w.cmd.Wait()
}
