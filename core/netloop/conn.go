package netloop

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/stream"
)

// protocol is what a listener speaks.
type protocol string

const (
	protocolRTMP protocol = "rtmp"
	protocolHTTP protocol = "http"
)

// conn is one connection. All of it belongs to its loop's goroutine, but for
// what is set before it is enrolled.
type conn struct {
	// What each read and write touches comes first: with thousands of
	// connections it has left the caches since the last one.
	loop *loop
	tls  *tlsLayer // nil: plain
	fd   int
	// out are bytes of the connection's own (replies, headers), sent when
	// the viewer, if it is one, is at a frame boundary.
	out               []byte
	progress          int64 // when the socket last took bytes, ns
	bytesIn, bytesOut uint64
	handler           handler
	gc                gnet.Conn
	viewer            *viewer
	// inCallback: gnet closes it when the callback returns. finishing: it is
	// shut down once out is empty. dead: nothing may be done with it.
	// lent: net/http has it now.
	// asking: a verdict about it is awaited.
	inCallback, finishing, dead, lent, asking bool
	// blocked: the socket is full. hungry: it is so for want of kernel memory,
	// of which nobody tells. armed: the drain epoll knows it.
	blocked, hungry, armed bool
	cause                  cause       // of reason, for the metrics
	opens                  atomic.Bool // the loop has it
	// deadline is the handler's; bounds, nil for none, have one of their own.
	deadline int64
	bounds   *bounds

	engine   *Engine
	id       uint64
	protocol protocol
	via      netip.AddrPort // who it comes from, after PROXY protocol
	peer     netip.AddrPort // the client: via, or whom a trusted proxy names
	ticket   ticket
	prefix   []byte // read before it came to the loop

	tap   *tap
	timer timer
	since int64 // ns

	// body follows out: an object that is sent from the store's memory.
	body *body
	// rest is how much of out is left of a frame: its start went out already.
	rest int
	// blockedAt is its place in the loop's list of those that are blocked.
	blockedAt int
	slot      slot
	queue     int // bytes that the kernel held when we last looked

	// waits is the stream whose publisher it waits for; nil: for none.
	waits *stream.Key

	reason string // why it ends, for people; the first one counts
	// whole, of a tunnel, is set once all was sent that is to be.
	whole *atomic.Bool
	// rate, of a tunnel, is what its far end keeps to: its own socket is not
	// the client's.
	rate *atomic.Int64
}

// userTimeoutMargin is how much longer the kernel waits for a silent peer than
// we do.
const userTimeoutMargin = 10 * time.Second

// handler is a protocol's side of a connection; loop goroutine only.
type handler interface {
	// open is called once the connection is on its loop.
	open()
	// data takes what was read; b is valid during the call.
	data(b []byte)
	// timeout is called when the connection's deadline has passed.
	timeout(now int64)
	// drain asks for a good-bye: the server is going down.
	drain()
	// closed is called at the end.
	closed()
	// describe fills in what the API tells of the connection.
	describe(*ClientStatus)
}

func newConn(e *Engine, p protocol, t ticket) *conn {
	return &conn{engine: e, id: e.nextID.Add(1), protocol: p, ticket: t}
}

// opened is called when gnet has put the connection on its loop.
func (c *conn) opened(gc gnet.Conn) gnet.Action {
	c.opens.Store(true)
	c.loop.doze.coming.Add(-1)
	c.gc, c.fd = gc, gc.Fd()
	c.since = c.loop.now()
	c.progress = c.since
	c.loop.conns[c.id] = c
	if stall := c.engine.Settings().Viewers.StallTimeout; stall > 0 {
		// It ends peers with a closed window too, so our own policy, which
		// says why, must come first.
		tcpOption(c.fd, unix.TCP_USER_TIMEOUT, int((stall+userTimeoutMargin)/time.Millisecond))
	}
	c.loop.stats.conns.Add(1)
	return c.callback(func() {
		c.handler.open()
		if c.tls != nil {
			c.loop.sealer.init()
		}
		if prefix := c.prefix; len(prefix) > 0 && !c.dead {
			c.prefix = nil
			c.receive(prefix)
		}
		if c.tls != nil && !c.dead {
			c.receiveTLS(nil) // what came right behind the handshake
		}
		if c.engine.draining.Load() && c.viewer == nil && !c.dead {
			c.handler.drain() // the others were told before it came
		}
	})
}

