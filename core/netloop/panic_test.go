package netloop

import (
	"testing"

	"github.com/millrace/millrace/core/stream"
)

// bomb is a player or handler that panics when it is told to.
type bomb struct {
	httpConn
	on string
}

func (b *bomb) data(p []byte) {
	b.explode("data")
	b.httpConn.data(p)
}

func (b *bomb) timeout(now int64) {
	b.explode("timeout")
	b.httpConn.timeout(now)
}

func (b *bomb) closed() {
	b.explode("closed")
	b.httpConn.closed()
}

func (b *bomb) greet(dst []byte, audio, video bool) []byte {
	b.explode("greet")
	return b.httpConn.greet(dst, audio, video)
}

func (b *bomb) farewell(dst []byte, reason string) []byte {
	b.explode("farewell")
	return b.httpConn.farewell(dst, reason)
}

func (b *bomb) serve(s *stream.Stream) {
	b.explode("serve")
	b.httpConn.serve(s)
}

func (b *bomb) explode(on string) {
	if b.on == on {
		panic("a bug on " + on)
	}
}

// TestPanicsEndOneConnection has a handler panic wherever it is called: its
// connection ends, the others go on.
func TestPanicsEndOneConnection(t *testing.T) {
	t.Parallel()
	for _, on := range []string{"data", "timeout", "closed", "greet", "farewell"} {
		t.Run(on, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, loops(1))
			r.log.panicsWanted = 1
			l := r.engine.loops[0]
			f := r.start("live/a")
			good := r.watch(chunked, manner{}, "live/a")
			good.waitLast(f)
			bad := r.publish("live/b")

			c := dial(t, r.http.Addr(), 0)
			r.waitConns(2)
			r.arm(l, c.LocalAddr().String(), on)
			if on != "timeout" {
				c.Write([]byte(chunked.request("live/b")))
			}
			switch on {
			case "timeout":
				r.on(l, func() {
					for _, x := range l.conns {
						if _, ok := x.handler.(*bomb); ok {
							x.setDeadline(l.now() + 1)
						}
					}
				})
			case "greet":
				r.armPlayer(l)
				bad.headers(1)
				bad.gop(1, 10)
			case "farewell":
				r.armPlayer(l)
				bad.end()
			case "closed":
				r.waitViewers(2)
				c.Close()
			}
			eventually(t, "it has gone off", func() bool { return r.engine.Stats().Panics == 1 })
			r.waitConns(1)
			r.waitViewers(1)
			f.gop(3, 100)
			good.waitLast(f)
			f.check(t, good.got(), wantsBoth, false)
			r.counted(0, 1)
		})
	}
}

// arm puts a bomb into the connection from addr.
func (r *rig) arm(l *loop, addr, on string) {
	r.on(l, func() {
		for _, c := range l.conns {
			if h, ok := c.handler.(*httpConn); ok && c.peer.String() == addr {
				c.handler = &bomb{httpConn: *h, on: on}
			}
		}
	})
}

// armPlayer has the bomb be its viewer's player too.
func (r *rig) armPlayer(l *loop) {
	r.waitViewers(2)
	r.on(l, func() {
		for _, c := range l.conns {
			if b, ok := c.handler.(*bomb); ok {
				c.viewer.player = b
			}
		}
	})
}
