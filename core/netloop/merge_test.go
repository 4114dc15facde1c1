package netloop

import (
	"testing"
	"time"
)

func merging(window time.Duration) with {
	return settings(func(s *Settings) { s.Viewers.MergeWindow, s.Viewers.MergeWindowMax = window, max(window, time.Second) })
}

// writes is how many writev calls were made.
func (r *rig) writes() (n uint64) {
	for _, l := range r.engine.Stats().Loops {
		n += l.Writes
	}
	return n
}

// TestMergeWindow has frames that come one by one leave together.
func TestMergeWindow(t *testing.T) {
	t.Parallel()
	testEach(t, func(t *testing.T, how transport) {
		const viewers, frames, window = 20, 60, 400 * time.Millisecond
		r := newRig(t, merging(window))
		f := r.start("live/a")
		var all []*tape
		for range viewers {
			p := r.watch(how, manner{}, "live/a")
			p.waitLast(f)
			all = append(all, p)
		}
		before, began := r.writes(), time.Now()
		for range frames {
			f.inter(100)
			f.pub.Stream.Wake()
			time.Sleep(5 * time.Millisecond) // the stream's own pace
		}
		for _, p := range all {
			p.waitLast(f)
			f.check(t, p.got(), wantsBoth, false)
		}
		// A third of a second, where there is time for it: one or two windows.
		windows := 2 + int(time.Since(began)/window)
		if n := int(r.writes() - before); n > 4*viewers*windows {
			t.Errorf("%d writes of %d frames to %d viewers in %d windows", n, frames, viewers, windows)
		}
	})
}

// TestHeldFrameLeaves has one frame come and no other.
func TestHeldFrameLeaves(t *testing.T) {
	t.Parallel()
	r := newRig(t, merging(300*time.Millisecond))
	f := r.start("live/a")
	var all []*tape
	for range 2 * mergeSlots {
		p := r.watch(chunked, manner{}, "live/a")
		p.waitLast(f)
		all = append(all, p)
	}
	for range 3 {
		f.inter(100)
		f.pub.Stream.Wake()
		for _, p := range all {
			p.waitLast(f)
		}
	}
	f.end()
	for _, p := range all {
		p.cleanEnd()
		checkFarewell(t, chunked, p, "")
	}
}

// TestViewersAreStaggered spreads viewers over the window.
func TestViewersAreStaggered(t *testing.T) {
	t.Parallel()
	r := newRig(t, loops(1), merging(200*time.Millisecond))
	f := r.start("live/a")
	for range 3 * mergeSlots {
		r.watch(chunked, manner{}, "live/a")
	}
	r.waitViewers(3 * mergeSlots)
	l := r.engine.loops[0]
	r.on(l, func() {
		for _, g := range l.subs[f.pub.Stream].groups {
			for i, vs := range g.slots {
				if len(vs) != 3 {
					t.Errorf("%d viewers in slot %d", len(vs), i)
				}
			}
		}
	})
}

// TestWindowChanges switches the window to and fro in mid-stream.
func TestWindowChanges(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.start("live/a")
	var all []*tape
	for i := range 20 {
		all = append(all, r.watch(transports[i%4], manner{}, "live/a"))
	}
	windows := []time.Duration{0, 100 * time.Millisecond, MergeAuto, time.Millisecond, 0, 250 * time.Millisecond}
	for i := range 60 {
		if i%5 == 0 {
			r.change(func(s *Settings) { s.Viewers.MergeWindow = windows[i/5%len(windows)] })
		}
		f.gop(2, 500)
		time.Sleep(15 * time.Millisecond) // the stream's own pace
	}
	for _, p := range all {
		p.waitLast(f)
		f.check(t, p.got(), wantsBoth, false)
	}
	f.end()
	for i, p := range all {
		p.cleanEnd()
		checkFarewell(t, transports[i%4], p, "the test is over")
	}
}

// TestNoWakeIsLost writes frames from many goroutines at many streams, without
// a next frame that would hide a wake-up that was lost.
func TestNoWakeIsLost(t *testing.T) {
	t.Parallel()
	for _, window := range []time.Duration{0, 20 * time.Millisecond, MergeAuto} {
		t.Run(window.String(), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, merging(window))
			var feeds []*feed
			var tapes []*tape
			for i := range 8 {
				f := r.start("live/s" + string(rune('a'+i)))
				p := r.watch(chunked, manner{}, "live/s"+string(rune('a'+i)))
				q := r.watch(rtmpIn, manner{}, "live/s"+string(rune('a'+i)))
				feeds, tapes = append(feeds, f), append(tapes, p, q)
			}
			for range 40 {
				done := make(chan struct{})
				for _, f := range feeds {
					go func() {
						f.inter(50)
						f.pub.Stream.Wake()
						done <- struct{}{}
					}()
				}
				for range feeds {
					<-done
				}
				for i, p := range tapes {
					p.waitLast(feeds[i/2])
				}
			}
		})
	}
}
