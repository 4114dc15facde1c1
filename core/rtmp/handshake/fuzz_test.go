package handshake

import (
	"bytes"
	"testing"
)

// FuzzHandshake holds that both sides take no more than a handshake has, and
// that nothing depends on how the bytes are cut.
func FuzzHandshake(f *testing.F) {
	for _, c := range openings {
		f.Add(c.c0c1, uint16(1))
		f.Add(append(bytes.Clone(c.c0c1), make([]byte, Size+5)...), uint16(1537))
	}
	for _, form := range []Form{Digest8, Digest772, Simple} {
		_, reply, _, _ := NewServer(random(2), 0).Feed(c0c1(form, nil))
		f.Add(reply, uint16(1000))
	}
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), uint16(7))
	f.Fuzz(func(t *testing.T, b []byte, size uint16) {
		sides := func() []feeder {
			return []feeder{NewServer(random(2), 0), NewClient(random(1), 77, Digest8), NewClient(random(1), 77, Simple)}
		}
		pieces := sides()
		for i, whole := range sides() {
			n, out, done, err := feedBy(whole, b, len(b)+1)
			n2, out2, done2, err2 := feedBy(pieces[i], b, int(size)+1)
			if n > 1+2*Size || done != (err == nil && n == 1+2*Size) {
				t.Fatalf("side %d took %d of %d, done %v, error %v", i, n, len(b), done, err)
			}
			if (err == nil) != (err2 == nil) || done != done2 || err == nil && (n != n2 || !bytes.Equal(out, out2)) {
				t.Fatalf("side %d: whole %d, %v, %v; by %d: %d, %v, %v", i, n, done, err, size, n2, done2, err2)
			}
		}
	})
}
