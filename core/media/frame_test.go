package media

import (
	"bytes"
	"strings"
	"testing"
	"unsafe"
)

func TestRoom(t *testing.T) {
	t.Parallel()
	room := NewRoom(5)
	p := Payload(room)
	if len(p) != 5 || cap(p) != 5 || &p[0] != &room[Headroom] {
		t.Errorf("a payload of %d bytes, %d with room", len(p), cap(p))
	}
	f := NewFrame(Audio, room, 2)
	if len(f.Payload()) != 5 || &f.Payload()[0] != &p[0] || len(f.Body()) != 3 || &f.Body()[0] != &p[2] {
		t.Errorf("payload of %d, body of %d bytes", len(f.Payload()), len(f.Body()))
	}
}

// What a frame counts for is at least what it holds.
func TestSize(t *testing.T) {
	t.Parallel()
	if n := unsafe.Sizeof(Frame{}); n > frameOverhead {
		t.Errorf("a frame has %d bytes, counted as %d", n, frameOverhead)
	}
	f := NewFrame(Video, NewRoom(1000), 5)
	if n := f.Size(); n < 1000+Headroom+Tailroom+int(unsafe.Sizeof(Frame{})) || n > 1300 {
		t.Errorf("a frame of 1000 bytes counts for %d", n)
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		kind  Kind
		flags Flags
		media bool
	}{
		{"inter", Video, 0, true},
		{"key", Video, Keyframe, true},
		{"audio", Audio, 0, true},
		{"early audio", Audio, Early, true},
		{"video header", Video, Config, false},
		{"audio header", Audio, Config, false},
		{"end of sequence", Video, EndOfSequence, false},
		{"HDR metadata", Video, Extra, false},
		{"other track", Video, Keyframe | Other, true},
		{"data", Data, 0, false},
		{"metadata", Data, Metadata, false},
	} {
		f := &Frame{Kind: c.kind, Flags: c.flags}
		if f.IsMedia() != c.media || !f.Is(c.flags) || f.Is(c.flags|1<<15) {
			t.Errorf("%s: media %t, has its flags %t", c.name, f.IsMedia(), f.Is(c.flags))
		}
	}
}

func TestTimestamp(t *testing.T) {
	t.Parallel()
	for dts, want := range map[int64]uint32{0: 0, 1<<32 - 1: 0xFFFFFFFF, 1 << 32: 0, 3<<32 + 5: 5} {
		if got := (&Frame{DTS: dts}).Timestamp(); got != want {
			t.Errorf("%d travels as %d", dts, got)
		}
	}
}

// The header changes, the body stays, and the wire forms are those of a frame
// that was made so.
func TestSetHeader(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ old, header string }{
		{"12345", "12345"}, {"12345678", "1"}, {"1", "123456789012"}, {"12345", ""}, {strings.Repeat("x", MaxHeader), "12"},
	} {
		room := NewRoom(len(c.old) + 4)
		copy(Payload(room), c.old+"body")
		f := NewFrame(Video, room, len(c.old))
		f.SetHeader([]byte(c.header))
		want := NewFrame(Video, NewRoom(len(c.header)+4), len(c.header))
		copy(want.Payload(), c.header+"body")
		f.DTS, want.DTS = 70000, 70000
		f.Seal()
		want.Seal()
		if string(f.Payload()) != c.header+"body" || string(f.Body()) != "body" {
			t.Errorf("%q, body %q", f.Payload(), f.Body())
		}
		for what, form := range map[string]func(*Frame) []byte{
			"tag": (*Frame).Tag, "chunk": (*Frame).Chunk, "RTMP": (*Frame).RTMPHeader, "WebSocket": (*Frame).WSHeader,
		} {
			if got, want := form(f), form(want); !bytes.Equal(got, want) {
				t.Errorf("%s: %q, want %q", what, got, want)
			}
		}
	}
}

// The form for viewers of all tracks is made once, whoever asks.
func TestAll(t *testing.T) {
	t.Parallel()
	f := NewFrame(Audio, NewRoom(6), 2)
	copy(f.Payload(), "hdbody")
	f.Seq, f.Key, f.DTS, f.Flags, f.Track, f.Codec, f.State = 7, 5, 99, Other, 3, Opus, &State{}
	f.Seal()
	got := make(chan *Frame)
	for range 4 {
		go func() { got <- f.All(func(*Frame) []byte { return []byte("header") }) }()
	}
	a := <-got
	for range 3 {
		if b := <-got; b != a {
			t.Error("two forms")
		}
	}
	if string(a.Payload()) != "headerbody" || string(f.Payload()) != "hdbody" {
		t.Errorf("%q, was %q", a.Payload(), f.Payload())
	}
	if a.Seq != 7 || a.Key != 5 || a.DTS != 99 || a.Flags != Other || a.Track != 3 || a.Codec != Opus || a.State != f.State {
		t.Errorf("%+v", a)
	}
	plain := NewFrame(Audio, NewRoom(6), 2)
	plain.Seal()
	if plain.All(func(*Frame) []byte { return nil }) != plain {
		t.Error("a copy without need")
	}
}

func TestSameRole(t *testing.T) {
	t.Parallel()
	f := &Frame{Kind: Video, Track: 1, Flags: Config | Other}
	for _, c := range []struct {
		g    *Frame
		want bool
	}{
		{&Frame{Kind: Video, Track: 1, Flags: Config}, true},
		{&Frame{Kind: Audio, Track: 1, Flags: Config}, false},
		{&Frame{Kind: Video, Track: 2, Flags: Config}, false},
		{&Frame{Kind: Video, Track: 1, Flags: Extra}, false},
		{&Frame{Kind: Video, Track: 1, Flags: Config | Extra}, false},
	} {
		if f.SameRole(c.g) != c.want || c.g.SameRole(f) != c.want {
			t.Errorf("%+v: %t", c.g.Flags, !c.want)
		}
	}
}
