package netloop

import (
	"encoding/binary"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/flv"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/core/stream"
)

// unit is a message as a viewer gets it.
type unit struct {
	kind media.Kind
	ts   uint32
	data string
}

// isConfig reports whether the unit is a sequence header.
func (u unit) isConfig() bool {
	return u.kind == media.Video && u.data[1] == 0 || u.kind == media.Audio && u.data[1] == 0
}

func (u unit) isMedia() bool { return u.kind != media.Data && !u.isConfig() }

func (u unit) isKey() bool { return u.kind == media.Video && u.isMedia() && u.data[0]>>4 == 1 }

// sentUnit is a media unit with the sequence headers that were in force.
type sentUnit struct {
	unit
	config [2]string
}

// feed publishes frames that tell where they belong.
type feed struct {
	t      testing.TB
	engine *Engine
	pub    *stream.Publication

	mu     sync.Mutex
	n      uint64
	ts     uint32
	config [2]string // audio, video
	sent   []sentUnit
}

// feeds counts feeds, no two of which send the same frame.
var feeds atomic.Uint64

func parseKey(s string) stream.Key {
	i := strings.LastIndexByte(s, '/')
	return stream.Key{App: s[:i], Name: s[i+1:]}
}

// publish starts a stream without frames.
func (r *rig) publish(key string) *feed { return r.publishAs(key, stream.Publisher{}) }

func (r *rig) publishAs(key string, p stream.Publisher) *feed {
	r.t.Helper()
	p.Metadata = flv.Metadata{}.Live
	pub, err := r.streams.Publish(parseKey(key), p, r.engine.Now())
	if err != nil {
		r.t.Fatal(err)
	}
	return &feed{t: r.t, engine: r.engine, pub: pub, n: feeds.Add(1) << 32}
}

// start starts a stream of both media: its headers and the first GOP.
func (r *rig) start(key string) *feed {
	f := r.publish(key)
	f.headers(1)
	f.gop(3, 200)
	return f
}

func newFrame(kind media.Kind, payload []byte) *media.Frame {
	room := media.NewRoom(len(payload))
	copy(media.Payload(room), payload)
	if kind == media.Data {
		return media.NewFrame(kind, room, 0)
	}
	h, err := flv.ParseHeader(kind, payload)
	if err != nil {
		panic(err)
	}
	f := media.NewFrame(kind, room, h.Size)
	f.Codec, f.Flags, f.CTS = h.Codec, h.Flags, h.CTS
	return f
}

// body is n bytes that no other call gives.
func (f *feed) body(n int) []byte {
	f.n++
	b := binary.BigEndian.AppendUint64(nil, f.n)
	for x := f.n*2654435761 + 1; len(b) < n; {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b = binary.LittleEndian.AppendUint64(b, x)
	}
	return b[:max(n, 8)]
}

func (f *feed) write(kind media.Kind, payload []byte) {
	if !f.pub.Write(newFrame(kind, payload), f.ts, f.engine.Now()) {
		f.t.Error("the publication was evicted")
	}
}

// put writes a media frame, 1 ms after the one before it.
func (f *feed) put(kind media.Kind, payload []byte) {
	f.mu.Lock()
	f.ts++
	f.sent = append(f.sent, sentUnit{unit{kind, f.ts, string(payload)}, f.config})
	f.mu.Unlock()
	f.write(kind, payload)
}

// headers puts sequence headers in force.
func (f *feed) headers(version byte) {
	f.videoHeader(version)
	f.audioHeader(version)
}

func (f *feed) videoHeader(version byte) {
	payload := []byte{0x17, 0, 0, 0, 0, version, 'v', 'i', 'd', 'e', 'o'}
	f.mu.Lock()
	f.config[1] = string(payload)
	f.mu.Unlock()
	f.write(media.Video, payload)
}

