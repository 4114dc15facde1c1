package ws

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

func TestHeaderAgreesWithGobwas(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 125, 126, 127, 0xFFFF, 0x10000, 1 << 24, math.MaxInt64} {
		for _, op := range []Opcode{OpText, OpBinary, OpClose, OpPing, OpPong} {
			var want bytes.Buffer
			if err := ws.WriteHeader(&want, ws.Header{Fin: true, OpCode: op, Length: int64(n)}); err != nil {
				t.Fatal(err)
			}
			got := AppendHeader([]byte("x"), op, n)
			if string(got) != "x"+want.String() {
				t.Errorf("AppendHeader(%d, %d) = %x, want %x", op, n, got[1:], want.Bytes())
			}
		}
	}
}

func TestPutBinaryHeader(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 125, 126, 0xFFFF, 0x10000} {
		var buf [MaxHeader]byte
		got := buf[:PutBinaryHeader(&buf, n)]
		if want := AppendHeader(nil, OpBinary, n); !bytes.Equal(got, want) {
			t.Errorf("PutBinaryHeader(%d) = %x, want %x", n, got, want)
		}
	}
}

// Not parallel: AllocsPerRun counts the allocations of the whole process.
func TestPutBinaryHeaderAllocs(t *testing.T) {
	var buf [MaxHeader]byte
	if n := testing.AllocsPerRun(100, func() { PutBinaryHeader(&buf, 70_000) }); n != 0 {
		t.Errorf("PutBinaryHeader allocates %v times", n)
	}
}

func TestControlFrames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 100) // 200 bytes
	for _, c := range []struct {
		name string
		got  []byte
		want string
	}{
		{"ping", AppendPing(nil, nil), "\x89\x00"},
		{"pong", AppendPong(nil, []byte("hi")), "\x8a\x02hi"},
		{"pong, too long", AppendPong(nil, bytes.Repeat([]byte("a"), 200)), "\x8a\x7d" + strings.Repeat("a", 125)},
		{"close", AppendClose(nil, CloseGoingAway, "bye"), "\x88\x05\x03\xe9bye"},
		{"close without a code", AppendClose(nil, CloseNoStatus, "not sent"), "\x88\x00"},
		{"close, reason cut before a character", AppendClose(nil, CloseNormal, long), "\x88\x7c\x03\xe8" + long[:122]},
		{"close, reason cut", AppendClose(nil, CloseNormal, strings.Repeat("r", 124)), "\x88\x7d\x03\xe8" + strings.Repeat("r", 123)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if string(c.got) != c.want {
				t.Errorf("got  %q\nwant %q", c.got, c.want)
			}
			rest := bytes.NewReader(c.got)
			h, err := ws.ReadHeader(rest)
			if err != nil {
				t.Fatal(err)
			}
			if err := ws.CheckHeader(h, ws.StateClientSide); err != nil || int(h.Length) != rest.Len() {
				t.Errorf("gobwas reads %+v before %d bytes: %v", h, rest.Len(), err)
			}
			if h.OpCode == OpClose && h.Length > 2 && !utf8.Valid(c.got[4:]) {
				t.Errorf("reason %q is not UTF-8", c.got[4:])
			}
		})
	}
}

func TestAppendMasked(t *testing.T) {
	t.Parallel()
	mask := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	// The example of RFC 6455 section 5.7: "a single-frame masked text message".
	payload := []byte("Hello")
	got := AppendMasked(nil, OpText, true, payload, mask)
	if want := "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"; string(got) != want {
		t.Errorf("got %x, want %x", got, want)
	}
	if string(payload) != "Hello" {
		t.Errorf("payload was changed to %q", payload)
	}
	if got := AppendMasked(nil, OpText, false, nil, mask); got[0] != 0x01 {
		t.Errorf("fragment begins with %x, want 01", got[0])
	}
}
