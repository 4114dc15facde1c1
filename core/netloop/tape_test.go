package netloop

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"golang.org/x/sys/unix"
)

// item is what a viewer reads: a unit, or something of the protocol's own.
type item struct {
	unit    unit
	control string
}

// source reads a viewer's events. io.EOF is an end at a boundary.
type source interface{ next() (item, error) }

// tape is a viewer and all that it has got.
type tape struct {
	t    testing.TB
	conn net.Conn
	src  source
	done chan struct{}
	// release lets a viewer that is stuck read on.
	release func()

	mu       sync.Mutex
	units    []unit
	controls []string
	err      error
}

// dial connects; receive, if not 0, is the size of the receive buffer.
func dial(t testing.TB, addr net.Addr, receive int) net.Conn {
	t.Helper()
	d := net.Dialer{Timeout: patience, Control: func(_, _ string, c syscall.RawConn) (err error) {
		if receive > 0 {
			_ = c.Control(func(fd uintptr) {
				err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, receive)
			})
		}
		return err
	}}
	c, err := d.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * patience))
	return maybeTLS(c)
}

// record reads a viewer's events until its end.
func record(t testing.TB, conn net.Conn, src source) *tape {
	p := &tape{t: t, conn: conn, src: src, done: make(chan struct{})}
	go p.run()
	t.Cleanup(func() {
		conn.Close()
		<-p.done
	})
	return p
}

func (p *tape) run() {
	defer close(p.done)
	for {
		ev, err := p.src.next()
		p.mu.Lock()
		switch {
		case err != nil:
			p.err = err
		case ev.control != "":
			p.controls = append(p.controls, ev.control)
		default:
			p.units = append(p.units, ev.unit)
		}
		p.mu.Unlock()
		if err != nil {
			p.conn.Close()
			return
		}
	}
}

// got is what came so far.
func (p *tape) got() []unit {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.units
}

// heard is what came of the protocol's own.
func (p *tape) heard() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.controls
}

func (p *tape) ended() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// waitFor waits for a unit that was sent, as long as anything comes.
func (p *tape) waitFor(u unit) {
	p.t.Helper()
	seen := 0
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		got := p.got()
		if slices.Contains(got[seen:], u) {
			return
		}
		if len(got) > seen {
			seen, deadline = len(got), time.Now().Add(patience)
		}
		if err := p.ended(); err != nil && len(p.got()) == seen {
			p.t.Fatalf("waiting for %s: %v; heard %q", describe(u), err, p.heard())
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("nothing has come for %v, nor %s", patience, describe(u))
		}
	}
}

// waitLast waits for the newest frame of f.
func (p *tape) waitLast(f *feed) {
	p.t.Helper()
	all := f.all()
	last := all[len(all)-1].unit
	if got := p.got(); slices.Contains(got[max(len(got)-100, 0):], last) {
		return
	}
	p.waitFor(last)
}

func (p *tape) waitControl(c string) {
	p.t.Helper()
	eventually(p.t, c+" has come", func() bool {
		err := p.ended() // before looking: what came before the end is there
		heard := p.heard()
		if err != nil && !slices.Contains(heard, c) {
			p.t.Fatalf("waiting for %q: %v; heard %q", c, err, heard)
		}
		return slices.Contains(heard, c)
	})
}

// waitEnd waits for the connection's end.
func (p *tape) waitEnd() error {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatal("the connection does not end")
	}
	return p.ended()
}

// cleanEnd wants the end to be one at a boundary.
func (p *tape) cleanEnd() {
	p.t.Helper()
	if err := p.waitEnd(); !errors.Is(err, io.EOF) {
		p.t.Fatalf("the end is %v; heard %q", err, p.heard())
	}
}

func (p *tape) send(b []byte) {
	p.t.Helper()
	if _, err := p.conn.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

// arrived waits until the engine's kernel has all that was sent.
func (p *tape) arrived() {
	p.t.Helper()
	conn := p.conn
	if over, ok := conn.(*tls.Conn); ok {
		conn = over.NetConn()
	}
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		p.t.Fatal(err)
	}
	eventually(p.t, "all has arrived", func() bool {
		queued := 0
		_ = raw.Control(func(fd uintptr) { queued = socketQueue(int(fd)) })
		return queued == 0
	})
}

func describe(u unit) string {
	head := u.data
	if len(head) > 13 {
		head = head[:13]
	}
	return fmt.Sprintf("%s at %d ms, %d bytes, % x", u.kind, u.ts, len(u.data), head)
}

// bytewise has each read get one byte.
func bytewise(r io.Reader) io.Reader { return iotest.OneByteReader(r) }

// read reads n bytes; an end before the first is io.EOF.
func read(r io.Reader, n int) ([]byte, error) {
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	return b, err
}

// inside reads n bytes that must be there.
func inside(r io.Reader, n int) ([]byte, error) {
	b, err := read(r, n)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return b, err
}

// gated has reads wait for the gate.
func gated(gate chan struct{}) func(io.Reader) io.Reader {
	return func(r io.Reader) io.Reader { return &gatedReader{r: r, gate: gate} }
}

// gatedReader lets the answer to a request and the handshake pass, so much as
// is asked for, and waits with the rest.
type gatedReader struct {
	r    io.Reader
	gate chan struct{}
	n    int
}

// freely is how many bytes pass before the gate.
const freely = 1 << 12

func (g *gatedReader) Read(b []byte) (int, error) {
	if g.n > freely {
		<-g.gate
	}
	n, err := g.r.Read(b)
	g.n += n
	return n, err
}

// parsePath is the name of f's stream.
func parsePath(f *feed) string { return f.pub.Stream.Key.String() }
