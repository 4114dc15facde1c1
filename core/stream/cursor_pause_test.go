package stream

import (
	"slices"
	"testing"

	"github.com/millrace/millrace/core/media"
)

func TestPause(t *testing.T) {
	t.Parallel()
	f, v := watched(t, nil)

	v.Pause(true)
	v.Pause(false) // nothing missed
	p := f.inter(1000)
	if v.read(1000); v.got[len(v.got)-1] != p {
		t.Errorf("after a pause without frames it got %v", v.seqs())
	}

	v.Pause(true)
	f.gop(2000)
	if p := v.read(9000); p != Idle || v.Lag(epoch+9000*ms) != 0 {
		t.Errorf("paused: position %v, lag %d", p, v.Lag(epoch+9000*ms))
	}
	k := f.gop(9000)
	v.got = nil
	v.Pause(false)
	if v.read(10_000); v.got[0] != k {
		t.Errorf("it goes on at %d, the newest keyframe is %d", v.got[0].Seq, k.Seq)
	}

	v.Pause(true)
	f.inter(10_000)
	v.got = nil
	v.Pause(false)
	f.inter(10_040)
	if p := v.read(10_040); p != Idle || len(v.got) != 0 || !v.Waiting() {
		t.Errorf("without a new keyframe it got %v", v.seqs())
	}
	v.Pause(true)
	k = f.gop(11_000)
	v.Pause(false)
	if v.read(12_000); v.got[0] != k {
		t.Errorf("it goes on at %d, the keyframe it waits for is %d", v.got[0].Seq, k.Seq)
	}
	if v.Dropped != 0 || v.Skips != 0 || f.stream().Counters().Dropped.Load() != 0 {
		t.Errorf("what it paused for counts as lost: %d frames, %d skips", v.Dropped, v.Skips)
	}
}

// A pause may come before the first frame, or end after the last.
func TestPauseEdges(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	f.start()
	v := f.join()
	v.Pause(true)
	for ts := int64(1000); ts < 10_000; ts += 1000 {
		f.gop(ts)
	}
	v.Pause(false)
	if v.read(10_000); v.Skips != 0 || len(v.got) != 50 {
		t.Errorf("%d frames, %d skips", len(v.got), v.Skips)
	}

	listener := &viewer{Cursor: Cursor{Stream: f.stream(), Audio: true}}
	listener.Join()
	listener.read(10_000)
	listener.Pause(true)
	f.gop(10_000)
	listener.Pause(false)
	a := f.audio(11_000)
	if listener.got = nil; listener.read(11_000) != Idle || !slices.Equal(listener.got, []*media.Frame{a}) {
		t.Errorf("a listener goes on with %v, want %d", listener.seqs(), a.Seq)
	}

	v.Pause(true)
	f.stream().Kick("done")
	if p := v.read(11_000); p != AtEnd {
		t.Errorf("paused at the end: position %v", p)
	}
}

// Who switches video on gets it from a keyframe on, even if it missed nothing.
func TestRejoin(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	f.start()
	v := &viewer{Cursor: Cursor{Stream: f.stream(), Audio: true}}
	v.Join()
	v.read(1000)
	v.Video = true
	v.Rejoin()
	v.got = nil
	f.inter(1000)
	f.audio(1000)
	if v.read(1000); len(v.got) != 0 {
		t.Fatalf("before a keyframe it got %v", v.seqs())
	}
	k := f.key(1040)
	if v.read(1040); len(v.got) != 1 || v.got[0] != k || v.Dropped != 0 {
		t.Errorf("it got %v, %d dropped, the keyframe is %d", v.seqs(), v.Dropped, k.Seq)
	}
}

// Who switches video off waits for no keyframe any more.
func TestWaitWithoutVideo(t *testing.T) {
	t.Parallel()
	f := newFeed(t, func(o *Options) { o.GOPCache = false })
	f.start()
	v := f.join()
	v.read(1000)
	v.Video = false
	f.inter(1000)
	a := f.audio(1000)
	if v.read(1000); len(v.got) != 1 || v.got[0] != a {
		t.Errorf("it got %v, want %d", v.seqs(), a.Seq)
	}
}
