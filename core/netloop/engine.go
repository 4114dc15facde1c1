// Package netloop runs the event loops that own every live connection: it
// accepts, reads, parses with the protocol packages, and writes frames from
// the streams' rings to their viewers. It is the only importer of gnet.
//
// A connection belongs to one loop and everything about it happens on that
// loop's goroutine. Nothing on a loop blocks.
package netloop

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/object"
	"github.com/millrace/millrace/core/stream"
)

// Options say what an engine needs from its owner.
type Options struct {
	Logger *slog.Logger
	// Loops is the number of event loops; 0 is one per CPU.
	Loops int
	// ChunkSize is the size of the RTMP chunks that we send, in bytes.
	ChunkSize int
	Streams   *stream.Registry
	Settings  Settings
	// HTTP takes each HTTP connection whose request is not for a live URL,
	// with the bytes read so far. It must not block.
	HTTP func(c net.Conn, prefix []byte, remote net.Addr) error
	// Objects are served from memory below the reserved first segments; nil:
	// there are none.
	Objects *object.Store
	// Grant says what the holder of a plugin's token may have; false: it is no
	// token. It may be called on any goroutine and must not block. nil: none.
	Grant func(token string) (Grant, bool)
	// PluginHTTP takes each connection of a plugin whose request is not for a
	// live URL, with the bytes read so far. It must not block.
	PluginHTTP func(c net.Conn, prefix []byte) error
	// Events takes the notices of viewers and connections; nil: nobody does.
	Events Events
	// Decider is asked about peers; nil: everybody may do everything.
	Decider event.Decider
	// HTTP2 takes each connection that agreed on HTTP/2, after its TLS
	// handshake; nil: HTTP/2 is not offered. It must not block.
	HTTP2 func(*tls.Conn) error
	// TLS is the configuration of listeners with TLS, which offer protocols by
	// ALPN; nil: there is none.
	TLS func(protocols ...string) *tls.Config
	// Reserved reports whether a first path segment can be no app; nil: none.
	Reserved func(first string) bool
}

// Engine is a set of event loops and the listeners that feed them.
type Engine struct {
	gnet.BuiltinEventEngine
	options  Options
	log      *slog.Logger
	settings atomic.Pointer[Settings]
	client   *gnet.Client
	loops    []*loop
	seeds    []net.Conn // keep each loop's seed connection alive
	start    time.Time
	nextID   atomic.Uint64
	gate     gatekeeper
	shakes   handshakes
	draining atomic.Bool
	totals   totals
}

// New starts the loops. Listeners are added with Listen.
func New(o Options) (*Engine, error) {
	e := &Engine{options: o, log: o.Logger, start: time.Now()}
	e.settings.Store(&o.Settings)
	e.gate.init(e)
	e.shakes.init()
	client, err := gnet.NewClient(e,
		gnet.WithNumEventLoop(o.Loops),
		gnet.WithMulticore(true),
		gnet.WithLogger(gnetLogger{o.Logger}))
	if err != nil {
		return nil, fmt.Errorf("create event loops: %w", err)
	}
	e.client = client
	if err := client.Start(); err != nil {
		return nil, fmt.Errorf("start event loops: %w", err)
	}
	if err := e.seed(); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// Now is the engine's monotonic clock, in ns.
func (e *Engine) Now() int64 { return int64(time.Since(e.start)) }

// Settings are the settings in force. The caller must not change them.
func (e *Engine) Settings() *Settings { return e.settings.Load() }

// SetSettings puts settings in force, from the next use of each on.
func (e *Engine) SetSettings(s Settings) { e.settings.Store(&s) }

// seed finds out the loops, which gnet does not list: it enrolls one end of a
// socket pair at a time, each onto the loop with the fewest connections.
func (e *Engine) seed() error {
	found := make(chan gnet.EventLoop)
	for {
		c, err := socketPair()
		if err != nil {
			return fmt.Errorf("seed event loops: %w", err)
		}
		e.seeds = append(e.seeds, c.keep)
		if _, err := e.client.EnrollContext(c.enroll, seedConn{found}); err != nil {
			return fmt.Errorf("seed event loops: %w", err)
		}
		el := <-found
		for _, l := range e.loops {
			if l.el == el {
				return nil
			}
		}
		l, err := newLoop(e, len(e.loops), el)
		if err != nil {
			return err
		}
		e.loops = append(e.loops, l)
	}
}

// seedConn is the context of a seed connection.
type seedConn struct{ found chan gnet.EventLoop }

type pair struct{ keep, enroll net.Conn }

func socketPair() (pair, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return pair{}, err
	}
	var conns [2]net.Conn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "seed")
		conns[i], err = net.FileConn(f)
		f.Close()
		if err != nil {
			return pair{}, err
		}
	}
	return pair{conns[0], conns[1]}, nil
}

