package stream

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/core/media"
)

// coded is a frame of a codec, its payload text.
func coded(kind media.Kind, codec media.FourCC, flags media.Flags, text string) *media.Frame {
	f := newFrame(kind, flags, len(text))
	f.Codec = codec
	copy(f.Payload(), text)
	return f
}

// The first frame of a codec whose headers do not tell all is known before the
// stream is ready, and so when it is announced.
func TestHead(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	f.write(coded(media.Video, media.VP9, media.Config, "vpcC"), 0)
	f.write(coded(media.Audio, media.AC3, 0, "first sync"), 0)
	f.write(coded(media.Video, media.VP9, 0, "inter"), 0)
	if st := f.stream().State(); st.VideoHead != nil || !st.HasVideo {
		t.Errorf("of an inter frame: %q", st.VideoHead)
	}
	f.write(coded(media.Video, media.VP9, media.Keyframe, strings.Repeat("k", 2*media.HeadSize)), 40)
	st := f.stream().State()
	if string(st.VideoHead) != strings.Repeat("k", media.HeadSize) || string(st.AudioHead) != "first sync" {
		t.Errorf("%d bytes of video, audio %q", len(st.VideoHead), st.AudioHead)
	}
	if f.noted(Settled) != 1 || f.noted(Recoded) != 0 {
		t.Errorf("ready %d times, recoded %d times", f.noted(Settled), f.noted(Recoded))
	}
	f.write(coded(media.Video, media.VP9, media.Keyframe, "another"), 80)
	f.write(coded(media.Audio, media.AC3, 0, "another"), 80)
	if f.stream().State() != st {
		t.Error("a later frame changed the state")
	}
}

// What frames tell is told with the first one behind a new sequence header.
func TestHeadAfterConfig(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	f.write(coded(media.Video, media.AV1, media.Config, "av1C"), 0)
	f.write(coded(media.Video, media.AV1, media.Keyframe, "small"), 0)
	f.write(coded(media.Video, media.AV1, media.Config, "av1C 2"), 40)
	f.write(coded(media.Video, media.AV1, 0, "inter"), 40)
	if n := f.noted(Recoded); n != 0 {
		t.Errorf("told %d times before the keyframe", n)
	}
	f.write(coded(media.Video, media.AV1, media.Keyframe, "large"), 80)
	if got := string(f.stream().State().VideoHead); got != "large" || f.noted(Recoded) != 1 {
		t.Errorf("%q, told %d times", got, f.noted(Recoded))
	}
}

// A codec that changes in mid-stream is told, with or without a sequence
// header, and nothing of the old one stays.
func TestHeadOfAnotherCodec(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	f.write(coded(media.Audio, media.AC3, 0, "ac3"), 0)
	f.write(coded(media.Audio, media.MP3, 0, "mp3"), 40)
	if st := f.stream().State(); string(st.AudioHead) != "mp3" || st.AudioCodec != media.MP3 || f.noted(Recoded) != 1 {
		t.Errorf("%q of %s, told %d times", st.AudioHead, st.AudioCodec, f.noted(Recoded))
	}
	f.write(coded(media.Audio, media.AAC, media.Config, "asc"), 80)
	if st := f.stream().State(); st.AudioHead != nil || st.AudioCodec != media.AAC || f.noted(Recoded) != 2 {
		t.Errorf("%q of %s, told %d times", st.AudioHead, st.AudioCodec, f.noted(Recoded))
	}
}

// A track that comes late is told of once, with all that is known.
func TestHeadOfALateTrack(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	f.start()
	before := f.noted(LateTrack) + f.noted(Recoded)
	g := newFeed(t, nil)
	g.write(config(media.Video, "sps"), 0)
	g.key(0)
	g.write(coded(media.Audio, media.EAC3, 0, "late"), 40)
	if st := g.stream().State(); string(st.AudioHead) != "late" || g.noted(LateTrack) != 1 || g.noted(Recoded) != 0 {
		t.Errorf("%q, told %d and %d times", st.AudioHead, g.noted(LateTrack), g.noted(Recoded))
	}
	if before != 0 {
		t.Errorf("AVC and AAC were told of %d times more", before)
	}
}

// The next session has a first frame of its own.
func TestHeadOfTheNextSession(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	f.write(coded(media.Audio, media.AC3, 0, "one"), 0)
	f.pub.Close(false, "gone", epoch)
	f.publish(Publisher{Peer: "10.0.0.1"}, 100)
	if st := f.stream().State(); st.AudioHead != nil {
		t.Errorf("%q of the last session", st.AudioHead)
	}
	f.write(coded(media.Audio, media.AC3, 0, "two"), 200)
	if st := f.stream().State(); string(st.AudioHead) != "two" {
		t.Errorf("%q", st.AudioHead)
	}
}

// Frames behind the first cost nothing.
func TestHeadAllocations(t *testing.T) {
	f := newFeed(t, nil)
	f.write(coded(media.Audio, media.AC3, 0, "one"), 0)
	a := coded(media.Audio, media.AC3, 0, "two")
	if n := testing.AllocsPerRun(100, func() { f.pub.saw(a, epoch, f.r.Options()) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
