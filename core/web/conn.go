package web

import (
	"context"
	"io"
	"net"
	"net/http"
)

// conn is a connection handed in by the event loop: it reads prefix before the
// socket and knows the client behind a proxy. Like any net.Conn it has at most
// one reader at a time, which is what guards prefix.
type conn struct {
	net.Conn // as delivered; goes back to the loop as it came

	prefix []byte
	remote net.Addr // nil: the socket's own peer
	served bool     // a request has come to the handler; requests come in turn
}

type connKey struct{}

// withConn is http.Server.ConnContext: it leads from a request to its conn, and
// to what was decided about one that speaks HTTP/2.
func (s *Server) withConn(ctx context.Context, c net.Conn) context.Context {
	return s.visitors.join(context.WithValue(ctx, connKey{}, c), c)
}

// connOf returns the conn that r came on; nil if it did not come by a Handoff.
func connOf(r *http.Request) *conn {
	c, _ := r.Context().Value(connKey{}).(*conn)
	return c
}

// Delivered is what Handoff.Deliver was given for the connection that r came
// on; nil if r came otherwise.
func Delivered(r *http.Request) net.Conn {
	if c := connOf(r); c != nil {
		return c.Conn
	}
	return nil
}

// Read reads what is left of the prefix, then the socket.
func (c *conn) Read(p []byte) (int, error) {
	if len(c.prefix) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.prefix)
	c.prefix = c.prefix[n:]
	if len(c.prefix) == 0 {
		c.prefix = nil // the array may be large; a kept-alive connection is long
	}
	return n, nil
}

// RemoteAddr returns the client's address, after PROXY protocol.
func (c *conn) RemoteAddr() net.Addr {
	if c.remote != nil {
		return c.remote
	}
	return c.Conn.RemoteAddr()
}

// ReadFrom lets net/http use sendfile through the wrapper.
func (c *conn) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(c.Conn, r)
}

// CloseWrite lets net/http end an answer without a reset that would lose it
// (it shuts the sending side, lingers, then closes).
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
