package amf

import (
	"bytes"
	"testing"
)

func FuzzAMF0(f *testing.F) { fuzz(f, versions[0]) }

func FuzzAMF3(f *testing.F) { fuzz(f, versions[1]) }

// fuzz holds that a decoder keeps within its input and limits, and that what
// it decoded comes back the same from the encoder's bytes.
func fuzz(f *testing.F, ver version) {
	for _, c := range ver.cases {
		f.Add([]byte(c.enc))
	}
	for _, c := range ver.bad {
		if len(c.enc) < 4096 {
			f.Add([]byte(c.enc))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		lim := Limits{Depth: 16, Values: 4096, Bytes: 4096}
		v, n, err := ver.decode(b, lim)
		if err != nil {
			return
		}
		if n <= 0 || n > len(b) {
			t.Fatalf("took %d of %d bytes", n, len(b))
		}
		once := ver.append(nil, v)
		if limit := 16*lim.Values + len(b) + lim.Bytes; len(once) > limit {
			t.Fatalf("%d bytes became %d", len(b), len(once))
		}
		again, n, err := ver.decode(once, lim)
		if err != nil || n != len(once) {
			t.Fatalf("decode own bytes %q: %d, %v", once, n, err)
		}
		if twice := ver.append(nil, again); !bytes.Equal(once, twice) {
			t.Fatalf("encoded %q, then %q", once, twice)
		}
	})
}
