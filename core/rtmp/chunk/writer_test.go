package chunk

import (
	"reflect"
	"testing"
)

func TestAppendMessage(t *testing.T) {
	t.Parallel()
	for _, c := range cases {
		if c.ours == 0 {
			continue
		}
		if got := inChunks(c.dec, c.ours); got != c.enc {
			t.Errorf("%s: got %q, want %q", c.name, got, c.enc)
		}
	}
}

// What the writer makes of any case reads as that case.
func TestAppendMessageReadsBack(t *testing.T) {
	t.Parallel()
	for _, c := range cases {
		for _, size := range []int{1, 128, 4096, 65536, maxSize} {
			enc := onTwo(1, uint32(size)) + inChunks(stripControl(c.dec), size)
			got, err := readAll(NewReader(Limits{}), enc, 1<<20)
			if err != nil || !reflect.DeepEqual(got[1:], stripControl(c.dec)) {
				t.Errorf("%s at %d: got %.300v, %v", c.name, size, got, err)
			}
		}
	}
}

func stripControl(ms []plain) []plain {
	kept := []plain{}
	for _, m := range ms {
		if m.typ > 2 {
			kept = append(kept, m)
		}
	}
	return kept
}
