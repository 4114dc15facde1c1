package chunk

import (
	"errors"
	"reflect"
	"testing"

	"github.com/millrace/millrace/core/media"
)

// readAll feeds b to a reader in pieces of step bytes, each in memory that is
// overwritten afterwards, and returns all messages.
func readAll(r *Reader, b string, step int) ([]plain, error) {
	var all []plain
	for len(b) > 0 {
		n := min(step, len(b))
		piece := []byte(b[:n])
		b = b[n:]
		r.Feed(piece)
		for {
			m, ok, err := r.Next()
			if err != nil {
				return all, err
			}
			if !ok {
				break
			}
			all = append(all, plain{m.ChunkStream, m.Type, m.StreamID, m.Timestamp, string(media.Payload(m.Room))})
		}
		clear(piece)
	}
	return all, nil
}

var steps = []int{1, 2, 3, 5, 17, 1000, 1 << 20}

func TestReader(t *testing.T) {
	t.Parallel()
	for _, c := range cases {
		for _, step := range steps {
			r := NewReader(Limits{})
			got, err := readAll(r, c.enc, step)
			if err != nil || !reflect.DeepEqual(got, c.dec) {
				t.Errorf("%s, by %d: got %.300v, %v; want %.300v", c.name, step, got, err, c.dec)
			}
			if r.partial != 0 || r.Buffered() != 0 || r.Offset() != int64(len(c.enc)) {
				t.Errorf("%s, by %d: partial %d, buffered %d, offset %d of %d", c.name, step, r.partial, r.Buffered(), r.Offset(), len(c.enc))
			}
		}
	}
}

func TestReaderRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range badCases {
		for _, step := range steps {
			r := NewReader(smallLimits)
			_, err := readAll(r, c.enc, step)
			var protocol *ProtocolError
			var limit *LimitError
			if !errors.As(err, &protocol) && !errors.As(err, &limit) {
				t.Errorf("%s, by %d: error of type %T", c.name, step, err)
				continue
			}
			// How much was read when growing fails depends on the pieces.
			if err.Error() != c.want && (limit == nil || limit.Key != "limits.partial_bytes") {
				t.Errorf("%s, by %d: got error %q, want %q", c.name, step, err, c.want)
			}
			if _, ok, again := r.Next(); ok || again != err {
				t.Errorf("%s: the error does not stay: %v", c.name, again)
			}
		}
	}
}

// What is fed while messages are still buffered comes after them.
func TestReaderFeedAhead(t *testing.T) {
	t.Parallel()
	var enc string
	var want []plain
	for _, c := range cases {
		if c.ours != 0 {
			enc += c.enc
			want = append(want, c.dec...)
		}
	}
	r := NewReader(Limits{})
	first, second := []byte(enc[:len(enc)/2]), []byte(enc[len(enc)/2:])
	r.Feed(first)
	m, ok, err := r.Next()
	if !ok || err != nil {
		t.Fatal(m, ok, err)
	}
	r.Feed(second)
	clear(first)
	clear(second)
	if want := int64(len(enc)) - r.Offset(); int64(r.Buffered()) != want {
		t.Errorf("%d bytes buffered, want %d", r.Buffered(), want)
	}
	var got []plain
	for ok {
		got = append(got, plain{m.ChunkStream, m.Type, m.StreamID, m.Timestamp, string(media.Payload(m.Room))})
		if m, ok, err = r.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %.300v", got)
	}
}

// Lengths alone make a reader allocate little.
func TestReaderTrustsNoLength(t *testing.T) {
	t.Parallel()
	r := NewReader(Limits{})
	for csid := range uint32(60) {
		r.Feed(append(AppendHeader0(nil, csid+2, 9, 1, 0, 16<<20-1), make([]byte, defaultSize)...))
		if _, _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if r.partial > firstRoom+60*smallRoom {
		t.Errorf("%d bytes allocated for nothing", r.partial)
	}
}

// A message costs one allocation, its buffer.
func TestReaderAllocs(t *testing.T) {
	b := AppendMessage(nil, 6, 9, 1, 0, make([]byte, 20000), 128)
	r := NewReader(Limits{})
	allocs := testing.AllocsPerRun(100, func() {
		r.Feed(b[:7777])
		_, _, _ = r.Next()
		r.Feed(b[7777:])
		if _, ok, err := r.Next(); !ok || err != nil {
			t.Fatal(ok, err)
		}
	})
	if allocs > 1 {
		t.Errorf("%v allocations a message", allocs)
	}
}

func FuzzChunk(f *testing.F) {
	for _, c := range cases {
		if len(c.enc) < 2000 {
			f.Add([]byte(c.enc), uint8(3))
		}
	}
	for _, c := range badCases {
		if len(c.enc) < 2000 {
			f.Add([]byte(c.enc), uint8(7))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, step uint8) {
		whole := NewReader(smallLimits)
		want, wantErr := readAll(whole, string(b), len(b)+1)
		if whole.partial < 0 || whole.partial > smallLimits.PartialBytes {
			t.Fatalf("%d bytes in progress", whole.partial)
		}
		got, err := readAll(NewReader(smallLimits), string(b), int(step)+1)
		if (err == nil) != (wantErr == nil) || !reflect.DeepEqual(got, want) {
			t.Fatalf("in pieces: %v, %v; at once: %v, %v", got, err, want, wantErr)
		}
	})
}