// OnOpen is gnet's; it runs on the connection's loop.
func (e *Engine) OnOpen(gc gnet.Conn) ([]byte, gnet.Action) {
	switch c := gc.Context().(type) {
	case seedConn:
		go func() { c.found <- gc.EventLoop() }()
	case *conn:
		return nil, c.opened(gc)
	}
	return nil, gnet.None
}

// OnTraffic is gnet's; it runs on the connection's loop.
func (e *Engine) OnTraffic(gc gnet.Conn) gnet.Action {
	switch c := gc.Context().(type) {
	case *conn:
		return c.traffic()
	case *loop:
		_, _ = gc.Discard(-1)
		c.run(c.onClock)
		c.dozeOff(nil)
	default:
		_, _ = gc.Discard(-1)
	}
	return gnet.None
}

// OnClose is gnet's; it runs on the connection's loop.
func (e *Engine) OnClose(gc gnet.Conn, err error) gnet.Action {
	if c, ok := gc.Context().(*conn); ok {
		c.closed(err)
	}
	return gnet.None
}

// least returns the loop with the fewest connections.
func (e *Engine) least() *loop {
	best := e.loops[0]
	for _, l := range e.loops[1:] {
		if l.load.Load() < best.load.Load() {
			best = l
		}
	}
	return best
}

// enroll hands an accepted connection to a loop; prefix is what was read of
// it already. The engine owns nc from then on.
func (e *Engine) enroll(nc net.Conn, c *conn) {
	l := e.least()
	l.load.Add(1)
	l.doze.coming.Add(1)
	c.loop = l
	results, err := l.el.Enroll(gnet.NewContext(context.Background(), c), nc)
	if err != nil {
		nc.Close()
		e.enrollFailed(c, err)
		return
	}
	go func() {
		switch r, ok := <-results; {
		case ok && r.Err != nil:
			e.enrollFailed(c, r.Err)
		case !c.opens.Load(): // gnet does not say that its epoll refused it
			e.enrollFailed(c, errNotOpened)
		}
	}()
}

var errNotOpened = errors.New("the event loop did not take it")

func (e *Engine) enrollFailed(c *conn, err error) {
	c.loop.load.Add(-1)
	c.loop.doze.coming.Add(-1)
	e.gate.leave(c.ticket)
	e.totals.closed(c.protocol, causeServer)
	e.log.Warn("connection was not taken", "remote_addr", c.peer.String(), "reason", err.Error())
}

// StreamStarted serves those who wait for k. It may be called from any
// goroutine.
func (e *Engine) StreamStarted(k stream.Key) {
	for _, l := range e.loops {
		l.post(func() { l.waiting.serve(k) })
	}
}

// Return takes a connection back from net/http whose next request, at the
// start of prefix, is for a live URL.
func (e *Engine) Return(nc net.Conn, prefix []byte, remote net.Addr) error {
	loaned, ok := nc.(*loanedConn)
	if !ok {
		return fmt.Errorf("return connection: %T is none of ours", nc)
	}
	c := newConn(e, protocolHTTP, loaned.ticket)
	c.peer, c.via = loaned.peer, loaned.peer
	c.prefix = prefix
	c.handler = &httpConn{conn: c, connected: loaned.connected}
	c.bounds, c.bytesIn, c.bytesOut = loaned.bounds, loaned.in.Load(), loaned.out.Load()
	loaned.stay()
	if s := loaned.secure; s != nil {
		s.Detach()
		c.tls = &tlsLayer{Conn: s}
	}
	loaned.returned.Store(true)
	e.enroll(loaned.tcp, c)
	return nil
}

// Close stops the loops at once. Connections are closed as they are.
func (e *Engine) Close() error {
	e.shakes.close()
	err := e.client.Stop()
	for _, c := range e.seeds {
		c.Close()
	}
	for _, l := range e.loops {
		l.close()
	}
	e.gate.close()
	return err
}

// Drain ends all streams: publishers are told, viewers get what is left and
// their protocol's good-bye. It returns when all connections are gone, or ctx
// is done.
func (e *Engine) Drain(ctx context.Context) error {
	e.draining.Store(true)
	e.options.Streams.Each(func(s *stream.Stream) bool {
		s.Kick(shuttingDown)
		return true
	})
	for _, l := range e.loops {
		l.post(l.drainAll)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		var n int64
		for _, l := range e.loops {
			n += l.load.Load()
		}
		if n == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("drain %d connections: %w", n, ctx.Err())
		case <-tick.C:
		}
	}
}

// shuttingDown is the reason that peers and the log are given.
const shuttingDown = "server is shutting down"

// addrPort is the address of a TCP peer; the zero value for any other.
func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		ap := t.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}
