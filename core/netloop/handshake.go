package netloop

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/proxyproto"
	"github.com/millrace/millrace/core/secure"
)

// handshakes are the TLS handshakes in progress, each on a goroutine of its
// own: they need a peer's answers, and a millisecond of arithmetic that no
// loop has.
type handshakes struct {
	mu     sync.Mutex
	ended  *sync.Cond // when one has, or nobody is to begin any more
	open   map[net.Conn]struct{}
	closed bool
	work   sync.WaitGroup
}

func (s *handshakes) init() {
	s.ended = sync.NewCond(&s.mu)
	s.open = make(map[net.Conn]struct{})
}

// begin waits until fewer than limits.tls_handshakes are in progress; those
// who come meanwhile wait in the kernel's queue. It reports false if nc comes
// too late to be served.
func (s *handshakes) begin(nc net.Conn, l *Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.open) >= l.engine.Settings().Limits.TLSHandshakes && !s.closed && !l.closing.Load() {
		s.ended.Wait()
	}
	if s.closed || l.closing.Load() {
		return false
	}
	s.open[nc] = struct{}{}
	return true
}

// end is what begin did, undone.
func (s *handshakes) end(nc net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, nc)
	s.ended.Broadcast()
}

// wake has those that wait see that their listener is closing.
func (s *handshakes) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended.Broadcast()
}

// close cuts off the handshakes in progress.
func (s *handshakes) close() {
	s.mu.Lock()
	s.closed = true
	for nc := range s.open {
		nc.Close()
	}
	s.ended.Broadcast()
	s.mu.Unlock()
	s.work.Wait()
}

// shake does the handshake of an admitted connection, then gives it to a loop,
// or, if it is to speak HTTP/2, to net/http.
func (e *Engine) shake(nc net.Conn, c *conn, l *Listener) {
	if !e.shakes.begin(nc, l) {
		nc.Close()
		e.turnedAway(c, causeServer)
		return
	}
	e.shakes.work.Go(func() {
		defer e.shakes.end(nc)
		if why, err := e.greetTLS(nc, c, l); err != nil {
			nc.Close()
			e.turnedAway(c, why)
			e.log.Log(context.Background(), failedLevel(why), "connection closed before its TLS was up",
				event.Protocol, string(c.protocol), event.RemoteAddr, c.peer.String(), event.Reason, err.Error())
		}
	})
}

// failedLevel is that of the log line about a failed handshake: of those who
// connect and go, as the health checks of load balancers do, nobody wants one.
func failedLevel(why cause) slog.Level {
	if why == causePeer {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// turnedAway is the end of a connection that never came to a loop.
func (e *Engine) turnedAway(c *conn, why cause) {
	e.gate.leave(c.ticket)
	e.totals.closed(c.protocol, why)
}

// greetTLS takes the connection through its handshake, within
// limits.handshake_timeout for all of it.
func (e *Engine) greetTLS(nc net.Conn, c *conn, l *Listener) (why cause, err error) {
	defer func() {
		if p := recover(); p != nil {
			e.panicked(p)
			why, err = causeServer, errPanic
		}
	}()
	if err := nc.SetDeadline(time.Now().Add(e.Settings().Limits.HandshakeTimeout)); err != nil {
		return causePeer, fmt.Errorf("set deadline: %w", err)
	}
	var rest []byte
	if l.proxy {
		if rest, err = c.readProxyHeader(nc); err != nil {
			return causeOf(err), err
		}
	}
	s := secure.Server(nc, rest, l.tls)
	if err := s.Handshake(context.Background()); err != nil {
		return causeOf(err), fmt.Errorf("TLS handshake: %w", err)
	}
	if err := nc.SetDeadline(time.Time{}); err != nil {
		return causePeer, fmt.Errorf("clear deadline: %w", err)
	}
	if s.Protocol() == protocolH2 {
		e.lendH2(nc.(*net.TCPConn), c, s)
		return 0, nil
	}
	s.Detach()
	c.tls = &tlsLayer{Conn: s}
	c.handler = c.firstHandler()
	e.enroll(nc, c)
	return 0, nil
}

// protocolH2 is HTTP/2 in ALPN (RFC 9113, 3.2).
const protocolH2 = "h2"

var errPanic = errors.New("internal error")

// errProxyLimit is returned for one connection too many.
var errProxyLimit = errors.New(refusedPerIP)

// readProxyHeader reads the PROXY protocol header and returns what came behind
// it.
func (c *conn) readProxyHeader(nc net.Conn) (rest []byte, err error) {
	var b []byte
	for {
		chunk := make([]byte, 512)
		n, err := nc.Read(chunk)
		if err != nil {
			return nil, fmt.Errorf("read PROXY protocol header: %w", err)
		}
		b = append(b, chunk[:n]...)
		head, used, err := proxyproto.Parse(b)
		switch {
		case errors.Is(err, proxyproto.ErrShort):
			continue
		case err != nil:
			return nil, fmt.Errorf("PROXY protocol: %w", err)
		case !c.cameFrom(head):
			return nil, errProxyLimit
		}
		return b[used:], nil
	}
}

// causeOf is the kind of reason why a handshake failed.
func causeOf(err error) cause {
	var op *net.OpError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return causeTimeout
	case errors.Is(err, errProxyLimit):
		return causeLimit
	case errors.Is(err, net.ErrClosed):
		return causeServer
	case errors.Is(err, io.EOF), errors.Is(err, unix.ECONNRESET), errors.As(err, &op) && op.Op == "write":
		return causePeer
	}
	return causeProtocol
}

// lendH2 gives a connection to net/http, which speaks HTTP/2.
func (e *Engine) lendH2(tcp *net.TCPConn, c *conn, s *secure.Conn) {
	if stall := e.Settings().Viewers.StallTimeout; stall > 0 {
		setUserTimeout(tcp, stall+userTimeoutMargin)
	}
	lent := &loanedConn{
		Conn: tcp, tcp: tcp, engine: e, peer: c.via, ticket: c.ticket,
		about: event.Event{Protocol: string(protocolHTTP), RemoteAddr: c.via.String()}, since: e.Now(),
	}
	s.Attach(lent)
	if err := e.options.HTTP2(s.TLS()); err != nil {
		lent.Close()
	}
}

func setUserTimeout(tcp *net.TCPConn, d time.Duration) {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { tcpOption(int(fd), unix.TCP_USER_TIMEOUT, int(d/time.Millisecond)) })
}

// offers is what a listener of p offers by ALPN.
func (e *Engine) offers(p protocol) []string {
	switch {
	case p == protocolRTMP:
		return nil
	case e.options.HTTP2 == nil:
		return []string{"http/1.1"}
	}
	return []string{protocolH2, "http/1.1"}
}

// configFor is the TLS configuration of a listener; nil: it has no TLS.
func (e *Engine) configFor(a Address, p protocol) (*tls.Config, error) {
	switch {
	case !a.TLS:
		return nil, nil
	case e.options.TLS == nil:
		return nil, fmt.Errorf("listen for %s with TLS at %s: there is no certificate", p, a.Addr)
	}
	return e.options.TLS(e.offers(p)...), nil
}
