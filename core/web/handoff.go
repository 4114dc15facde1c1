package web

import (
	"crypto/tls"
	"fmt"
	"net"
	"sync"
)

// Handoff is a net.Listener whose connections are handed in by the event loop
// instead of being accepted from a socket. Safe for any goroutine.
type Handoff struct {
	addr net.Addr

	mu     sync.Mutex
	ready  *sync.Cond // signalled when queue grows and when closed is set
	queue  []net.Conn
	closed bool
}

var _ net.Listener = (*Handoff)(nil)

// NewHandoff returns an open Handoff. addr is what Addr answers: the address
// of the listener that the connections came in by.
func NewHandoff(addr net.Addr) *Handoff {
	h := &Handoff{addr: addr}
	h.ready = sync.NewCond(&h.mu)
	return h
}

// Deliver queues c for Accept and takes ownership of c and of prefix. The
// accepted connection reads prefix, the bytes already taken from c, before
// anything else; it begins with a request that the loop does not serve. remote is the client's address after PROXY protocol; nil
// stands for c.RemoteAddr().
//
// It never blocks, so that an event loop may call it. The queue needs no bound
// of its own: each entry is an open connection, and those are limited where
// they are accepted. After Close it closes c and returns an error that wraps
// net.ErrClosed.
func (h *Handoff) Deliver(c net.Conn, prefix []byte, remote net.Addr) error {
	if !h.push(&conn{Conn: c, prefix: prefix, remote: remote}) {
		_ = c.Close() // the reason below says more than a second error would
		return fmt.Errorf("deliver connection to net/http: %w", net.ErrClosed)
	}
	return nil
}

// DeliverTLS is Deliver for a connection whose TLS handshake agreed on HTTP/2.
// net/http wants such a one as it is.
func (h *Handoff) DeliverTLS(c *tls.Conn) error {
	if !h.push(c) {
		_ = c.Close()
		return fmt.Errorf("deliver connection to net/http: %w", net.ErrClosed)
	}
	return nil
}

func (h *Handoff) push(c net.Conn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.queue = append(h.queue, c)
	h.ready.Signal()
	return true
}

// Accept waits for the next delivered connection. After Close it returns an
// error that wraps net.ErrClosed.
func (h *Handoff) Accept() (net.Conn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.queue) == 0 && !h.closed {
		h.ready.Wait()
	}
	if h.closed {
		return nil, fmt.Errorf("accept handed-off connection: %w", net.ErrClosed)
	}
	c := h.queue[0]
	h.queue[0] = nil
	h.queue = h.queue[1:]
	return c, nil
}

// Close ends Accept and Deliver, and closes the connections that were
// delivered and not yet accepted. Calling it again does nothing.
func (h *Handoff) Close() error {
	h.mu.Lock()
	left := h.queue
	h.queue, h.closed = nil, true
	h.ready.Broadcast()
	h.mu.Unlock()

	for _, c := range left {
		_ = c.Close() // nobody is left to tell
	}
	return nil
}

// Addr returns the address given to NewHandoff.
func (h *Handoff) Addr() net.Addr { return h.addr }
