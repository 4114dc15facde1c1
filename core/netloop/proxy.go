package netloop

import (
	"errors"
	"log/slog"
	"net/netip"

	"github.com/millrace/millrace/core/proxyproto"
)

// proxyConn waits for the PROXY protocol header of a connection.
type proxyConn struct {
	conn *conn
	head []byte
}

func (h *proxyConn) open() {
	h.conn.setDeadline(h.conn.since + int64(h.conn.engine.Settings().Limits.HandshakeTimeout))
}

func (h *proxyConn) data(b []byte) {
	c := h.conn
	if h.head != nil {
		h.head = append(h.head, b...)
		b = h.head
	}
	head, n, err := proxyproto.Parse(b)
	switch {
	case errors.Is(err, proxyproto.ErrShort):
		if h.head == nil {
			h.head = append([]byte{}, b...)
		}
		return
	case err != nil:
		c.kill(causeProtocol, "PROXY protocol: "+err.Error())
		return
	}
	if !c.cameFrom(head) {
		c.kill(causeLimit, refusedPerIP)
		return
	}
	c.handler = c.firstHandler()
	c.handler.open()
	if rest := b[n:]; len(rest) > 0 && !c.dead {
		c.handler.data(rest)
	}
}

// cameFrom takes the address that a PROXY header tells, and reports whether it
// may have one more connection. Any goroutine that has c.
func (c *conn) cameFrom(head proxyproto.Header) bool {
	if head.Source.IsValid() {
		c.via = netip.AddrPortFrom(head.Source.Addr().Unmap(), head.Source.Port())
		c.peer = c.via
	}
	if c.engine.trusts(c.protocol, c.via.Addr()) || c.engine.gate.count(&c.ticket, c.via.Addr()) {
		return true
	}
	c.engine.gate.refused(refusedPerIP, c.protocol, c.peer)
	return false
}

func (h *proxyConn) timeout(int64) {
	const reason = "no PROXY protocol header in limits.handshake_timeout"
	h.conn.tell(slog.LevelInfo, "connection closed: too slow", reason)
	h.conn.kill(causeTimeout, reason)
}
func (h *proxyConn) drain()                   { h.conn.kill(causeServer, "") }
func (h *proxyConn) closed()                  {}
func (h *proxyConn) describe(s *ClientStatus) { s.Role = RoleIdle }