// traffic is called when gnet has read bytes.
func (c *conn) traffic() gnet.Action {
	action := c.callback(func() {
		b, _ := c.gc.Next(-1)
		c.taken(b)
	})
	if l := c.loop; action == gnet.None && l.ticking.Load() && !l.gathering.on {
		c.inCallback = true
		l.dozeOff(c)
		c.inCallback = false
		if c.dead {
			return gnet.Close
		}
	}
	return action
}

// taken takes what was read from the socket.
func (c *conn) taken(b []byte) {
	switch {
	case len(b) == 0 || c.dead:
	case c.tls != nil:
		c.receiveTLS(b)
	default:
		c.receive(b)
	}
}

func (c *conn) receive(b []byte) {
	c.bytesIn += uint64(len(b))
	if _, ok := c.handler.(*linger); c.finishing && !ok {
		return // it was told good-bye, nothing may come behind that
	}
	c.handler.data(b)
}

// callback runs f as part of a gnet callback. Closing is left to gnet then.
func (c *conn) callback(f func()) gnet.Action {
	begin := c.loop.now()
	c.inCallback = true
	c.loop.guard(c, f)
	c.inCallback = false
	c.loop.stats.busy.Add(uint64(c.loop.now() - begin))
	if c.dead {
		return gnet.Close
	}
	return gnet.None
}

// kill closes the connection at once, for reason.
func (c *conn) kill(why cause, reason string) {
	if c.dead {
		return
	}
	c.because(why, reason)
	c.dead = true
	if c.gc != nil && !c.inCallback {
		_ = c.loop.el.Close(c.gc)
	}
}

// because notes why the connection ends, unless that is known already.
func (c *conn) because(why cause, reason string) {
	if c.reason == "" {
		c.cause, c.reason = why, reason
	}
}

// tell logs why a connection that is neither a publisher nor a viewer ends by
// our doing; of those a line of their own says it.
func (c *conn) tell(level slog.Level, what, reason string) {
	if c.engine.log.Enabled(context.Background(), level) {
		c.engine.log.Log(context.Background(), level, what, c.attrs(slog.String(event.Reason, reason))...)
	}
}

// over ends a connection whose peer passed a limit.
func (c *conn) over(why cause, reason string) {
	if c.viewer == nil && c.tap == nil {
		c.tell(slog.LevelInfo, "connection closed: over a limit", reason)
	}
	c.kill(why, reason)
}

// closed is called when gnet closes the connection, whoever wanted that.
func (c *conn) closed(err error) {
	l := c.loop
	if err != nil {
		c.because(causePeer, "connection closed by peer")
	}
	c.because(causeServer, shuttingDown)
	c.dead = true
	c.unwait()
	l.guard(nil, c.handler.closed)
	if v := c.viewer; v != nil {
		c.engine.viewerStopped(v, c.reason)
		l.detach(v)
	}
	c.tellClose()
	delete(l.stalls, c)
	l.unblock(c)
	l.release(c)
	l.wheel.remove(c)
	delete(l.conns, c.id)
	l.stats.conns.Add(-1)
	l.load.Add(-1)
	c.engine.gate.leave(c.ticket)
	if !c.lent {
		c.engine.totals.closed(c.protocol, c.cause)
	}
}

// send queues bytes of the connection's own and sends what can be sent. A
// viewer's go out at its next frame boundary.
func (c *conn) send(b []byte) {
	if c.dead || len(b) == 0 {
		return
	}
	if limit := c.engine.Settings().Limits.ConnectionBuffer; len(c.out)-c.rest+len(b) > limit {
		c.over(causeStalled, fmt.Sprintf("peer does not read: more than %d bytes of replies wait (limits.connection_buffer)", limit))
		return
	}
	c.out = append(c.out, b...)
	c.flush()
}

