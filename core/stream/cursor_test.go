package stream

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/millrace/millrace/core/media"
)

const maxLag = int64(5 * time.Second)

// A newcomer starts in the cached GOP, at the next keyframe, or with the
// newest frame.
func TestStart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*Options)
		viewer Cursor
		audio  bool // the stream has no video
		now    string
		then   string // after an inter frame, a keyframe and audio
	}{
		{name: "cached GOP", viewer: Cursor{Video: true, Audio: true}, now: "GOP", then: "inter key audio"},
		{name: "video only", viewer: Cursor{Video: true}, now: "GOP without audio", then: "inter key"},
		{name: "live", viewer: Cursor{Video: true, Audio: true, Live: true}, then: "key audio"},
		{name: "no GOP cache", change: func(o *Options) { o.GOPCache = false },
			viewer: Cursor{Video: true, Audio: true}, then: "key audio"},
		{name: "GOP too large", change: func(o *Options) { o.GOPMaxBytes = 1000 },
			viewer: Cursor{Video: true, Audio: true}, then: "key audio"},
		{name: "audio only", viewer: Cursor{Audio: true}, now: "newest", then: "audio"},
		{name: "audio only, live", viewer: Cursor{Audio: true, Live: true}, now: "newest", then: "audio"},
		{name: "nothing", viewer: Cursor{}},
		{name: "stream without video", viewer: Cursor{Video: true, Audio: true}, audio: true, now: "newest", then: "audio"},
		{name: "stream without video, live", viewer: Cursor{Video: true, Audio: true, Live: true}, audio: true, now: "newest", then: "audio"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFeed(t, c.change)
			if c.audio {
				for ts := int64(0); ts < 1000; ts += 23 {
					f.audio(ts)
				}
			} else {
				f.start()
				f.gop(1000)
			}
			v := &viewer{Cursor: c.viewer}
			v.Stream = f.stream()
			v.Join()
			head := v.Stream.Head()
			if p := v.read(2000); p != Idle {
				t.Errorf("position %v", p)
			}
			if got, want := fmt.Sprint(v.seqs()), fmt.Sprint(f.expect(c.now, head)); got != want {
				t.Errorf("at once it got %s, want %s", got, want)
			}
			v.got = nil
			if !c.audio {
				f.inter(2000)
				f.key(2040)
			}
			f.audio(2040)
			v.read(2040)
			var then []string
			for _, f := range v.got {
				then = append(then, name(f))
			}
			if got := fmt.Sprint(then); got != "["+c.then+"]" {
				t.Errorf("then it got %s, want %s", got, c.then)
			}
			if v.Dropped != 0 || v.Skips != 0 || v.Lag(epoch+2040*ms) != 0 {
				t.Errorf("a newcomer lags: %d dropped, %d skips", v.Dropped, v.Skips)
			}
		})
	}
}

// name is what a frame is, in a word.
func name(f *media.Frame) string {
	switch {
	case f.Is(media.Config):
		return "config"
	case f.Kind != media.Video:
		return f.Kind.String()
	case f.Is(media.Keyframe):
		return "key"
	}
	return "inter"
}

// expect are the numbers of the frames before head that a word stands for.
func (f *feed) expect(word string, head uint64) (seqs []uint64) {
	s := f.stream()
	from := head - 1
	if word == "" {
		return nil
	}
	if word != "newest" {
		from = s.At(head - 1).Key
	}
	for ; from < head; from++ {
		if word != "GOP without audio" || s.At(from).Kind == media.Video {
			seqs = append(seqs, from)
		}
	}
	return seqs
}

// Who comes before the stream is ready waits, and gets all from its start.
func TestStartBeforeReady(t *testing.T) {
	t.Parallel()
	for _, live := range []bool{false, true} {
		f := newFeed(t, nil)
		v := f.join()
		v.Live = live
		f.write(config(media.Video, "sps"), 0)
		f.write(config(media.Audio, "asc"), 0)
		k := f.key(0)
		if p := v.read(0); p != Idle || len(v.got) != 0 {
			t.Fatalf("before it is ready the viewer got %v", v.seqs())
		}
		a := f.audio(0)
		v.read(0)
		if !slices.Equal(v.got, []*media.Frame{k, a}) {
			t.Errorf("live %t: it got %v", live, v.seqs())
		}
	}
}

