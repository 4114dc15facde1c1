package fmp4

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/millrace/millrace/plugins/fmp4/box"
)

// whatever stands in a segment's file after a crash, it is read to its last
// whole fragment.
func FuzzScan(f *testing.F) {
	frag := box.Fragment{Number: 1, Runs: []box.Run{{Track: 1, Kind: 9, Samples: []box.Sample{{Duration: 1, Body: []byte("abc")}, {Time: 1, Duration: 2, Body: []byte("de")}}}}}
	n := note{Number: 1, From: 1, To: 3, Wall: time.Unix(1700000000, 0), Has: [2]bool{true}}
	b := box.AppendSegmentType(nil)
	for range 2 {
		b = frag.AppendHead(n.append(b))
		b = append(b, "abcde"...)
	}
	f.Add(b)
	f.Add(b[:len(b)-1])
	f.Add(append(b, 0, 0, 0, 0))
	f.Add(slices.Concat(b, []byte("\x00\x00\x00\x08free")))
	f.Fuzz(func(t *testing.T, b []byte) {
		var last int64
		good, err := scanFragments(bytes.NewReader(b), int64(len(b)), func(f *fragmentAt) error {
			if f.from > f.end || f.end > int64(len(b)) || f.from < last {
				t.Errorf("fragment from %d to %d", f.from, f.end)
			}
			last = f.end
			return nil
		})
		if err != nil || good != last {
			t.Errorf("%d, %v; the last fragment ends at %d", good, err, last)
		}
	})
}

func TestNote(t *testing.T) {
	t.Parallel()
	n := note{
		Number: 7, From: 1, To: 1 << 60, Last: [2]uint64{5, 6}, FromDTS: -3, ToDTS: 1 << 50, Wall: time.Unix(1700000000, 5),
		Next: [2]int64{8, 9}, Time: [2]int64{10, 11}, Has: [2]bool{false, true}, Keyframe: true,
	}
	b := n.append(nil)
	h, err := box.ReadHeader(b)
	if err != nil || h.Kind != "uuid" || int(h.Size) != len(b) {
		t.Fatalf("%+v, %v", h, err)
	}
	if got, ok := parseNote(b[8:]); !ok || got != n {
		t.Errorf("got %+v, want %+v", got, n)
	}
	if _, ok := parseNote(b[9:]); ok {
		t.Error("a note that is cut is read")
	}
	b[10]++
	if _, ok := parseNote(b[8:]); ok {
		t.Error("another's box is read")
	}
}