// flush sends what waits, as far as the socket takes it.
func (c *conn) flush() {
	if c.dead || c.blocked {
		return
	}
	if c.tap != nil {
		c.loop.visitTap(c.tap)
		return
	}
	if c.viewer != nil {
		c.loop.enqueue(c.viewer)
		c.loop.rearm()
		return
	}
	if !c.unsealed() || c.body != nil && !c.flushBody() {
		return
	}
	for len(c.out) > 0 {
		n, errno := c.write(c.out)
		c.bytesOut += uint64(n)
		c.sent(n)
		if c.stuck(errno) {
			return
		}
	}
	if c.finishing {
		c.shutdown()
	} else if h, ok := c.handler.(*httpConn); ok && h.leaving {
		h.handOff()
	}
}

// write sends b, or n bytes of it and says why it did not send more.
func (c *conn) write(b []byte) (n int, errno unix.Errno) {
	if c.tls != nil {
		return c.seal(b)
	}
	rest, errno := c.writeAll(b)
	return len(b) - len(rest), errno
}

// writeVec is write for iovecs, by one call; those of b, if they are all.
func (c *conn) writeVec(iov []unix.Iovec, bytes int, b *batch, now int64) (n int, errno unix.Errno) {
	if c.tls != nil {
		return c.sealVec(iov, b)
	}
	n, errno = c.loop.writev(c.fd, iov)
	if n > 0 {
		c.progress = now
	}
	if errno == 0 && n < bytes {
		errno = unix.EAGAIN
	}
	return n, errno
}

// writeAll writes b until there is an error, and returns what is left.
func (c *conn) writeAll(b []byte) (rest []byte, errno unix.Errno) {
	for len(b) > 0 {
		n, errno := write(c.fd, b)
		if errno != 0 {
			return b, errno
		}
		c.progress = c.loop.now()
		b = b[n:]
	}
	return nil, 0
}

// stuck sees to a write that did not send all, for errno, and reports whether
// that was so: c waits for its socket, or has come to its end.
func (c *conn) stuck(errno unix.Errno) bool {
	switch errno {
	case 0:
		return false
	case unix.EAGAIN:
		c.loop.block(c)
	case unix.ENOBUFS, unix.ENOMEM:
		c.loop.blockUntilScan(c)
	default:
		c.kill(causePeer, reasonOf(errno))
	}
	return true
}

// unsent reports whether the socket has not taken yet all that is to go.
func (c *conn) unsent() bool {
	return len(c.out) > 0 || c.body != nil || c.tls != nil && len(c.tls.sealed) > 0
}

// sent drops the first n bytes of out and returns n.
func (c *conn) sent(n int) int {
	c.out = c.out[n:]
	c.rest = max(c.rest-n, 0)
	if len(c.out) == 0 {
		c.out = nil
	}
	return n
}

// finish ends the connection for reason once out was sent: a close with
// unread input would reset it, and the peer would lose our last words.
func (c *conn) finish(why cause, reason string) {
	if c.dead || c.finishing {
		return
	}
	c.because(why, reason)
	c.unwait()
	if h, ok := c.handler.(*httpConn); ok {
		h.unpark()
	}
	if c.viewer != nil {
		c.loop.leave(c.viewer, reason)
	}
	c.finishing = true
	c.setDeadline(c.loop.now() + int64(c.engine.Settings().Viewers.StallTimeout))
	c.flush()
}

// shutdown closes our side and lets the peer's input run dry.
func (c *conn) shutdown() {
	if _, ok := c.handler.(*linger); ok || !c.saidGoodbye() {
		return
	}
	if c.whole != nil {
		c.whole.Store(true)
	}
	_ = unix.Shutdown(c.fd, unix.SHUT_WR)
	c.handler = &linger{conn: c, ended: c.handler}
	c.setDeadline(c.loop.now() + int64(lingerTime))
}

// setDeadline has the handler's timeout called at deadline (ns); 0: never.
func (c *conn) setDeadline(deadline int64) {
	c.deadline = deadline
	if b := c.bounds; b != nil && b.until != 0 && (deadline == 0 || b.until < deadline) {
		deadline = b.until
	}
	c.loop.wheel.set(c, deadline, c.loop.now())
	c.loop.rearm()
}

// idString is the connection's name in API and log.
func (c *conn) idString() string { return fmt.Sprintf("%d-%d", c.loop.index, c.id) }
