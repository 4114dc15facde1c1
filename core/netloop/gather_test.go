package netloop

import (
	"strings"
	"testing"
	"time"
)

// TestGatheringCounts has messages come at steady rates: only thousands
// a second turn it on, and far fewer turn it off.
func TestGatheringCounts(t *testing.T) {
	t.Parallel()
	var g gathering
	g.init()
	now := int64(0)
	for _, step := range []struct {
		rate int64
		on   bool
	}{{68, false}, {3000, false}, {5000, true}, {2500, true}, {500, false}, {34_000, true}} {
		for end := now + int64(time.Second); now < end; now += int64(time.Second) / step.rate {
			g.count(1, now)
		}
		if g.on != step.on {
			t.Errorf("%d messages a second: on is %v", step.rate, g.on)
		}
	}
}

// gathers has the loops of r read their publishers in turn, however few they
// are, and returns the one that has the publisher.
func (r *rig) gathers() (at *loop) {
	for _, l := range r.engine.loops {
		r.on(l, func() {
			l.gathering.from, l.gathering.until = 0, 0
			l.gathering.on = true
			for _, c := range l.conns {
				if h, ok := c.handler.(*rtmpConn); ok && h.publisher != nil {
					at = l
				}
			}
		})
	}
	return at
}

func (l *loop) members() (n int) {
	for _, slot := range l.gathering.slots {
		n += len(slot)
	}
	return n
}

// TestGather has a publisher read in turn: frames arrive, few and many of
// them, and so does its good-bye, and it is read as it comes when the loop has
// less to do.
func TestGather(t *testing.T) {
	t.Parallel()
	for _, end := range []struct {
		name string
		do   func(*rig, *loop, *tape)
		left bool // it still publishes
	}{
		{"unpublish", func(_ *rig, _ *loop, p *tape) { p.send(command(0, 9, "deleteStream", nil, 1.0)) }, false},
		{"reset", func(_ *rig, _ *loop, p *tape) { p.conn.Close() }, false},
		{"less to do", func(r *rig, l *loop, _ *tape) {
			r.on(l, func() { l.gathering.from, l.gathering.until, l.gathering.since = 1000, 1000, 0 })
		}, true},
	} {
		t.Run(end.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			p := r.publishing("live/a")
			l := r.gathers()
			s := r.streams.Lookup(parseKey("live/a"))
			members := func() (n int) {
				r.on(l, func() { n = l.members() })
				return n
			}
			sent := 0
			audio := func(size int) {
				sent++
				p.sendAll([]unit{plainAudio(uint32(sent), "\xAF\x01"+strings.Repeat("x", size))})
			}
			arrives := func() {
				eventually(t, "all frames arrive", func() bool { return s.Counters().FramesIn.Load() == uint64(sent) })
			}
			audio(600)
			eventually(t, "the publisher is read in turn", func() bool { return members() == 1 })
			for _, size := range []int{600, 10, 2 * gatherMost, 10} {
				audio(size)
				arrives()
			}
			for range 500 {
				audio(700)
			}
			arrives()
			end.do(r, l, p)
			eventually(t, "nobody is left", func() bool { return members() == 0 })
			if !end.left {
				eventually(t, "the stream ends", func() bool { return r.streams.Lookup(parseKey("live/a")) == nil })
				return
			}
			audio(600)
			arrives()
		})
	}
}
