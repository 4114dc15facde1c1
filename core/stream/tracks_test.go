package stream

import (
	"slices"
	"testing"

	"github.com/millrace/millrace/core/media"
)

// on puts a frame on a track.
func on(track uint8, f *media.Frame) *media.Frame {
	f.Track = track
	return f
}

// TestDefaultTrack has the first track of each medium be the default one.
func TestDefaultTrack(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	for i, c := range []struct {
		frame *media.Frame
		other bool
	}{
		{on(3, config(media.Video, "sps3")), false},
		{on(0, config(media.Audio, "asc0")), false},
		{on(0, config(media.Video, "sps0")), true},
		{on(3, keyframe(10)), false},
		{on(0, keyframe(10)), true},
		{on(3, audio(10)), true},
		{on(0, audio(10)), false},
	} {
		if got := f.write(c.frame, int64(i)); got.Is(media.Other) != c.other {
			t.Errorf("frame %d: other %t", i, !c.other)
		}
	}
	st := f.stream().State()
	if text(st.Video) != "sps3" || text(st.Audio) != "asc0" || len(st.Others) != 1 || text(st.Others[0]) != "sps0" {
		t.Errorf("%q, %q, %d others", text(st.Video), text(st.Audio), len(st.Others))
	}
	// Another publisher may number them otherwise.
	f.pub.Close(false, "", epoch+10*ms)
	f.publish(Publisher{Peer: "10.0.0.1"}, 11)
	if got := f.write(on(0, config(media.Video, "new")), 12); got.Is(media.Other) {
		t.Error("the first track is not the default one of a new session")
	}
	if st := f.stream().State(); text(st.Video) != "new" || len(st.Others) != 0 {
		t.Errorf("%q, %d others", text(st.Video), len(st.Others))
	}
}

// TestOthersAreReplaced keeps one header and one extra of each track.
func TestOthersAreReplaced(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	f.start()
	extra := func(s string) *media.Frame {
		fr := config(media.Video, s)
		fr.Flags = media.Extra
		return fr
	}
	for i, fr := range []*media.Frame{
		on(1, config(media.Video, "a")), on(1, config(media.Audio, "b")), extra("c"),
		on(1, config(media.Video, "A")), on(1, config(media.Audio, "b")), extra("C"), on(1, extra("d")),
	} {
		f.write(fr, 1000+int64(i))
	}
	var got []string
	for _, o := range f.stream().State().Others {
		got = append(got, text(o))
	}
	if want := []string{"b", "A", "C", "d"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestOthersAreBounded ignores headers of more tracks than can be remembered.
func TestOthersAreBounded(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	f.start()
	for track := range 200 {
		f.write(on(uint8(track+1), config(media.Video, "x")), 1000)
	}
	f.write(on(1, config(media.Video, "y")), 1001)
	st := f.stream().State()
	if len(st.Others) != maxOthers || text(st.Others[maxOthers-1]) != "y" {
		t.Errorf("%d others", len(st.Others))
	}
	if n := f.stream().Counters().Ignored.Load(); n != 200-maxOthers {
		t.Errorf("%d ignored", n)
	}
}

// wanting joins a viewer of some tracks.
func (f *feed) wanting(all bool, vtrack, atrack uint16) *viewer {
	v := &viewer{Cursor: Cursor{Stream: f.stream()}}
	v.Want(true, true, all, vtrack, atrack)
	v.Join()
	return v
}

// TestCursorTracks gives newcomers what they want, from the default track's
// keyframe on; other video tracks begin at their own.
func TestCursorTracks(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	f.start()
	f.write(on(1, config(media.Video, "sps1")), 1000)
	f.write(on(1, keyframe(10)), 1000) // in the GOP before
	key := f.key(1000)
	early := f.write(on(1, inter(10)), 1000)
	sound, sound1 := f.audio(1000), f.write(on(1, audio(10)), 1000)
	key1 := f.write(on(1, keyframe(10)), 1010)
	last, last1 := f.inter(1040), f.write(on(1, inter(10)), 1040)
	if !early.Is(media.Early) || key1.Is(media.Early) || last1.Is(media.Early) || key1.Key != key.Seq {
		t.Error("what is early is not what comes before its track's keyframe")
	}
	for name, c := range map[string]struct {
		v    *viewer
		want []*media.Frame
	}{
		"default": {f.wanting(false, 0, 0), []*media.Frame{key, sound, last}},
		"video 1": {f.wanting(false, 2, 0), []*media.Frame{sound, key1, last1}},
		"audio 1": {f.wanting(false, 0, 2), []*media.Frame{key, sound1, last}},
		"by name": {f.wanting(false, 1, 1), []*media.Frame{key, sound, last}},
		"none":    {f.wanting(false, 9, 9), nil},
		"all":     {f.wanting(true, 0, 0), []*media.Frame{key, sound, sound1, key1, last, last1}},
	} {
		c.v.read(1040)
		if !slices.Equal(c.v.got, c.want) {
			t.Errorf("%s: got %d, want the %d frames %v", name, len(c.v.got), len(c.want), c.want)
		}
	}
	// Who is there already gets them all.
	v := f.wanting(true, 0, 0)
	v.read(1040)
	f.key(2000)
	late := f.write(on(1, inter(10)), 2000)
	v.read(2000)
	if !slices.Contains(v.got, late) {
		t.Error("a viewer that has seen the track's keyframe lost a frame behind it")
	}
}

// TestTracksKeepTheirTime has each track's timestamps run on their own.
func TestTracksKeepTheirTime(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	f.start()
	base := f.key(1000).DTS
	for i := range int64(20) {
		at := 1040 + 40*i
		one := f.inter(at)
		two := f.write(on(1, inter(10)), at-20) // behind, each time
		if one.DTS != base+at-1000 || two.DTS != base+at-1020 {
			t.Fatalf("at %d: %d and %d", at, one.DTS-base, two.DTS-base)
		}
	}
	if n := f.stream().Counters().Corrections.Load(); n != 0 {
		t.Errorf("%d corrections", n)
	}
}

// TestGateWaitsForTheDefaultTrack has a publisher come back: video starts at
// the default track's keyframe.
func TestGateWaitsForTheDefaultTrack(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	f.start()
	v := f.join()
	v.read(1000)
	f.pub.Close(false, "", epoch+1000*ms)
	f.publish(Publisher{Peer: "10.0.0.1"}, 1100)
	f.write(config(media.Video, "sps"), 1100)
	before := f.stream().Head()
	f.write(on(1, keyframe(10)), 1100)
	f.inter(1100)
	if f.stream().Head() != before {
		t.Error("video before the default track's keyframe")
	}
	f.key(1140)
	f.write(on(1, inter(10)), 1140)
	if f.stream().Head() != before+2 {
		t.Errorf("%d frames", f.stream().Head()-before)
	}
}
