package ws

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// limit is the message limit of the Readers in these tests.
const limit = 1000

var mask = [4]byte{0xA1, 0xB2, 0xC3, 0xD4}

// client encodes one final frame of a client.
func client(op Opcode, payload string) string {
	return string(AppendMasked(nil, op, true, []byte(payload), mask))
}

// part encodes one frame of a client that others follow.
func part(op Opcode, payload string) string {
	return string(AppendMasked(nil, op, false, []byte(payload), mask))
}

// readerCases serve the test of the Reader, the same fed byte by byte, and the
// corpus of the fuzz target.
var readerCases = []struct {
	name string
	in   string
	want []Event
	code Code // of the error, 0 when there is none
}{
	{name: "nothing"},
	{name: "ping", in: client(OpPing, "are you there"), want: []Event{{Op: OpPing, Payload: []byte("are you there")}}},
	{name: "ping without payload", in: client(OpPing, ""), want: []Event{{Op: OpPing}}},
	{name: "ping of 125 bytes", in: client(OpPing, strings.Repeat("p", 125)), want: []Event{{Op: OpPing, Payload: bytes.Repeat([]byte("p"), 125)}}},
	{name: "pong", in: client(OpPong, "yes"), want: []Event{{Op: OpPong, Payload: []byte("yes")}}},
	{name: "two pings", in: client(OpPing, "long one") + client(OpPing, "2"), want: []Event{{Op: OpPing, Payload: []byte("long one")}, {Op: OpPing, Payload: []byte("2")}}},
	{name: "text", in: client(OpText, "hello"), want: []Event{{Op: OpText, Size: 5}}},
	{name: "binary of 126 bytes", in: client(OpBinary, strings.Repeat("b", 126)), want: []Event{{Op: OpBinary, Size: 126}}},
	{name: "empty text", in: client(OpText, ""), want: []Event{{Op: OpText}}},
	{name: "message at the limit", in: client(OpBinary, strings.Repeat("b", limit)), want: []Event{{Op: OpBinary, Size: limit}}},
	{
		name: "fragments with a ping between them",
		in:   part(OpText, "one ") + client(OpPing, "?") + part(OpContinuation, "") + client(OpContinuation, "two") + client(OpText, "3"),
		want: []Event{{Op: OpPing, Payload: []byte("?")}, {Op: OpText, Size: 7}, {Op: OpText, Size: 1}},
	},
	{name: "half a header", in: client(OpText, "hello")[:1]},
	{name: "half a payload", in: client(OpText, "hello")[:8]},
	{name: "close", in: client(OpClose, "\x03\xe8done"), want: []Event{{Op: OpClose, Code: CloseNormal, Reason: "done"}}},
	{name: "close without a code", in: client(OpClose, ""), want: []Event{{Op: OpClose, Code: CloseNoStatus}}},
	{name: "close with an IANA code", in: client(OpClose, "\x03\xf5"), want: []Event{{Op: OpClose, Code: CloseTryLater}}},
	{name: "close with an application's code", in: client(OpClose, "\x0f\xa0"), want: []Event{{Op: OpClose, Code: 4000}}},
	{name: "bytes after a close", in: client(OpClose, "\x03\xe8") + "\xff\xff\xff\xff", want: []Event{{Op: OpClose, Code: CloseNormal}}},

	{name: "unmasked", in: string(AppendPing(nil, []byte("x"))), code: CloseProtocol},
	{name: "unmasked after a good one", in: client(OpPing, "") + string(AppendHeader(nil, OpText, 0)), want: []Event{{Op: OpPing}}, code: CloseProtocol},
	{name: "rsv1", in: "\xc1\x80\x00\x00\x00\x00", code: CloseProtocol},
	{name: "rsv3 on a ping", in: "\x99\x80\x00\x00\x00\x00", code: CloseProtocol},
	{name: "reserved data opcode", in: client(3, ""), code: CloseProtocol},
	{name: "reserved control opcode", in: client(0xB, ""), code: CloseProtocol},
	{name: "ping in fragments", in: part(OpPing, "x"), code: CloseProtocol},
	{name: "ping of 126 bytes", in: client(OpPing, strings.Repeat("p", 126)), code: CloseProtocol},
	{name: "continuation of nothing", in: client(OpContinuation, "x"), code: CloseProtocol},
	{name: "new message inside a message", in: part(OpText, "x") + client(OpText, "y"), code: CloseProtocol},
	{name: "length in 16 bits that fits in 7", in: "\x82\xfe\x00\x05\x00\x00\x00\x00hello", code: CloseProtocol},
	{name: "length in 64 bits that fits in 16", in: "\x82\xff\x00\x00\x00\x00\x00\x00\xff\xff\x00\x00\x00\x00", code: CloseProtocol},
	{name: "length with the top bit", in: "\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", code: CloseProtocol},
	{name: "message over the limit", in: client(OpBinary, strings.Repeat("b", limit+1)), code: CloseTooBig},
	{name: "message of 2^63-1 bytes announced", in: "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00", code: CloseTooBig},
	{name: "fragments over the limit", in: part(OpBinary, strings.Repeat("b", limit)) + client(OpContinuation, "b"), code: CloseTooBig},
	{name: "fragments whose sum overflows", in: part(OpBinary, "b") + "\x80\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00", code: CloseTooBig},
	{name: "close with half a code", in: client(OpClose, "\x03"), code: CloseProtocol},
	{name: "close 0", in: client(OpClose, "\x00\x00"), code: CloseProtocol},
	{name: "close 999", in: client(OpClose, "\x03\xe7"), code: CloseProtocol},
	{name: "close 1004", in: client(OpClose, "\x03\xec"), code: CloseProtocol},
	{name: "close 1005", in: client(OpClose, "\x03\xed"), code: CloseProtocol},
	{name: "close 1006", in: client(OpClose, "\x03\xee"), code: CloseProtocol},
	{name: "close 1015", in: client(OpClose, "\x03\xf7"), code: CloseProtocol},
	{name: "close 2999", in: client(OpClose, "\x0b\xb7"), code: CloseProtocol},
	{name: "close 5000", in: client(OpClose, "\x13\x88"), code: CloseProtocol},
	{name: "close with a reason that is not UTF-8", in: client(OpClose, "\x03\xe8\xff\xfe"), code: CloseInvalidData},
}

