package netloop

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// Tunnel is an HTTP connection to a loop from within the process, for a
// request that net/http has read and a loop must answer: those for live streams
// over HTTP/2. Who is behind it is served as any other client.
type Tunnel struct {
	net.Conn
	raw    syscall.RawConn
	whole  *atomic.Bool
	rate   *atomic.Int64
	engine *Engine
	ticket ticket
	once   sync.Once
}

// ErrRefused is returned when a limit does not allow one more connection.
var ErrRefused = errors.New("no room for one more connection")

// Tunnel opens a connection whose input begins with request, on behalf of a
// client at remote that was admitted. Any goroutine but a loop's.
func (e *Engine) Tunnel(request []byte, remote net.Addr, a *Admission) (*Tunnel, error) {
	peer := addrPort(remote)
	inner, err := e.enterTunnel(peer.Addr(), !e.trusts(protocolHTTP, peer.Addr()))
	if err != nil {
		return nil, err
	}
	outer, err := e.enterTunnel(peer.Addr(), false) // its descriptor counts as well
	if err != nil {
		e.gate.leave(inner)
		return nil, err
	}
	t, far, err := newTunnel(e, outer)
	if err != nil {
		e.gate.leave(inner)
		e.gate.leave(outer)
		return nil, err
	}
	c := newConn(e, protocolHTTP, inner)
	c.peer, c.via, c.prefix, c.whole, c.rate = peer, peer, request, t.whole, t.rate
	own := a.bounds
	c.bounds = &own
	c.handler = &httpConn{conn: c, connected: true}
	e.totals.opened(protocolHTTP)
	e.enroll(far, c)
	return t, nil
}

func (e *Engine) enterTunnel(ip netip.Addr, known bool) (ticket, error) {
	t, refusal := e.gate.enter(ip, known)
	if refusal != "" {
		e.gate.refused(refusal, protocolHTTP, netip.AddrPortFrom(ip, 0))
		return t, fmt.Errorf("%w: %s", ErrRefused, refusal)
	}
	return t, nil
}

// newTunnel makes a tunnel and its far end.
func newTunnel(e *Engine, t ticket) (*Tunnel, net.Conn, error) {
	p, err := socketPair()
	if err != nil {
		return nil, nil, fmt.Errorf("open tunnel: %w", err)
	}
	raw, err := p.keep.(syscall.Conn).SyscallConn()
	if err != nil {
		p.keep.Close()
		p.enroll.Close()
		return nil, nil, fmt.Errorf("open tunnel: %w", err)
	}
	return &Tunnel{Conn: p.keep, raw: raw, whole: new(atomic.Bool), rate: new(atomic.Int64), engine: e, ticket: t}, p.enroll, nil
}

// Close closes the tunnel; the loop takes that for its client's going.
func (t *Tunnel) Close() error {
	err := net.ErrClosed
	t.once.Do(func() {
		err = t.Conn.Close()
		t.engine.gate.leave(t.ticket)
	})
	return err
}

// Rate is how many bytes a second may go to the client; 0: any.
func (t *Tunnel) Rate() int64 { return t.rate.Load() }

// Whole reports, once a read has met the end, whether the loop had said all
// that it wanted to.
func (t *Tunnel) Whole() bool { return t.whole.Load() }

// ReadInto waits until there is something to read, then asks for a buffer and
// reads into it: who waits needs none. At the end it returns io.EOF.
func (t *Tunnel) ReadInto(buffer func() []byte) (n int, err error) {
	var failed error
	err = t.raw.Read(func(fd uintptr) bool {
		var b [1]byte
		// A look first, so that no buffer is taken in vain.
		_, _, failed = unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		if failed == unix.EAGAIN || failed == unix.EINTR {
			return false
		}
		if failed == nil {
			n, failed = unix.Read(int(fd), buffer())
		}
		return true
	})
	switch {
	case err != nil:
		return 0, fmt.Errorf("read from tunnel: %w", err)
	case failed != nil:
		return 0, fmt.Errorf("read from tunnel: %w", failed)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}
