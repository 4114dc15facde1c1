package stream

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/core/media"
)

const (
	ms = int64(time.Millisecond)
	// epoch is when tests begin, in ns.
	epoch = 1_000_000 * ms
)

var testKey = Key{App: "live", Name: "test"}

// feed is a registry and a publisher of one of its streams.
type feed struct {
	t   testing.TB
	r   *Registry
	pub *Publication

	mu      sync.Mutex
	notices []Notice
}

// newFeed publishes testKey; change may change the options before.
func newFeed(t testing.TB, change func(*Options)) *feed {
	t.Helper()
	o := DefaultOptions()
	if change != nil {
		change(&o)
	}
	f := &feed{t: t}
	f.r = NewRegistry(o, f.note)
	f.publish(Publisher{Peer: "10.0.0.1"}, 0)
	return f
}

func (f *feed) note(n Notice) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.notices = append(f.notices, n)
}

// noted counts the notices of a kind.
func (f *feed) noted(w What) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, got := range f.notices {
		if got.What == w {
			n++
		}
	}
	return n
}

// publish has pub take testKey at a time in ms.
func (f *feed) publish(pub Publisher, at int64) {
	f.t.Helper()
	p, err := f.r.Publish(testKey, pub, epoch+at*ms)
	if err != nil {
		f.t.Fatalf("publish: %v", err)
	}
	f.pub = p
}

func (f *feed) stream() *Stream { return f.pub.Stream }

// write sends a frame stamped ts ms, which arrives when a live one would.
func (f *feed) write(fr *media.Frame, ts int64) *media.Frame {
	f.t.Helper()
	if !f.pub.Write(fr, uint32(ts), epoch+ts*ms) {
		f.t.Fatalf("write at %d ms: the publication was evicted", ts)
	}
	return fr
}

func (f *feed) key(ts int64) *media.Frame   { f.t.Helper(); return f.write(keyframe(100), ts) }
func (f *feed) inter(ts int64) *media.Frame { f.t.Helper(); return f.write(inter(100), ts) }
func (f *feed) audio(ts int64) *media.Frame { f.t.Helper(); return f.write(audio(10), ts) }

// gop sends a second of video in frames of 40 ms, the first a keyframe, with
// audio behind each, and returns the keyframe.
func (f *feed) gop(ts int64) *media.Frame {
	f.t.Helper()
	first := f.key(ts)
	f.audio(ts)
	for at := ts + 40; at < ts+1000; at += 40 {
		f.inter(at)
		f.audio(at)
	}
	return first
}

// start has the stream ready, with sequence headers and a first GOP at 0.
func (f *feed) start() *media.Frame {
	f.t.Helper()
	f.write(config(media.Video, "sps"), 0)
	f.write(config(media.Audio, "asc"), 0)
	return f.gop(0)
}

func newFrame(kind media.Kind, flags media.Flags, size int) *media.Frame {
	f := media.NewFrame(kind, media.NewRoom(size), 0)
	f.Flags, f.Codec = flags, media.AVC
	if kind == media.Audio {
		f.Codec = media.AAC
	}
	return f
}

func keyframe(size int) *media.Frame { return newFrame(media.Video, media.Keyframe, size) }
func inter(size int) *media.Frame    { return newFrame(media.Video, 0, size) }
func audio(size int) *media.Frame    { return newFrame(media.Audio, 0, size) }

func config(kind media.Kind, text string) *media.Frame {
	f := newFrame(kind, media.Config, len(text))
	copy(f.Payload(), text)
	return f
}

// describe is a publisher's metadata, without AMF.
func describe(text string) Metadata {
	return func(hasAudio, hasVideo bool) *media.Frame {
		text := fmt.Sprintf("%s audio=%t video=%t", text, hasAudio, hasVideo)
		f := newFrame(media.Data, media.Metadata, len(text))
		copy(f.Payload(), text)
		return f
	}
}

func text(f *media.Frame) string {
	if f == nil {
		return ""
	}
	return string(f.Payload())
}

// viewer reads with a cursor as an event loop does.
type viewer struct {
	Cursor
	got []*media.Frame
}

// join adds a viewer of both media.
func (f *feed) join() *viewer {
	v := &viewer{Cursor: Cursor{Stream: f.stream(), Video: true, Audio: true}}
	v.Join()
	return v
}

// watched is a feed with a viewer that has read its first second.
func watched(t testing.TB, change func(*Options)) (*feed, *viewer) {
	t.Helper()
	f := newFeed(t, change)
	f.start()
	v := f.join()
	v.read(960)
	return f, v
}

// read takes all there is at a time in ms, with a lag of 5 s allowed.
func (v *viewer) read(at int64) Position {
	for {
		end, p := v.Next(epoch+at*ms, int64(5*time.Second))
		if p != Sending {
			return p
		}
		v.take(end)
	}
}

// take sends the frames up to end, or to the first that has fallen off.
func (v *viewer) take(end uint64) {
	for v.Seq < end {
		f := v.Stream.At(v.Seq)
		if f == nil {
			return
		}
		v.Seq++
		if v.Wants(f) {
			v.got = append(v.got, f)
			v.State = f.Next
		}
	}
}

// seqs are the numbers of the frames that v got.
func (v *viewer) seqs() (all []uint64) {
	for _, f := range v.got {
		all = append(all, f.Seq)
	}
	return all
}
