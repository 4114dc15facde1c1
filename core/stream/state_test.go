package stream

import (
	"fmt"
	"sync"
	"testing"

	"github.com/millrace/millrace/core/media"
)

// Sequence headers are part of the stream where they change, and each frame
// names those in force before it.
func TestConfigChange(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	f.start()
	before := f.inter(1000)
	head := f.stream().Head()

	second := f.write(config(media.Video, "sps 2"), 1040)
	after := f.key(1040)
	if second.Seq != head || after.Seq != head+1 {
		t.Fatalf("numbers %d and %d, head was %d", second.Seq, after.Seq, head)
	}
	if text(before.State.Video) != "sps" || before.Next != before.State {
		t.Errorf("before: %+v, then %+v", before.State, before.Next)
	}
	if second.State != before.State || second.Next != after.State {
		t.Errorf("the header leads from %+v to %+v", second.State, second.Next)
	}
	if after.State.Video != second || text(after.State.Audio) != "asc" || after.State != f.stream().State() {
		t.Errorf("after: %+v", after.State)
	}
	if second.DTS != 1000 {
		t.Errorf("the header is at %d", second.DTS)
	}
}

// Encoders that repeat a sequence header with each keyframe do not change
// anything.
func TestConfigRepeated(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	f.start()
	head, state := f.stream().Head(), f.stream().State()
	f.write(config(media.Video, "sps"), 1000)
	f.write(config(media.Audio, "asc"), 1000)
	if f.stream().Head() != head || f.stream().State() != state {
		t.Errorf("head went from %d to %d", head, f.stream().Head())
	}
	f.write(config(media.Audio, "sps"), 1000)
	if text(f.stream().State().Audio) != "sps" {
		t.Error("a header equal to that of the other medium was dropped")
	}
}

// Each viewer gets a copy of the headers: one of 16 MiB is an attack.
func TestConfigTooLarge(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	f.write(newFrame(media.Video, media.Config, maxConfig), 0)
	held := f.stream().State().Video
	if held == nil {
		t.Fatal("a header of the largest size was not taken")
	}
	f.write(newFrame(media.Video, media.Config, maxConfig+1), 0)
	if f.stream().State().Video != held {
		t.Error("one byte more was taken")
	}
	if n := f.stream().Counters().Ignored.Load(); n != 1 {
		t.Errorf("%d ignored", n)
	}
}

// A codec that changes in mid-stream is no late track.
func TestCodecChange(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	f.start()
	k := keyframe(10)
	k.Codec = media.LegacyVideo(12)
	f.write(k, 1000)
	if st := f.stream().State(); st.VideoCodec != k.Codec || st.AudioCodec != media.AAC || k.State != st {
		t.Errorf("the state says %v and %v", st.VideoCodec, st.AudioCodec)
	}
	if f.noted(LateTrack) != 0 {
		t.Error("it counts as a late track")
	}
}

// onMetaData is in the stream once viewers can have started, and when it is
// news.
func TestMetadata(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	set := func(text string) { f.pub.SetMetadata(describe(text), true, true, epoch) }
	set("one")
	if f.stream().State().Metadata != nil {
		t.Error("it speaks before anything was seen")
	}
	f.start()
	first := f.stream().State().Metadata
	if text(first) != "one audio=true video=true" || first.Seq != 0 {
		t.Fatalf("at the start: %q, frame %d", text(first), first.Seq)
	}
	head := f.stream().Head()
	set("one") // GStreamer repeats it
	if f.stream().State().Metadata != first || f.stream().Head() != head {
		t.Error("the same metadata again is news")
	}
	set("two")
	second := f.stream().State().Metadata
	if text(second) != "two audio=true video=true" || second.Seq != head {
		t.Fatalf("then: %q, frame %d, head was %d", text(second), second.Seq, head)
	}
	if second.State.Metadata != first || second.Next.Metadata != second || second.DTS != 960 {
		t.Errorf("it leads from %+v to %+v at %d", second.State, second.Next, second.DTS)
	}
	if next := f.inter(1000); next.State != second.Next {
		t.Errorf("the next frame has state %+v", next.State)
	}
}

// A publisher without metadata has that of its Publisher, and none without.
func TestMetadataOfPublisher(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	f.start()
	if m := f.stream().State().Metadata; m != nil {
		t.Errorf("metadata from nowhere: %q", text(m))
	}
	f.publish(Publisher{Peer: "10.0.0.1", Metadata: describe("default")}, 2000)
	f.audio(2000)
	if got, want := text(f.stream().State().Metadata), "default audio=true video=false"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What is no media travels where its track is.
func TestOtherFrames(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	f.start()
	cue := f.write(newFrame(media.Data, 0, 5), 7000)
	end := f.write(newFrame(media.Video, media.EndOfSequence, 5), 7000)
	if cue.DTS != 960 || end.DTS != 960 {
		t.Errorf("cue at %d, end of sequence at %d", cue.DTS, end.DTS)
	}
	if a := f.audio(1000); a.DTS != 1000 || a.Seq != end.Seq+1 {
		t.Errorf("then audio %d at %d", a.Seq, a.DTS)
	}
}

// Frames keep what they came with: composition times, payload, codec.
func TestFrameUntouched(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	k := keyframe(3)
	copy(k.Payload(), "abc")
	k.CTS = -80
	f.write(k, 5000)
	if k.CTS != -80 || k.DTS != 5000 || text(k) != "abc" || k.Arrived != epoch+5000*ms {
		t.Errorf("%+v", k)
	}
	if string(k.Tag()[11:14]) != "abc" {
		t.Errorf("it was not sealed: %q", k.Tag())
	}
}

// The first correction is told, all are counted, and the publisher stays.
func TestCorrections(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	f.start()
	for range 3 {
		if !f.pub.Write(inter(10), 0, epoch+1000*ms) || !f.pub.Write(inter(10), 5000, epoch+1000*ms) {
			t.Fatal("evicted")
		}
	}
	if n := f.stream().Counters().Corrections.Load(); n < 3 {
		t.Errorf("%d corrections", n)
	}
	if n := f.noted(Corrected); n != 1 {
		t.Errorf("told %d times", n)
	}
}

func TestCounters(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	f.inter(0) // no keyframe yet
	f.key(0)
	f.inter(40)
	f.audio(40)
	c := f.stream().Counters()
	got := [4]uint64{c.BytesIn.Load(), c.FramesIn.Load(), c.VideoFrames.Load(), c.Ignored.Load()}
	if want := [4]uint64{310, 4, 3, 1}; got != want {
		t.Errorf("bytes, frames, video frames, ignored: %v, want %v", got, want)
	}
}

// What a state names is finished: others may read it at once.
func TestStateReaders(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	f.start()
	s := f.stream()
	stop := make(chan struct{})
	var readers sync.WaitGroup
	readers.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			st := s.State()
			for _, held := range []*media.Frame{st.Video, st.Audio, st.Metadata} {
				if held != nil && (held.Next == nil || held.Arrived == 0 || len(held.Tag()) == 0) {
					t.Errorf("a state names an unfinished frame: %+v", held)
					return
				}
			}
			if v := st.Video; v.Seq == 0 || v.Next.Video != v {
				t.Errorf("header %d leads to %+v", v.Seq, v.Next)
				return
			}
		}
	})
	for n := range int64(500) {
		f.write(config(media.Video, fmt.Sprint("sps ", n)), 1000+n)
		f.pub.SetMetadata(describe(fmt.Sprint(n)), true, true, epoch)
		f.inter(1000 + n)
	}
	close(stop)
	readers.Wait()
}