// readAll feeds in to a new Reader, step bytes at a time, and returns copies
// of the events, and the error when it is not ErrShort.
func readAll(in string, step int) ([]Event, error) {
	r := NewReader(limit)
	var events []Event
	for len(in) > 0 {
		b := []byte(in[:min(step, len(in))])
		in = in[len(b):]
		for {
			ev, n, err := r.Next(b)
			if n < 0 || n > len(b) {
				return events, fmt.Errorf("took %d of %d bytes", n, len(b))
			}
			b = b[n:]
			if errors.Is(err, ErrShort) {
				if len(b) > 0 {
					return events, fmt.Errorf("ErrShort with %d bytes left", len(b))
				}
				break
			}
			if err != nil {
				return events, err
			}
			ev.Payload = append([]byte(nil), ev.Payload...)
			events = append(events, ev)
		}
	}
	return events, nil
}

func TestReader(t *testing.T) {
	t.Parallel()
	for _, c := range readerCases {
		for _, step := range []int{1, 3, 1 << 20} {
			t.Run(fmt.Sprintf("%s/%d", c.name, step), func(t *testing.T) {
				t.Parallel()
				got, err := readAll(c.in, step)
				if !reflect.DeepEqual(got, c.want) {
					t.Errorf("events %+v\nwant   %+v", got, c.want)
				}
				var perr *ProtocolError
				errors.As(err, &perr)
				switch {
				case c.code == 0 && err != nil:
					t.Errorf("error %v, want none", err)
				case c.code != 0 && (perr == nil || perr.Code != c.code):
					t.Errorf("error %v, want close code %d", err, c.code)
				}
			})
		}
	}
}

func TestReaderErrorIsFinal(t *testing.T) {
	t.Parallel()
	r := NewReader(limit)
	good := []byte(client(OpText, "hello"))
	bad := AppendPing(nil, nil)
	if _, n, err := r.Next(append(good, bad...)); err != nil || n != len(good) {
		t.Fatalf("Next = %d, %v", n, err)
	}
	_, _, first := r.Next(bad)
	var perr *ProtocolError
	if !errors.As(first, &perr) || perr.Offset != int64(len(good)) {
		t.Fatalf("error %v, want one at byte %d", first, len(good))
	}
	if _, n, err := r.Next(good); err != first || n != 0 {
		t.Errorf("after an error Next = %d, %v, want 0, %v", n, err, first)
	}
}

func TestReaderKeepsNoData(t *testing.T) {
	t.Parallel()
	r := NewReader(1 << 30)
	b := AppendMasked(nil, OpBinary, true, make([]byte, 1<<20), mask)
	if _, n, err := r.Next(b); err != nil || n != len(b) {
		t.Fatalf("Next = %d, %v", n, err)
	}
	if cap(r.ctl) != 0 {
		t.Errorf("%d bytes kept", cap(r.ctl))
	}
}

// FuzzReader holds that no input makes the Reader panic, that it says the same
// however its input is cut, and that it keeps no more than a control frame.
func FuzzReader(f *testing.F) {
	for _, c := range readerCases {
		f.Add([]byte(c.in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		whole, werr := readAll(string(in), len(in)+1)
		bytewise, berr := readAll(string(in), 1)
		if !reflect.DeepEqual(whole, bytewise) || !reflect.DeepEqual(werr, berr) {
			t.Fatalf("whole %+v, %v\nbyte by byte %+v, %v", whole, werr, bytewise, berr)
		}
		for _, ev := range whole {
			if len(ev.Payload) > MaxControl || ev.Size > limit {
				t.Fatalf("event out of bounds: %+v", ev)
			}
		}
	})
}
