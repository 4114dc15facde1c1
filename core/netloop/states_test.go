package netloop

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/object"
	"github.com/millrace/millrace/core/stream"
)

// meeting is one connection in some state, and what may happen to it there.
type meeting struct {
	*rig
	t     *testing.T
	conn  net.Conn
	ln    *Listener // for plugins
	store *object.Store
	feed  *feed
	judge *judge
	lent  *borrower
	// decide has those verdicts come that are awaited.
	decide func()
}

func newMeeting(t *testing.T) *meeting {
	wait := make(chan struct{})
	m := &meeting{t: t, lent: &borrower{hold: true}, decide: sync.OnceFunc(func() { close(wait) })}
	m.judge = rule(event.Play, func(e event.Event) event.Verdict {
		if e.Name == "asked" {
			<-wait
			return event.Verdict{Allow: true, Stream: "live/a"}
		}
		return event.Verdict{Allow: true}
	})
	m.rig, m.store = objectRig(t, withPlugins, m.judge.with(), func(o *Options, _ *stream.Options) { o.HTTP = m.lent.take })
	m.ln = m.plugins()
	m.feed = m.start("live/a")
	m.put(0)
	store(t, m.store, object.Put{Path: "hls/a/1.ts", Body: make([]byte, 8<<20)})
	return m
}

func (m *meeting) put(parts int) {
	store(m.t, m.store, object.Put{Path: "hls/a/index.m3u8", Body: playlist(3, parts), Blocking: true})
}

// ask sends a request by a connection that takes little.
func (m *meeting) ask(target, version string) {
	m.conn = dial(m.t, m.http.Addr(), 4096)
	fmt.Fprintf(m.conn, "GET %s HTTP/%s\r\nHost: h\r\n\r\n", target, version)
}

func (m *meeting) until(what string, f func(*loop) bool) {
	m.t.Helper()
	eventually(m.t, what, func() (ok bool) {
		for _, l := range m.engine.loops {
			m.on(l, func() { ok = ok || f(l) })
		}
		return ok
	})
}

func (m *meeting) full() {
	m.until("the socket is full", func(l *loop) bool { return len(l.fanout.blocked) > 0 })
}

func (m *meeting) large() {
	for range 4 {
		m.feed.key(1 << 20)
		m.feed.pub.Stream.Wake()
	}
}

func (m *meeting) wait(n int64) {
	eventually(m.t, "it waits", func() bool { return m.engine.Stats().Waiting == n })
}

// states are how a connection comes to be in each.
var states = []struct {
	name  string
	plain bool // net/http has it over TLS
	reach func(*meeting)
}{
	{"half a head", false, func(m *meeting) {
		m.conn = dial(m.t, m.http.Addr(), 0)
		io.WriteString(m.conn, "GET /live/a.flv HT")
		m.until("it came", func(l *loop) bool { return len(l.conns) > 0 })
	}},
	{"handshake of RTMP", false, func(m *meeting) {
		m.conn = dial(m.t, m.rtmp.Addr(), 0)
		m.conn.Write(append([]byte{3}, make([]byte, 700)...))
		m.until("it came", func(l *loop) bool { return len(l.conns) > 0 })
	}},
	{"asking", false, func(m *meeting) {
		m.ask("/live/asked.flv", "1.1")
		eventually(m.t, "it was asked", func() bool { return len(m.judge.asked(event.Play)) == 1 })
	}},
	{"waiting", false, func(m *meeting) { m.ask("/live/b.flv", "1.1"); m.wait(1) }},
	{"parked", true, func(m *meeting) { m.ask("/hls/a/index.m3u8?_HLS_msn=3&_HLS_part=0", "1.1"); m.wait(1) }},
	{"parked, with more behind", true, func(m *meeting) {
		m.ask("/hls/a/index.m3u8?_HLS_msn=3&_HLS_part=0", "1.1")
		io.WriteString(m.conn, chunked.request("live/a")+chunked.request("live/b"))
		m.wait(1)
	}},
	{"body", true, func(m *meeting) { m.ask("/hls/a/1.ts", "1.1"); m.full() }},
	{"last body", true, func(m *meeting) { m.ask("/hls/a/1.ts", "1.0"); m.full() }},
	{"viewer", false, func(m *meeting) { m.ask("/live/a.flv", "1.1"); m.waitViewers(1) }},
	{"slow viewer", false, func(m *meeting) { m.ask("/live/a.flv", "1.1"); m.waitViewers(1); m.large(); m.full() }},
	{"slow WebSocket", false, func(m *meeting) {
		m.conn = dial(m.t, m.http.Addr(), 4096)
		io.WriteString(m.conn, socket.request("live/a"))
		m.waitViewers(1)
		m.large()
		m.full()
	}},
	{"lent", false, func(m *meeting) {
		m.ask("/page.html", "1.1")
		eventually(m.t, "net/http has it", func() bool { return m.lent.holds(1) })
	}},
	{"lingering", false, func(m *meeting) {
		m.ask("/live/none.flv?wait=0", "1.0")
		m.until("it lingers", func(l *loop) bool {
			for _, c := range l.conns {
				if _, ok := c.handler.(*linger); ok {
					return true
				}
			}
			return false
		})
	}},
	{"plugin", true, func(m *meeting) { m.conn = m.tap(m.ln, "/live/a.flv?merge=10ms").conn }},
	{"slow plugin", true, func(m *meeting) { m.conn = m.tap(m.ln, "/live/a.flv?merge=0s&lag=64MiB").conn; m.large(); m.full() }},
}

