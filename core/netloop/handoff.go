package netloop

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
)

// loanedConn is a connection that net/http has. It keeps its admission until
// it is closed or comes back.
type loanedConn struct {
	*net.TCPConn
	engine   *Engine
	peer     netip.AddrPort
	ticket   ticket
	once     sync.Once
	returned atomic.Bool
}

// Close closes the connection, unless it has gone back to a loop.
func (c *loanedConn) Close() error {
	err := net.ErrClosed
	c.once.Do(func() {
		if c.returned.Load() {
			err = nil
			return
		}
		err = c.TCPConn.Close()
		c.engine.lost(c.ticket)
	})
	return err
}

// handOff gives the connection to net/http, with what was read of it.
func (h *httpConn) handOff() {
	c := h.conn
	if h.leaving = len(c.out) > 0; h.leaving {
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
	e, t, peer, prefix := c.engine, c.ticket, c.via, h.buf
	c.ticket, h.buf, c.lent = ticket{}, nil, true
	c.kill(causeServer, "went on to net/http")
	go e.lend(fd, t, peer, prefix)
}

// lost is the end of a connection that no loop has.
func (e *Engine) lost(t ticket) {
	e.gate.leave(t)
	e.totals.closed(protocolHTTP, causeServer)
}

// lend wraps fd for net/http. It runs on a goroutine of its own: these are
// half a dozen system calls.
func (e *Engine) lend(fd int, t ticket, peer netip.AddrPort, prefix []byte) {
	f := os.NewFile(uintptr(fd), "http")
	nc, err := net.FileConn(f)
	f.Close()
	if err != nil {
		e.lost(t)
		e.log.Warn("hand over to net/http", "remote_addr", peer.String(), reasonKey, err.Error())
		return
	}
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		nc.Close()
		e.lost(t)
		return
	}
	lent := &loanedConn{TCPConn: tcp, engine: e, peer: peer, ticket: t}
	if err := e.options.HTTP(lent, prefix, net.TCPAddrFromAddrPort(peer)); err != nil {
		lent.Close()
	}
}