// Audio from before the keyframe is for those who saw the GOP before.
func TestEarlyAudioLeftOut(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	f.start()
	was := f.join()
	listener := &viewer{Cursor: Cursor{Stream: f.stream(), Audio: true}}
	listener.Join()
	was.read(1000)
	listener.read(1000)
	was.got, listener.got = nil, nil

	k := f.key(1000)
	early, late := f.audio(990), f.audio(1013)
	joined := f.join()
	for _, c := range []struct {
		name string
		v    *viewer
		want []*media.Frame
	}{
		{"newcomer", joined, []*media.Frame{k, late}},
		{"viewer from before", was, []*media.Frame{k, early, late}},
		{"listener", listener, []*media.Frame{early, late}},
	} {
		if c.v.read(1013); !slices.Equal(c.v.got, c.want) {
			t.Errorf("%s: got %v", c.name, c.v.seqs())
		}
	}

	// In later GOPs it gets them.
	f.key(2000)
	early = f.audio(1990)
	if joined.read(2000); joined.got[len(joined.got)-1] != early {
		t.Errorf("in the next GOP the newcomer got %v", joined.seqs())
	}
}

// A viewer that lags skips to the newest keyframe. What it skips counts.
func TestSkip(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	f.start()
	v := f.join()
	v.read(960)
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
	f := newFeed(t, nil)
	f.start()
	v := f.join()
	v.read(960)
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
	f := newFeed(t, nil)
	f.start()
	v := f.join()
	v.read(960)
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
	f := newFeed(t, func(o *Options) { o.GOPMaxAge, o.RingTime = time.Second, time.Second })
	f.start()
	v := f.join()
	v.read(960)
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

func TestPause(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	f.start()
	v := f.join()
	v.read(960)

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

// A session without video after one with: nobody waits for a keyframe.
func TestVideoGone(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	f.start()
	was, waits := f.join(), f.join()
	waits.Live = true
	was.read(1000)
	waits.read(1000)
	unstarted := f.join()
	f.publish(Publisher{Peer: "10.0.0.1"}, 2000)
	header := f.write(config(media.Audio, "asc"), 2000)
	if waits.read(2000); !waits.Waiting() {
		t.Error("it does not wait before it is known what the session has")
	}
	f.audio(2000)
	f.audio(2023)
	joins := f.join()
	last := f.audio(2046)
	if unstarted.read(2046); unstarted.got[0] != header {
		t.Errorf("who had not started gets frames of the old session: %v", unstarted.seqs())
	}
	for name, v := range map[string]*viewer{"viewer": was, "waiting viewer": waits, "newcomer": joins} {
		if v.read(2046); len(v.got) == 0 || v.got[len(v.got)-1] != last {
			t.Errorf("%s got %v, the newest is %d", name, v.seqs(), last.Seq)
		}
	}

	// And if video comes after all, it comes from its keyframe on.
	k := f.key(2060)
	for name, v := range map[string]*viewer{"viewer": was, "waiting viewer": waits, "newcomer": joins} {
		if v.read(2060); v.got[len(v.got)-1] != k {
			t.Errorf("%s got %v, the keyframe is %d", name, v.seqs(), k.Seq)
		}
	}
}

// At the end each viewer gets what the ring holds for it, then its end.
func TestAtEnd(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	f.start()
	reads, waits := f.join(), f.join()
	waits.Live = true
	waits.read(1000)
	started := f.join()
	started.read(1000)
	f.inter(1000)
	f.pub.Close(true, "done", epoch+1000*ms)
	for _, c := range []struct {
		name   string
		v      *viewer
		frames int
	}{
		{"not started", reads, 51},
		{"started", started, 51},
		{"waiting for a keyframe", waits, 0},
	} {
		for range 2 {
			if p := c.v.read(1000); p != AtEnd || len(c.v.got) != c.frames {
				t.Errorf("%s: position %v after %d frames", c.name, p, len(c.v.got))
			}
		}
	}
}

// A stream that ends before it is ready gives what there is.
func TestAtEndBeforeReady(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	v := f.join()
	f.pub.SetMetadata(describe("meta"), true, true, epoch)
	k := f.key(0)
	if v.read(0); len(v.got) != 0 {
		t.Fatalf("it was ready")
	}
	f.pub.Close(true, "done", epoch)
	if p := v.read(0); p != AtEnd || len(v.got) != 1 || v.got[0] != k {
		t.Errorf("position %v, got %v", p, v.seqs())
	}
}

// Inside a frame the lag is that frame's age.
func TestLagInside(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	f.start()
	v := f.join()
	v.read(960)
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
