package stream

import (
	"testing"
	"time"

	"github.com/millrace/millrace/core/media"
)

const maxLag = int64(5 * time.Second)

// A viewer that lags skips to the newest keyframe. What it skips counts.
func TestSkip(t *testing.T) {
	t.Parallel()
	f, v := watched(t, nil)
	at := v.Seq
	var k *media.Frame
	for ts := int64(1000); ts < 8000; ts += 1000 {
		k = f.gop(ts)
	}
	if lag := v.Lag(epoch + 7960*ms); lag != 6960*ms {
		t.Errorf("it lags %d ms", lag/ms)
	}
	v.got = nil
	v.read(7960)
	if v.got[0] != k || v.Seq != f.stream().Head() {
		t.Errorf("it goes on at %d, the newest keyframe is %d", v.got[0].Seq, k.Seq)
	}
	if want := k.Seq - at; v.Skips != 1 || v.Dropped != want || f.stream().Counters().Dropped.Load() != want {
		t.Errorf("%d skips, %d frames dropped, want %d", v.Skips, v.Dropped, want)
	}
	if f.stream().Counters().Gaps.Load() != 0 || v.Lag(epoch+7960*ms) != 0 {
		t.Error("it counts as a gap, or it lags still")
	}
}

// With no keyframe ahead it waits for the next.
func TestSkipWaits(t *testing.T) {
	t.Parallel()
	f, v := watched(t, nil)
	at := v.Seq
	ts := int64(1000)
	for ; ts <= 7000; ts += 40 {
		f.inter(ts)
	}
	v.got = nil
	if p := v.read(7000); p != Idle || len(v.got) != 0 || !v.Waiting() || v.Lag(epoch+9000*ms) != 0 {
		t.Fatalf("position %v, got %v, waits %t", p, v.seqs(), v.Waiting())
	}
	f.inter(ts)
	if p := v.read(ts); p != Idle || v.Skips != 1 {
		t.Errorf("position %v, %d skips", p, v.Skips)
	}
	k := f.key(ts + 40)
	v.read(ts + 40)
	if len(v.got) != 1 || v.got[0] != k || v.Waiting() {
		t.Errorf("it got %v, the keyframe is %d", v.seqs(), k.Seq)
	}
	if want := k.Seq - at; v.Skips != 1 || v.Dropped != want {
		t.Errorf("%d skips, %d frames dropped, want %d", v.Skips, v.Dropped, want)
	}
}

// In a GOP longer than the allowed lag a viewer that skipped to its keyframe
// may read it to the end.
func TestSkipIntoLongGOP(t *testing.T) {
	t.Parallel()
	f, v := watched(t, nil)
	f.audio(990)
	k := f.key(1000)
	for ts := int64(1040); ts <= 9000; ts += 40 {
		f.inter(ts)
	}
	now := epoch + 9000*ms
	for n := k.Seq; n < f.stream().Head(); n++ {
		if _, p := v.Next(now, maxLag); p != Sending || v.Seq != n {
			t.Fatalf("at frame %d: position %v at %d", n, p, v.Seq)
		}
		v.take(n + 1)
	}
	if v.Skips != 1 {
		t.Errorf("%d skips", v.Skips)
	}
}

// Frames of the cached GOP are old, but that is no lag of the newcomer's; the
// time since it joined is.
func TestCachedGOPIsNoLag(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	f.start()
	k := f.key(1000)
	ts := int64(1040)
	for ; ts <= 11_000; ts += 40 {
		f.inter(ts)
	}
	v := f.join()
	if end, p := v.Next(epoch+ts*ms, maxLag); p != Sending || v.Seq != k.Seq || end != f.stream().Head() {
		t.Fatalf("it starts at %d, position %v", v.Seq, p)
	}
	v.take(v.Seq + 1) // the socket takes one frame, and no more
	f.inter(ts)
	for _, c := range []struct{ at, lag int64 }{{ts, 0}, {ts + 3000, 3000}, {ts + 5000, 5000}} {
		if lag := v.Lag(epoch + c.at*ms); lag != c.lag*ms {
			t.Errorf("after %d ms it lags %d ms", c.at-ts, lag/ms)
		}
	}
	if _, p := v.Next(epoch+(ts+5000)*ms, maxLag); p != Sending || v.Skips != 0 {
		t.Errorf("after 5 s: position %v, %d skips", p, v.Skips)
	}
	if _, p := v.Next(epoch+(ts+5001)*ms, maxLag); p != Idle || v.Skips != 1 {
		t.Errorf("after more: position %v, %d skips", p, v.Skips)
	}
}

