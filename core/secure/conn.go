// Package secure is TLS for connections that change hands between a goroutine,
// which blocks on the socket, and an event loop, which has bytes and no time to
// wait: crypto/tls knows only the former.
package secure

import (
	"context"
	"crypto/tls"
	"net"
)

// Conn is one TLS connection. It is attached to a socket at first: the
// handshake reads and writes there, as does whoever uses [Conn.TLS]. Once
// detached it has no socket, and Open and Seal turn bytes into bytes. Attached
// it is as safe for concurrent use as a tls.Conn, detached it belongs to one
// goroutine.
type Conn struct {
	tls  *tls.Conn
	wire wire
}

// Server makes the server's side of a connection over nc; prefix is what was
// read of nc already, and Conn's own from here on.
func Server(nc net.Conn, prefix []byte, config *tls.Config) *Conn {
	c := &Conn{wire: wire{Conn: nc, in: prefix}}
	c.tls = tls.Server(&c.wire, config)
	return c
}

// Client makes the client's side of a connection over nc.
func Client(nc net.Conn, config *tls.Config) *Conn {
	c := &Conn{wire: wire{Conn: nc}}
	c.tls = tls.Client(&c.wire, config)
	return c
}

// Handshake does the handshake, while attached. It blocks, within nc's
// deadlines.
func (c *Conn) Handshake(ctx context.Context) error { return c.tls.HandshakeContext(ctx) }

// Protocol is what the handshake agreed on by ALPN, "" for nothing.
func (c *Conn) Protocol() string { return c.tls.ConnectionState().NegotiatedProtocol }

// TLS is the connection as others know it, for use while attached.
func (c *Conn) TLS() *tls.Conn { return c.tls }

// Detach takes the connection off its socket, which stays open and is the
// caller's. No call on TLS may be under way.
func (c *Conn) Detach() { c.wire.Conn = nil }

// Attach puts the connection on a socket again. What Seal returned must have
// been sent; what Output has goes before the next Write on TLS.
func (c *Conn) Attach(nc net.Conn) { c.wire.Conn = nc }

// Open takes what came from the socket and calls got with each piece of it in
// clear, valid during the call and in scratch, until got returns false: what
// is left then waits for the next Open, or for a read on TLS. io.EOF is the
// peer's close_notify; any other error is final, too. Output may have bytes
// for the peer afterwards.
func (c *Conn) Open(b, scratch []byte, got func(clear []byte) (more bool)) error {
	if len(c.wire.in) == 0 {
		c.wire.in = b
		defer c.keep()
	} else {
		c.wire.in = append(c.wire.in, b...)
	}
	for {
		n, err := c.tls.Read(scratch)
		if n > 0 && !got(scratch[:n]) {
			return nil
		}
		if err == errDry {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// keep copies what was not read of bytes that are the caller's.
func (c *Conn) keep() { c.wire.in = append([]byte(nil), c.wire.in...) }

// Seal appends b to dst as TLS records, behind what Output has. b is not kept.
func (c *Conn) Seal(dst, b []byte) ([]byte, error) {
	return c.output(dst, func() error {
		_, err := c.tls.Write(b)
		return err
	})
}

// CloseNotify appends the alert that says that nothing more will come (RFC
// 8446, 6.1): it tells an end from a cut.
func (c *Conn) CloseNotify(dst []byte) []byte {
	// Only a handshake that is not complete makes it fail.
	dst, _ = c.output(dst, c.tls.CloseWrite)
	return dst
}

// Output appends what reading made TLS itself answer, such as a new key.
func (c *Conn) Output(dst []byte) []byte {
	dst = append(dst, c.wire.out...)
	c.wire.out = nil
	return dst
}

func (c *Conn) output(dst []byte, write func() error) ([]byte, error) {
	c.wire.out = append(dst, c.wire.out...)
	err := write()
	dst, c.wire.out = c.wire.out, nil
	return dst, err
}

// wire is what a tls.Conn takes for its socket: the real one while attached,
// two buffers otherwise.
type wire struct {
	net.Conn // nil: detached
	in       []byte
	out      []byte
}

// Read reads what is there; detached, it never waits for more.
func (w *wire) Read(p []byte) (int, error) {
	if len(w.in) > 0 {
		n := copy(p, w.in)
		if w.in = w.in[n:]; len(w.in) == 0 {
			w.in = nil // it may be large, and the connection old
		}
		return n, nil
	}
	if w.Conn == nil {
		return 0, errDry
	}
	return w.Conn.Read(p)
}

func (w *wire) Write(p []byte) (int, error) {
	if w.Conn == nil {
		w.out = append(w.out, p...)
		return len(p), nil
	}
	if early := w.out; len(early) > 0 {
		w.out = nil
		if _, err := w.Conn.Write(early); err != nil {
			return 0, err
		}
	}
	return w.Conn.Write(p)
}
