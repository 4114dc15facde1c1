package stream

import (
	"fmt"
	"slices"
	"testing"

	"github.com/millrace/millrace/core/media"
)

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

// Who waited for a stream gets it from the beginning, however late its loop is.
func TestAwaited(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		viewer Cursor
		cache  bool
		begin  func(*feed)
	}{
		{"audio only", Cursor{Video: true, Audio: true}, true, func(f *feed) { f.audio(0); f.audio(23); f.audio(1000) }},
		{"cached GOP", Cursor{Video: true}, true, func(f *feed) { f.key(0); f.inter(40); f.inter(1000) }},
		{"no GOP cache", Cursor{Video: true}, false, func(f *feed) { f.key(0); f.inter(40); f.inter(1000) }},
		{"live", Cursor{Video: true, Live: true}, true, func(f *feed) { f.key(0); f.inter(40); f.inter(1000) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFeed(t, func(o *Options) { o.GOPCache = c.cache })
			c.begin(f)
			v := &viewer{Cursor: c.viewer}
			v.Stream = f.stream()
			v.Join()
			v.Awaited()
			v.read(1000)
			if len(v.got) != 3 {
				t.Errorf("it got %d frames of 3", len(v.got))
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
