package netloop

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/core/stream"
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

// TestGatheringShares has publishers send at steady rates: a few that send
// thousands of messages a second turn nothing on, dozens do.
func TestGatheringShares(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name            string
		publishers      int64
		rate            int64 // messages a second of each, and of
		more, moreRate  int64 // some more
		between, window time.Duration
		on              bool
	}{
		{"one that floods", 1, 20_000, 0, 0, time.Millisecond, 60 * time.Millisecond, false},
		{"one that floods beside 50", 1, 20_000, 50, 68, time.Millisecond, 60 * time.Millisecond, false},
		{"a few that flood, seldom read", 5, 20_000, 0, 0, time.Second, time.Second, false},
		{"dozens that flood", 30, 20_000, 0, 0, time.Millisecond, 60 * time.Millisecond, true},
		{"500", 500, 68, 0, 0, time.Millisecond, 60 * time.Millisecond, true},
		{"500, read in turn", 500, 68, 0, 0, 60 * time.Millisecond, 60 * time.Millisecond, true},
		{"100, seldom read", 100, 68, 0, 0, time.Second, time.Second, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var g gathering
			g.init()
			all := make([]publisher, c.publishers+c.more)
			came := make([]int64, len(all))
			begin := int64(time.Hour)
			for now := begin; now < begin+5*int64(time.Second); now += int64(time.Millisecond) {
				for i := range all {
					// Each is read once in between, not all at once.
					if (now/int64(time.Millisecond)+int64(i))%c.between.Milliseconds() != 0 {
						continue
					}
					rate := c.rate
					if int64(i) >= c.publishers {
						rate = c.moreRate
					}
					sent := (now - begin) * rate / int64(time.Second)
					all[i].fed = int(sent - came[i])
					came[i] = sent
					g.count(all[i].share(now, int64(c.window)), now)
				}
				if !c.on && g.on {
					t.Fatalf("on after %v", time.Duration(now-begin))
				}
			}
			if g.on != c.on {
				t.Errorf("on is %v", g.on)
			}
		})
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

// TestGatherBudget gives each visit time for one publisher: what is left of a
// slot has its turns at the next visits, whoever leaves meanwhile.
func TestGatherBudget(t *testing.T) {
	t.Parallel()
	const publishers = 4
	r := newRig(t, loops(1))
	var tapes []*tape
	var streams []*stream.Stream
	for i := range publishers {
		name := fmt.Sprintf("live/%d", i)
		tapes = append(tapes, r.publishing(name))
		streams = append(streams, r.streams.Lookup(parseKey(name)))
	}
	l := r.engine.loops[0]
	got := func() (n int) {
		for _, s := range streams {
			n += int(s.Counters().FramesIn.Load())
		}
		return n
	}
	for leaver := range publishers {
		r.on(l, func() { l.gatherAll() })
		before := got()
		for _, p := range tapes {
			p.sendAll([]unit{plainAudio(uint32(leaver), "\xAF\x01x")})
			p.arrived()
		}
		r.on(l, func() {
			g := &l.gathering
			slot := &g.slots[g.slot]
			left := (*slot)[leaver]
			wasRead := leaver == len(*slot)-1 // the last is the first
			for visit := 1; g.slot == 0; visit++ {
				g.due = 0
				l.onClock()
				if n := got() - before; n > visit {
					t.Errorf("%d publishers were read in %d visits", n, visit)
				}
				if visit == 1 {
					l.ungather(left)
				}
				if visit > publishers {
					t.Error("the turn has no end")
					break
				}
			}
			want := publishers
			if !wasRead {
				want--
			}
			if n := got() - before; n != want {
				t.Errorf("%d left: %d publishers were read in the turn, want %d", leaver, n, want)
			}
		})
		eventually(t, "all frames arrive", func() bool { return got()-before == publishers })
	}
}

// gatherAll has all publishers of l be members of one slot, whose turn is
// next, and whose visits have time for one.
func (l *loop) gatherAll() {
	g := &l.gathering
	g.from, g.until, g.on = 0, 0, true
	g.slot, g.left, g.budget = 0, 0, -1
	for _, c := range l.conns {
		if h, ok := c.handler.(*rtmpConn); ok && h.publisher != nil {
			l.ungather(h.publisher)
			g.join = 0
			l.gather(h.publisher)
		}
	}
	g.due = never // the test has it come due
}
