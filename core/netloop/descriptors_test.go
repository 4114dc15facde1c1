package netloop

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fewDescriptors is the environment variable that makes the process the child
// of TestOutOfDescriptors.
const fewDescriptors = "MILLRACE_TEST_FEW_DESCRIPTORS"

// TestOutOfDescriptors has a process of its own run out of descriptors:
// connections are refused with a log line, and served again afterwards.
func TestOutOfDescriptors(t *testing.T) {
	if os.Getenv(fewDescriptors) != "" {
		serveWithFew(t)
		return
	}
	t.Parallel()
	child := startChild(t)
	addr := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: child.port(t)}

	child.tell("take all")
	if got := child.read(t); got != "taken" {
		t.Fatalf("the child says %q", got)
	}
	for i := range 30 {
		refusedOrClosed(t, addr, i)
	}
	child.tell("give back")
	if got := child.read(t); !strings.HasPrefix(got, "EMFILE in ") || strings.HasSuffix(got, " 0 lines") {
		t.Errorf("the child's log has %q", got)
	}
	// One more may be refused that came as the listener was at it.
	eventually(t, "a connection is served", func() bool { return served(t, addr) == nil })
	for range 5 {
		wantOptions(t, addr)
	}
}

// served asks for something and wants an answer.
func served(t *testing.T, addr net.Addr) error {
	t.Helper()
	c := dial(t, addr, 0)
	defer c.Close()
	if _, err := io.WriteString(c, "OPTIONS /live/a.flv HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		return err
	}
	status, _, err := readHead(c)
	if err == nil && !strings.Contains(status, "204") {
		err = errors.New(status)
	}
	return err
}

// refusedOrClosed wants a connection not to hang.
func refusedOrClosed(t *testing.T, addr net.Addr, i int) {
	t.Helper()
	c := dial(t, addr, 0)
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	if n, err := c.Read(make([]byte, 1)); n != 0 || os.IsTimeout(err) {
		t.Fatalf("connection %d gets %d bytes, %v", i, n, err)
	}
}

func wantOptions(t *testing.T, addr net.Addr) {
	t.Helper()
	if err := served(t, addr); err != nil {
		t.Fatal(err)
	}
}

type child struct {
	in  io.Writer
	out *bufio.Scanner
}

func startChild(t *testing.T) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestOutOfDescriptors$", "-test.count=1")
	cmd.Env = append(os.Environ(), fewDescriptors+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	return &child{in, bufio.NewScanner(out)}
}

func (c *child) tell(s string) { fmt.Fprintln(c.in, s) }

func (c *child) read(t *testing.T) string {
	t.Helper()
	if !c.out.Scan() {
		t.Fatalf("the child is gone: %v", c.out.Err())
	}
	return c.out.Text()
}

func (c *child) port(t *testing.T) (port int) {
	t.Helper()
	if _, err := fmt.Sscanf(c.read(t), "port %d", &port); err != nil {
		t.Fatal(err)
	}
	return port
}

// serveWithFew is the child: it serves and does what it is told.
func serveWithFew(t *testing.T) {
	limit := unix.Rlimit{Cur: 200, Max: 200}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	r := newRig(t)
	fmt.Println("port", r.http.Addr().(*net.TCPAddr).Port)
	var taken []*os.File
	for orders := bufio.NewScanner(os.Stdin); orders.Scan(); {
		switch orders.Text() {
		case "take all":
			for f, err := os.Open(os.DevNull); err == nil; f, err = os.Open(os.DevNull) {
				taken = append(taken, f)
			}
			fmt.Println("taken")
		case "give back":
			for _, f := range taken {
				f.Close()
			}
			fmt.Println("EMFILE in", r.engine.Stats().AcceptErrors["EMFILE"], "calls,", len(r.log.find("accept failed")), "lines")
		}
	}
}