// happenings are what may come then. The connection is read to its end
// afterwards, if it has one, and closed.
var happenings = []struct {
	name string
	ends bool // by itself
	come func(*meeting)
}{
	{"close", false, func(m *meeting) {}},
	{"reset", false, func(m *meeting) {
		if c, ok := m.conn.(interface{ SetLinger(int) error }); ok {
			c.SetLinger(0)
		}
	}},
	{"input", false, func(m *meeting) {
		m.conn.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		m.conn.Write(bytes.Repeat([]byte("POST / HTTP/1.1\r\n"), 3<<20/17))
	}},
	{"kick", true, func(m *meeting) {
		for _, c := range m.clients() {
			if _, err := m.engine.Kick(m.t.Context(), c.ID, "for the test"); err != nil {
				m.t.Error(err)
			}
		}
	}},
	{"end of the stream", false, func(m *meeting) { m.feed.end() }},
	{"publisher", false, func(m *meeting) { m.start("live/b").gop(3, 100) }},
	{"verdict", false, func(m *meeting) { m.decide() }},
	{"object", false, func(m *meeting) { m.put(1) }},
	{"object goes", false, func(m *meeting) {
		_, _ = m.store.Delete("p", "hls/a/index.m3u8")
		_, _ = m.store.Delete("p", "hls/a/1.ts")
	}},
	{"all at once", false, func(m *meeting) {
		m.decide()
		m.put(1)
		m.start("live/b").gop(3, 100)
		m.feed.end()
		for _, c := range m.clients() {
			_, _ = m.engine.Kick(m.t.Context(), c.ID, "for the test")
		}
	}},
	{"panic", true, func(m *meeting) {
		m.log.panicsWanted = 1
		for _, l := range m.engine.loops {
			for _, c := range l.all(m.rig) {
				m.on(l, func() { l.guard(c, func() { panic("for the test") }) })
			}
		}
	}},
	{"time is over", true, func(m *meeting) {
		for _, l := range m.engine.loops {
			for _, c := range l.all(m.rig) {
				m.on(l, func() { c.endIn(1, "for the test") })
			}
		}
	}},
	{"kernel has no memory", false, func(m *meeting) {
		set := func(f func(int, []unix.Iovec) (int, unix.Errno)) {
			for _, l := range m.engine.loops {
				m.on(l, func() { l.writev = f })
			}
		}
		set(func(int, []unix.Iovec) (int, unix.Errno) { return 0, unix.ENOBUFS })
		m.decide()
		m.put(1)
		m.feed.gop(3, 100)
		set(writev)
	}},
	{"reload", false, func(m *meeting) {
		m.change(func(s *Settings) {
			s.ObjectsByHTTP, s.Limits.ConnectionBuffer, s.Limits.Waiting = func() bool { return true }, 100, 0
			s.Viewers.StallTimeout, s.Viewers.MergeWindow, s.Viewers.MaxLag = time.Millisecond, time.Millisecond, time.Millisecond
		})
		m.decide()
		m.put(1)
		m.feed.gop(3, 100)
		io.WriteString(m.conn, chunked.request("live/a"))
	}},
	{"shutdown", true, func(m *meeting) {
		go func() { _, _ = io.Copy(io.Discard, m.conn) }()
		if m.lent.holds(1) {
			m.lent.release(0)
		}
		m.feed.end() // what Drain does to a stream is not what this is about
		ctx, cancel := context.WithTimeout(m.t.Context(), patience)
		defer cancel()
		if err := m.engine.Drain(ctx); err != nil {
			m.t.Error(err)
		}
	}},
}

// all are the connections of l.
func (l *loop) all(r *rig) (all []*conn) {
	r.on(l, func() {
		for _, c := range l.conns {
			all = append(all, c)
		}
	})
	return all
}

// TestAnythingAnytime has everything happen in every state. In the end nothing
// is left of the connection.
func TestAnythingAnytime(t *testing.T) {
	t.Parallel()
	for _, s := range states {
		for _, h := range happenings {
			for _, layer := range []string{"", overTLS} {
				if layer != "" && s.plain {
					continue
				}
				t.Run(s.name+", "+h.name+layer, func(t *testing.T) {
					t.Parallel()
					m := newMeeting(t)
					s.reach(m)
					h.come(m)
					if h.ends && !m.lent.holds(1) {
						m.conn.SetReadDeadline(time.Now().Add(patience))
						if _, err := io.Copy(io.Discard, m.conn); err != nil && strings.Contains(err.Error(), "timeout") {
							t.Error("it does not end")
						}
					}
					m.conn.Close()
					m.decide()
					m.leftNothing()
				})
			}
		}
	}
}

// leftNothing wants all that a connection had given back.
func (m *meeting) leftNothing() {
	m.t.Helper()
	if m.lent.holds(1) {
		m.lent.release(0)
	}
	m.waitConns(0)
	eventually(m.t, "all is given back", func() bool {
		s := m.engine.Stats()
		return s.OpenRTMP == 0 && s.OpenHTTP == 0 && s.Waiting == 0 && s.Taps == 0 && m.engine.gate.open.Load() == 0
	})
	for _, l := range m.engine.loops {
		m.on(l, func() {
			for name, n := range map[string]int{
				"timers": l.wheel.count, "full sockets": len(l.fanout.blocked), "subs": len(l.subs),
				"slots": len(l.slots.gens) - len(l.slots.free), "waiters": len(l.waiting.by), "parked": len(l.objects.by),
				"connections": len(l.conns), "load": int(l.load.Load()), "viewers": int(l.stats.viewers.Load()),
			} {
				if n != 0 {
					m.t.Errorf("%d %s are left", n, name)
				}
			}
		})
	}
}
