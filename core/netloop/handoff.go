package netloop

import (
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/secure"
)

// loanedConn is a connection that net/http has. It keeps its admission until
// it is closed or comes back.
type loanedConn struct {
	net.Conn // the socket, or TLS over it
	tcp      *net.TCPConn
	secure   *secure.Conn // nil: plain
	engine   *Engine
	peer     netip.AddrPort
	ticket   ticket
	once     sync.Once
	returned atomic.Bool

	// What the loop knew of it: its on_close, and since when (ns) it was
	// there; whether it was allowed, and until when.
	about     event.Event
	since     int64
	connected bool
	bounds    *bounds
	ending    atomic.Pointer[time.Timer] // nil: it may stay
	in, out   atomic.Uint64
}

// Close closes the connection, unless it has gone back to a loop.
func (c *loanedConn) Close() error {
	err := net.ErrClosed
	c.once.Do(func() {
		if c.returned.Load() {
			err = nil
			return
		}
		err = c.Conn.Close()
		c.engine.lost(c.ticket)
		c.tellClose()
	})
	return err
}

// tellClose tells that the connection has ended.
func (c *loanedConn) tellClose() {
	c.stay()
	if e := c.engine; e.wanted(event.Close) {
		ev := c.about
		ev.Event, ev.Time, ev.Reason = event.Close, time.Now(), "closed"
		ev.BytesIn, ev.BytesOut, ev.Duration = c.in.Load(), c.out.Load(), seconds(e.Now()-c.since)
		e.options.Events.Notify(&ev)
	}
}

// Read counts what comes.
func (c *loanedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.in.Add(uint64(max(n, 0)))
	return n, err
}

// Write counts what goes.
func (c *loanedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.out.Add(uint64(max(n, 0)))
	return n, err
}

// SetReadDeadline keeps to the idle_timeout of on_connect.
func (c *loanedConn) SetReadDeadline(t time.Time) error {
	if b := c.bounds; b != nil && b.idle > 0 && !t.IsZero() {
		if idle := time.Now().Add(b.idle); idle.Before(t) {
			t = idle
		}
	}
	return c.Conn.SetReadDeadline(t)
}

// keepBounds has the connection end when on_connect said.
func (c *loanedConn) keepBounds() {
	if b := c.bounds; b != nil && b.until != 0 {
		c.ending.Store(time.AfterFunc(time.Duration(b.until-c.engine.Now()), func() { _ = c.Close() }))
	}
}

// stay undoes keepBounds.
func (c *loanedConn) stay() {
	if t := c.ending.Load(); t != nil {
		t.Stop()
	}
}

// RemoteAddr is the client's address, after PROXY protocol.
func (c *loanedConn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.peer) }

// Secured reports whether TLS is spoken: the loops leave objects to net/http
// then.
func (c *loanedConn) Secured() bool { return c.secure != nil }

// ReadFrom lets a plain connection use sendfile.
func (c *loanedConn) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(c.Conn, r)
	c.out.Add(uint64(n))
	return n, err
}

// CloseWrite ends the sending side.
func (c *loanedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// handOff gives the connection to net/http, with what was read of it.
func (h *httpConn) handOff() {
	c := h.conn
	if h.leaving = len(c.out) > 0 || c.tls != nil && len(c.tls.sealed) > 0; h.leaving {
		c.setDeadline(c.loop.now() + int64(c.engine.Settings().Viewers.StallTimeout))
		return // until the answers before it are out
	}
	if c.engine.options.HTTP == nil {
		c.kill(causeServer, "no HTTP server takes the request")
		return
	}
	fd, err := c.gc.Dup()
	if err != nil {
		c.kill(causeServer, "hand over to net/http: "+err.Error())
		return
	}
	lent := &loanedConn{
		engine: c.engine, peer: c.via, ticket: c.ticket,
		about: c.event(event.Close), since: c.since, connected: h.connected, bounds: c.bounds,
	}
	lent.in.Store(c.bytesIn)
	lent.out.Store(c.bytesOut)
	prefix := h.buf
	c.ticket, h.buf, c.lent = ticket{}, nil, true
	c.kill(causeServer, "went on to net/http")
	lend := func() { go lent.lend(fd, prefix) }
	if c.tls == nil {
		lend()
		return
	}
	lent.secure = c.tls.Conn
	if c.tls.opening {
		c.tls.afterwards = lend // until then TLS is in our own hands
		return
	}
	lend()
}

// lost is the end of a connection that no loop has.
func (e *Engine) lost(t ticket) {
	e.gate.leave(t)
	e.totals.closed(protocolHTTP, causeServer)
}

// lend wraps fd for net/http. It runs on a goroutine of its own: these are
// half a dozen system calls.
func (c *loanedConn) lend(fd int, prefix []byte) {
	f := os.NewFile(uintptr(fd), "http")
	nc, err := net.FileConn(f)
	f.Close()
	if err != nil {
		c.engine.lost(c.ticket)
		c.engine.log.Warn("hand over to net/http", "remote_addr", c.peer.String(), reasonKey, err.Error())
		return
	}
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		nc.Close()
		c.engine.lost(c.ticket)
		return
	}
	c.Conn, c.tcp = tcp, tcp
	if c.secure != nil {
		c.secure.Attach(tcp)
		c.Conn = c.secure.TLS()
	}
	c.keepBounds()
	if err := c.engine.options.HTTP(c, prefix, c.RemoteAddr()); err != nil {
		c.Close()
	}
}
