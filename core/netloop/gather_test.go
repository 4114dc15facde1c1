package netloop

import (
	"strings"
	"testing"
	"time"
)

// TestGatheringCounts has reads come at steady rates: only thousands a second
// turn it on, and far fewer turn it off.
func TestGatheringCounts(t *testing.T) {
	t.Parallel()
	var g gathering
	g.init()
	now := int64(0)
	for _, step := range []struct {
		rate int64
		on   bool
	}{{68, false}, {3000, false}, {5000, true}, {2000, true}, {500, false}, {34_000, true}} {
		for end := now + int64(time.Second); now < end; now += int64(time.Second) / step.rate {
			g.count(now)
		}
		if g.on != step.on {
			t.Errorf("%d reads a second: on is %v", step.rate, g.on)
		}
	}
}

// TestGauge measures what comes: not over the hours before it was looked at.
func TestGauge(t *testing.T) {
	t.Parallel()
	const ms = int64(time.Millisecond)
	m := gathered{}
	for _, step := range []struct {
		at     int64 // ms
		total  uint64
		window time.Duration
		want   int
	}{
		{3_600_000, 9 << 30, 40 * time.Millisecond, 0},
		{3_600_500, 9<<30 + 31_250, 40 * time.Millisecond, 1500},
		{3_601_000, 9<<30 + 31_250 + 9<<20, 40 * time.Millisecond, maxGather},
		{3_601_500, 99 << 30, time.Second, maxGather},
		{3_602_000, 99<<30 + 5_000, 40 * time.Millisecond, 0},
		{7_200_000, 999 << 30, 40 * time.Millisecond, 0},
	} {
		if n := m.gauge(step.at*ms, step.total, step.window); n != step.want {
			t.Errorf("at %d ms: waits for %d bytes, want %d", step.at, n, step.want)
		}
	}
}

// gathers has each loop of r gather whatever its publishers send, and returns
// the one that has the publisher.
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

// TestGather has a publisher send frames steadily, so that its socket waits
// for several, and then less than that: all of it arrives, and so does its
// good-bye.
func TestGather(t *testing.T) {
	t.Parallel()
	for _, end := range []struct {
		name string
		do   func(*tape)
	}{
		{"unpublish", func(p *tape) { p.send(command(0, 9, "deleteStream", nil, 1.0)) }},
		{"reset", func(p *tape) { p.conn.Close() }},
	} {
		t.Run(end.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			p := r.publishing("live/a")
			l := r.gathers()
			s := r.streams.Lookup(parseKey("live/a"))
			members := func() (n int) {
				r.on(l, func() { n = len(l.gathering.members) })
				return n
			}
			sent := 0
			audio := func() {
				sent++
				p.sendAll([]unit{plainAudio(uint32(sent), "\xAF\x01"+strings.Repeat("x", 600))})
			}
			eventually(t, "the publisher's socket waits for more", func() bool {
				for range 20 {
					audio()
				}
				return members() == 1
			})
			audio()
			eventually(t, "a single frame arrives", func() bool {
				return s.Counters().FramesIn.Load() == uint64(sent)
			})
			end.do(p)
			eventually(t, "the stream ends", func() bool { return r.streams.Lookup(parseKey("live/a")) == nil })
			eventually(t, "nobody is left", func() bool { return members() == 0 })
		})
	}
}
