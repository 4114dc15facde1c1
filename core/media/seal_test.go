package media

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
)

// sealed is a frame of n payload bytes, each its index, sealed at dts.
func sealed(kind Kind, n int, dts int64) *Frame {
	f := NewFrame(kind, NewRoom(n), 0)
	for i := range f.Payload() {
		f.Payload()[i] = byte(i)
	}
	f.DTS = dts
	f.Seal()
	return f
}

// sealCases are frames whose wire forms are short enough to be written down.
// The payload is 00 01 …; in the forms it stands as "…".
var sealCases = []struct {
	name   string
	kind   Kind
	size   int
	dts    int64
	tag    string // with the PreviousTagSize
	chunk  string // what is before the tag in the HTTP chunk
	rtmp   string
	cont   string
	header string // of the WebSocket message
}{
	{"audio at 0", Audio, 2, 0,
		"08 000002 000000 00 000000 … 0000000d", "11\r\n",
		"04 000000 000002 08 01000000", "c4", "82 11"},
	{"video", Video, 3, 0x012345,
		"09 000003 012345 00 000000 … 0000000e", "12\r\n",
		"06 012345 000003 09 01000000", "c6", "82 12"},
	{"data", Data, 1, 1,
		"12 000001 000001 00 000000 … 0000000c", "10\r\n",
		"05 000001 000001 12 01000000", "c5", "82 10"},
	{"nothing", Data, 0, 1,
		"12 000000 000001 00 000000 … 0000000b", "f\r\n",
		"05 000001 000000 12 01000000", "c5", "82 0f"},
	{"last of 24 bits", Video, 1, 0xFFFFFE,
		"09 000001 fffffe 00 000000 … 0000000c", "10\r\n",
		"06 fffffe 000001 09 01000000", "c6", "82 10"},
	{"first that is extended", Video, 1, 0xFFFFFF,
		"09 000001 ffffff 00 000000 … 0000000c", "10\r\n",
		"06 ffffff 000001 09 01000000 00ffffff", "c6 00ffffff", "82 10"},
	{"extended", Audio, 1, 0x01000000,
		"08 000001 000000 01 000000 … 0000000c", "10\r\n",
		"04 ffffff 000001 08 01000000 01000000", "c4 01000000", "82 10"},
	{"last of 32 bits", Data, 1, 0xFFFFFFFF,
		"12 000001 ffffff ff 000000 … 0000000c", "10\r\n",
		"05 ffffff 000001 12 01000000 ffffffff", "c5 ffffffff", "82 10"},
	{"past 32 bits", Video, 1, 1<<32 + 7,
		"09 000001 000007 00 000000 … 0000000c", "10\r\n",
		"06 000007 000001 09 01000000", "c6", "82 10"},
	{"far past 32 bits", Video, 1, 5<<32 + 0xFFFFFF,
		"09 000001 ffffff 00 000000 … 0000000c", "10\r\n",
		"06 ffffff 000001 09 01000000 00ffffff", "c6 00ffffff", "82 10"},
	{"longest WebSocket message with 7 bits", Video, 125 - 15, 0,
		"09 00006e 000000 00 000000 … 00000079", "7d\r\n",
		"06 000000 00006e 09 01000000", "c6", "82 7d"},
	{"shortest with 16 bits", Video, 126 - 15, 0,
		"09 00006f 000000 00 000000 … 0000007a", "7e\r\n",
		"06 000000 00006f 09 01000000", "c6", "82 7e 007e"},
	{"longest with 16 bits", Video, 65535 - 15, 0,
		"09 00fff0 000000 00 000000 … 0000fffb", "ffff\r\n",
		"06 000000 00fff0 09 01000000", "c6", "82 7e ffff"},
	{"shortest with 64 bits", Video, 65536 - 15, 0,
		"09 00fff1 000000 00 000000 … 0000fffc", "10000\r\n",
		"06 000000 00fff1 09 01000000", "c6", "82 7f 0000000000010000"},
	{"payload of 125", Audio, 125, 0,
		"08 00007d 000000 00 000000 … 00000088", "8c\r\n",
		"04 000000 00007d 08 01000000", "c4", "82 7e 008c"},
	{"payload of 65535", Audio, 65535, 0,
		"08 00ffff 000000 00 000000 … 0001000a", "1000e\r\n",
		"04 000000 00ffff 08 01000000", "c4", "82 7f 000000000001000e"},
	{"payload of 65536", Audio, 65536, 0,
		"08 010000 000000 00 000000 … 0001000b", "1000f\r\n",
		"04 000000 010000 08 01000000", "c4", "82 7f 000000000001000f"},
	{"largest", Video, 0xFFFFFF, 0,
		"09 ffffff 000000 00 000000 … 0100000a", "100000e\r\n",
		"06 000000 ffffff 09 01000000", "c6", "82 7f 000000000100000e"},
}

