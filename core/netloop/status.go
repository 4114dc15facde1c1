package netloop

import (
	"context"
	"strconv"
	"strings"

	"github.com/millrace/millrace/core/stream"
)

// Roles of a connection.
const (
	RolePublisher = "publisher"
	RolePlayer    = "player"
	RoleWaiting   = "waiting"
	RoleIdle      = "idle"
	RolePlugin    = "plugin"
)

// ClientStatus is what can be told of a connection.
type ClientStatus struct {
	ID, Protocol, Role string
	TLS                bool
	App, Name          string
	RemoteAddr         string
	UserAgent          string
	BytesIn, BytesOut  uint64
	LagMS              int64
	Dropped            uint64
	SocketQueue        int
	Since              int64 // ns on the engine's clock
}

// Clients asks each loop for its connections. Any goroutine but a loop's.
func (e *Engine) Clients(ctx context.Context) ([]ClientStatus, error) {
	answers := make(chan []ClientStatus, len(e.loops))
	for _, l := range e.loops {
		l.post(func() { answers <- l.clients() })
	}
	var all []ClientStatus
	for range e.loops {
		select {
		case part := <-answers:
			all = append(all, part...)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return all, nil
}

func (l *loop) clients() []ClientStatus {
	all := make([]ClientStatus, 0, len(l.conns))
	for _, c := range l.conns {
		all = append(all, c.status())
	}
	return all
}

func (c *conn) status() ClientStatus {
	s := ClientStatus{
		ID: c.idString(), Protocol: string(c.protocol), RemoteAddr: c.remote(),
		TLS:     c.tls != nil || c.whole != nil,
		BytesIn: c.bytesIn, BytesOut: c.bytesOut,
		Since: c.since,
	}
	if c.blocked {
		s.SocketQueue = socketQueue(c.fd)
	}
	c.handler.describe(&s)
	if c.waits {
		s.Role, s.App, s.Name = RoleWaiting, c.waitsFor.App, c.waitsFor.Name
	}
	if v := c.viewer; v != nil {
		s.Role, s.Protocol, s.UserAgent = RolePlayer, c.watchedBy(), v.userAgent
		s.App, s.Name = v.cursor.Stream.Key.App, v.cursor.Stream.Key.Name
		s.LagMS = v.cursor.Lag(c.loop.now()) / 1e6
		s.Dropped = v.cursor.Dropped
	}
	return s
}

// watchedBy is the connection's protocol as viewers are counted by it.
func (c *conn) watchedBy() string {
	if c.viewer != nil {
		return stream.Protocols[c.viewer.group.key.protocol()]
	}
	return string(c.protocol)
}

// Kick ends the connection with an ID for reason, and reports whether there
// was one. Any goroutine but a loop's.
func (e *Engine) Kick(ctx context.Context, id, reason string) (bool, error) {
	return e.with(ctx, id, func(c *conn) bool {
		c.kick(reason)
		return true
	})
}

// with has f run for the connection with an ID, on its loop, and returns what
// f said; false if there is no such connection. Any goroutine but a loop's.
func (e *Engine) with(ctx context.Context, id string, f func(*conn) bool) (bool, error) {
	index, rest, ok := strings.Cut(id, "-")
	i, err1 := strconv.Atoi(index)
	n, err2 := strconv.ParseUint(rest, 10, 64)
	if !ok || err1 != nil || err2 != nil || i < 0 || i >= len(e.loops) {
		return false, nil
	}
	l := e.loops[i]
	answer := make(chan bool, 1)
	l.post(func() {
		found := false
		if c := l.conns[n]; c != nil {
			l.guard(c, func() { found = f(c) })
		}
		answer <- found
	})
	select {
	case found := <-answer:
		return found, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// kick ends the connection with a good-bye that tells the reason.
func (c *conn) kick(reason string) {
	c.because(causeKicked, reason)
	if k, ok := c.handler.(interface{ kick(string) }); ok {
		k.kick(reason)
		return
	}
	if c.viewer != nil {
		c.loop.end(c.viewer, reason)
		return
	}
	c.finish(causeKicked, reason)
}