func (f *feed) audioHeader(version byte) {
	payload := []byte{0xAF, 0, version, 'a', 'u', 'd', 'i', 'o'}
	f.mu.Lock()
	f.config[0] = string(payload)
	f.mu.Unlock()
	f.write(media.Audio, payload)
}

// metadata replaces the publisher's onMetaData.
func (f *feed) metadata(title string) {
	m := flv.Metadata{Props: amf.ECMAArray{{Name: "title", Value: title}}}
	f.pub.SetMetadata(m.Live, false, false, f.engine.Now())
}

func (f *feed) key(size int)   { f.put(media.Video, append([]byte{0x17, 1, 0, 0, 0}, f.body(size)...)) }
func (f *feed) inter(size int) { f.put(media.Video, append([]byte{0x27, 1, 0, 0, 0}, f.body(size)...)) }
func (f *feed) audio(size int) { f.put(media.Audio, append([]byte{0xAF, 1}, f.body(size)...)) }

// gop writes a keyframe and n pairs of audio and video frames.
func (f *feed) gop(n, size int) {
	f.key(4 * size)
	for range n {
		f.audio(size / 4)
		f.inter(size)
	}
	f.pub.Stream.Wake()
}

// end ends the stream.
func (f *feed) end() {
	f.pub.Close(true, "the test is over", f.engine.Now())
}

// all is what was sent so far.
func (f *feed) all() []sentUnit {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sent
}

// wants filters what a viewer gets.
type wants struct{ audio, video bool }

var wantsBoth = wants{audio: true, video: true}

func (w wants) media(kind media.Kind) bool {
	return kind == media.Video && w.video || kind == media.Audio && w.audio
}

// check wants got to be a viewer's whole stream up to the last frame: from
// some keyframe on each frame once, in order, and behind its sequence header.
// gaps are allowed if skips is set; each must end at a keyframe.
func (f *feed) check(t testing.TB, got []unit, w wants, skips bool) {
	t.Helper()
	sent := f.all()
	at := f.indexOf(sent, got, w)
	if at < 0 {
		t.Fatalf("nothing of what was sent came, but %d units", len(got))
	}
	var config [2]string
	metadata := false
	for i, u := range got {
		switch {
		case u.kind == media.Data:
			metadata = true
			continue
		case u.isConfig():
			config[configIndex(u.kind)] = u.data
			continue
		}
		if skips && u.isKey() {
			at = f.seek(sent, at, u)
		}
		for at < len(sent) && !w.media(sent[at].kind) {
			at++
		}
		if at == len(sent) {
			t.Fatalf("unit %d came after the last", i)
		}
		want := sent[at]
		if u != want.unit {
			t.Fatalf("unit %d is %s, want %s", i, describe(u), describe(want.unit))
		}
		if k := configIndex(u.kind); config[k] != want.config[k] {
			t.Fatalf("unit %d (%s) came behind the sequence header %q, want %q", i, describe(u), config[k], want.config[k])
		}
		at++
	}
	for at < len(sent) && !w.media(sent[at].kind) {
		at++
	}
	if at != len(sent) {
		t.Fatalf("the last %d of %d frames did not come", len(sent)-at, len(sent))
	}
	if !metadata {
		t.Error("no metadata came")
	}
}

// seek finds the keyframe u at or after at.
func (f *feed) seek(sent []sentUnit, at int, u unit) int {
	for i := at; i < len(sent); i++ {
		if sent[i].unit == u {
			return i
		}
	}
	return at
}

// indexOf is where the first media of got stands in sent.
func (f *feed) indexOf(sent []sentUnit, got []unit, w wants) int {
	for _, u := range got {
		if !u.isMedia() {
			continue
		}
		if w.video && !u.isKey() {
			return -1
		}
		for i := range sent {
			if sent[i].unit == u {
				return i
			}
		}
		return -1
	}
	return -1
}

func configIndex(kind media.Kind) int {
	if kind == media.Video {
		return 1
	}
	return 0
}