func TestSeal(t *testing.T) {
	t.Parallel()
	for _, c := range sealCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := sealed(c.kind, c.size, c.dts)
			tag := unspace(t, c.tag, f.Payload())
			for _, form := range []struct {
				name      string
				got, want []byte
			}{
				{"tag", f.Tag(), tag},
				{"chunk", f.Chunk(), []byte(c.chunk + string(tag) + "\r\n")},
				{"RTMP header", f.RTMPHeader(), unspace(t, c.rtmp, nil)},
				{"RTMP continuation", f.RTMPContinuation(), unspace(t, c.cont, nil)},
				{"WebSocket header", f.WSHeader(), unspace(t, c.header, nil)},
			} {
				if !bytes.Equal(form.got, form.want) {
					t.Errorf("%s: got % x…, want % x…", form.name, head(form.got), head(form.want))
				}
			}
			for i, b := range f.Payload() {
				if b != byte(i) {
					t.Fatalf("payload byte %d is %d", i, b)
				}
			}
		})
	}
}

func head(b []byte) []byte { return b[:min(len(b), 40)] }

// unspace turns hexadecimal digits with spaces into bytes, "…" into payload.
func unspace(t *testing.T, s string, payload []byte) (b []byte) {
	t.Helper()
	for _, word := range strings.Fields(s) {
		if word == "…" {
			b = append(b, payload...)
			continue
		}
		var part []byte
		if _, err := fmt.Sscanf(word, "%x", &part); err != nil {
			t.Fatalf("%q: %v", word, err)
		}
		b = append(b, part...)
	}
	return b
}

// Whatever its size and time, a frame's forms agree with one another.
func TestSealSizes(t *testing.T) {
	t.Parallel()
	for size := range 2000 {
		f := sealed(Video, size, int64(size)*100_000)
		tag := f.Tag()
		if n := len(tag); n != size+15 || binary.BigEndian.Uint32(tag[n-4:]) != uint32(size+11) {
			t.Fatalf("%d bytes: a tag of %d", size, n)
		}
		if want := fmt.Sprintf("%x\r\n%s\r\n", len(tag), tag); string(f.Chunk()) != want {
			t.Fatalf("%d bytes: chunk % x", size, head(f.Chunk()))
		}
		if size >= 126 && int(binary.BigEndian.Uint16(f.WSHeader()[2:])) != len(tag) {
			t.Fatalf("%d bytes: WebSocket header % x", size, f.WSHeader())
		}
	}
}

// A frame may stand in a part of a buffer, its headroom larger than needed.
func TestSealInLargerBuffer(t *testing.T) {
	t.Parallel()
	buffer := bytes.Repeat([]byte{0xEE}, 200)
	room := buffer[50 : 50+Headroom+3+Tailroom]
	f := NewFrame(Video, room, 0)
	f.Seal()
	for i, b := range buffer {
		if inside := i >= 50 && i < 50+len(room); !inside && b != 0xEE {
			t.Fatalf("byte %d, outside its room, was written", i)
		}
	}
	if n := len(f.Payload()); n != 3 {
		t.Errorf("a payload of %d bytes", n)
	}
}

func TestSealAllocations(t *testing.T) {
	f := sealed(Video, 1000, 1<<24)
	if n := testing.AllocsPerRun(100, f.Seal); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkSeal(b *testing.B) {
	for _, dts := range []int64{1000, 1 << 24} {
		b.Run(fmt.Sprint(dts), func(b *testing.B) {
			f := sealed(Video, 4000, dts)
			b.ReportAllocs()
			for b.Loop() {
				f.Seal()
			}
		})
	}
}