// A viewer whose next frame has left the ring skips, however little it lags.
func TestFellOff(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		key  bool // one is left in the ring
	}{{"keyframe left", true}, {"no keyframe left", false}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			size := int64(inter(100).Size())
			f := newFeed(t, func(o *Options) { o.RingBytes, o.GOPMaxBytes = 10*size, 20*size })
			f.key(0)
			v := f.join()
			v.read(0)
			ts := int64(1)
			for range 30 {
				f.inter(ts)
				ts++
			}
			want := f.stream().Head()
			if c.key {
				f.key(ts)
			}
			v.got = nil
			v.read(ts)
			if v.Waiting() == c.key || v.Skips != 1 {
				t.Errorf("it waits: %t; %d skips", v.Waiting(), v.Skips)
			}
			if !c.key {
				f.key(ts)
				v.read(ts)
			}
			if len(v.got) != 1 || v.got[0].Seq != want {
				t.Errorf("it got %v, want %d", v.seqs(), want)
			}
			if n := f.stream().Counters().Gaps.Load(); n != 30 || v.Dropped != 30 || f.stream().Counters().Dropped.Load() != 0 {
				t.Errorf("%d frames in gaps, %d dropped", n, v.Dropped)
			}
		})
	}
}

// The keyframe of the newest GOP may itself have left the ring.
func TestFellOffKeyframe(t *testing.T) {
	t.Parallel()
	f, v := watched(t, func(o *Options) { o.GOPMaxAge, o.RingTime = time.Second, time.Second })
	f.key(1000)
	for ts := int64(1040); ts < 8000; ts += 40 {
		f.inter(ts)
	}
	for range 3 {
		if p := v.read(8000); p != Idle || !v.Waiting() {
			t.Fatalf("position %v", p)
		}
	}
	k := f.key(8000)
	if v.read(8000); v.got[len(v.got)-1] != k || v.Skips != 1 {
		t.Errorf("%d skips, it got %v", v.Skips, v.seqs())
	}
}

// Without video a viewer skips to the newest frame.
func TestSkipAudio(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	f.audio(0)
	v := f.join()
	v.read(0)
	var last *media.Frame
	for ts := int64(23); ts < 7000; ts += 23 {
		last = f.audio(ts)
	}
	v.got = nil
	for range 3 { // its stream pauses: that is no further lag
		v.Next(epoch+30_000*ms, maxLag)
	}
	v.read(30_000)
	if len(v.got) != 1 || v.got[0] != last || v.Skips != 1 || v.Dropped != last.Seq-2 {
		t.Errorf("it got %v, the newest is %d; %d skips, %d dropped", v.seqs(), last.Seq, v.Skips, v.Dropped)
	}
}

// Inside a frame the lag is that frame's age.
func TestLagInside(t *testing.T) {
	t.Parallel()
	f, v := watched(t, nil)
	p := f.inter(1000)
	f.inter(1040)
	v.take(p.Seq + 1)
	v.Inside = p
	if lag := v.Lag(epoch + 3000*ms); lag != 2000*ms {
		t.Errorf("in the middle of a frame of 1000 it lags %d ms at 3000", lag/ms)
	}
	v.Inside = nil
	if lag := v.Lag(epoch + 3000*ms); lag != 1960*ms {
		t.Errorf("before a frame of 1040 it lags %d ms at 3000", lag/ms)
	}
}
