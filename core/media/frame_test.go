package media

import (
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
		{"data", Data, 0, false},
		{"metadata", Data, Metadata, false},
	} {
		f := &Frame{Kind: c.kind, Flags: c.flags}
		if f.IsMedia() != c.media || !f.Is(c.flags) || f.Is(c.flags|1<<7) {
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
