package stream

import (
	"testing"
	"time"

	"github.com/millrace/millrace/core/media"
)

// held are the numbers that a ring holds: from the first to the last.
func held(s *Stream) (first, last uint64) { return s.ring.tail.Load(), s.Head() - 1 }

func gopStart(s *Stream) uint64 { return s.gop.Load() }

func TestGOPFollowsKeyframes(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	first := f.start()
	if gop := gopStart(f.stream()); gop != first.Seq || first.Key != first.Seq {
		t.Errorf("cached from %d, the keyframe is %d with key %d", gop, first.Seq, first.Key)
	}
	if p := f.inter(1000); p.Key != first.Seq {
		t.Errorf("an inter frame has key %d", p.Key)
	}
	if second := f.key(1040); gopStart(f.stream()) != second.Seq || f.audio(1040).Key != second.Seq {
		t.Errorf("cached from %d, the keyframe is %d", gopStart(f.stream()), second.Seq)
	}
}

func TestGOPOff(t *testing.T) {
	t.Parallel()
	f := newFeed(t, func(o *Options) { o.GOPCache = false })
	f.start()
	if gop := gopStart(f.stream()); gop != 0 {
		t.Errorf("cached from %d", gop)
	}
}

// Past its cap in bytes or age the cache is dropped, and the next keyframe
// starts another.
func TestGOPCaps(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*Options)
		frames int // inter frames of 100 bytes, one each 40 ms, that fit
	}{
		{"bytes", func(o *Options) { o.GOPMaxBytes = 11 * int64(inter(100).Size()) }, 10},
		{"age", func(o *Options) { o.GOPMaxAge = 400 * time.Millisecond }, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFeed(t, c.change)
			k := f.key(0)
			ts := int64(0)
			for range c.frames {
				ts += 40
				f.inter(ts)
			}
			if gop := gopStart(f.stream()); gop != k.Seq {
				t.Fatalf("dropped with %d frames", c.frames)
			}
			f.inter(ts + 40)
			if gop := gopStart(f.stream()); gop != 0 {
				t.Errorf("cached from %d with a frame more", gop)
			}
			if n := f.stream().Counters().GOPDrops.Load(); n != 1 {
				t.Errorf("%d drops counted", n)
			}
			if k := f.key(ts + 80); gopStart(f.stream()) != k.Seq {
				t.Error("the next keyframe starts no cache")
			}
		})
	}
}

// A ring lets the oldest go that its caps do not allow, but keeps the GOP.
func TestRingCaps(t *testing.T) {
	t.Parallel()
	size := int64(inter(100).Size())
	for _, c := range []struct {
		name   string
		change func(*Options)
		keep   uint64 // frames, of 100 bytes each 40 ms
	}{
		{"bytes", func(o *Options) { o.RingBytes, o.RingTime = 10*size, time.Hour }, 10},
		{"time", func(o *Options) { o.RingTime = 400 * time.Millisecond }, 11},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFeed(t, func(o *Options) { o.GOPMaxAge = 4 * time.Second; c.change(o) })
			k := f.key(0)
			ts := int64(0)
			for ; ts <= 4000; ts += 40 {
				f.inter(ts)
				if first, _ := held(f.stream()); first != k.Seq {
					t.Fatalf("at %d ms it holds from %d, the GOP begins at %d", ts, first, k.Seq)
				}
			}
			f.inter(ts) // the GOP is too old now
			first, last := held(f.stream())
			if last-first+1 != c.keep {
				t.Errorf("it holds %d frames, want %d", last-first+1, c.keep)
			}
			if got, want := f.stream().ring.bytes.Load(), int64(c.keep)*size; got != want || f.r.Bytes() != want {
				t.Errorf("it holds %d bytes, all hold %d, want %d", got, f.r.Bytes(), want)
			}
		})
	}
}

// The newest frame stays, whatever the caps.
func TestRingKeepsNewest(t *testing.T) {
	t.Parallel()
	f := newFeed(t, func(o *Options) { o.RingBytes, o.RingTime, o.GOPMaxBytes = 1, 0, 1 })
	for ts := int64(0); ts < 1000; ts += 40 {
		a := f.key(ts)
		if first, last := held(f.stream()); first != a.Seq || last != a.Seq {
			t.Fatalf("it holds %d to %d, the newest is %d", first, last, a.Seq)
		}
	}
}

// Options count from the next frame on.
func TestOptionsChange(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	f.start()
	o := *f.r.Options()
	o.GOPCache, o.RingTime = false, 100*time.Millisecond
	f.r.SetOptions(o)
	k := f.key(1000)
	first, _ := held(f.stream())
	if oldest := f.stream().At(first); oldest.Arrived < k.Arrived-100*ms || gopStart(f.stream()) != 0 {
		t.Errorf("it holds frames from %d, GOP from %d", first, gopStart(f.stream()))
	}
}

// Audio that comes after a keyframe but belongs before it is marked.
func TestEarly(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	before := f.audio(0)
	f.key(100)
	early, late, video := f.audio(99), f.audio(100), f.inter(140)
	for _, c := range []struct {
		name  string
		f     *media.Frame
		early bool
	}{{"before", before, false}, {"early", early, true}, {"late", late, false}, {"video", video, false}} {
		if c.f.Is(media.Early) != c.early {
			t.Errorf("%s: early is %t", c.name, !c.early)
		}
	}
}
