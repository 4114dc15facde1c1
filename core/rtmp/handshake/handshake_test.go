package handshake

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// feeder is what both sides are.
type feeder interface {
	Feed(b []byte) (n int, out []byte, done bool, err error)
}

// feedBy feeds b in pieces of size bytes until the handshake is over.
func feedBy(f feeder, b []byte, size int) (n int, out []byte, done bool, err error) {
	for !done && err == nil && n < len(b) {
		var used int
		var o []byte
		used, o, done, err = f.Feed(b[n:min(n+size, len(b))])
		n, out = n+used, append(out, o...)
	}
	return n, out, done, err
}

// hmacOf is HMAC-SHA256, for checks that share no code with what they check.
func hmacOf(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// acceptedLikeFfmpeg does what ffmpeg's player does with S0, S1 and S2: unless
// the server's version starts with less than 3, S1 must have a digest at 772
// or 8, and the last 32 bytes of S2 must sign the digest of C1, which is at
// pos in it.
func acceptedLikeFfmpeg(c1 []byte, pos int, reply []byte) string {
	s1, s2 := reply[1:1537], reply[1537:]
	if s1[4] < 3 {
		return ""
	}
	key := []byte("Genuine Adobe Flash Media Server 001")
	found := false
	for _, base := range []int{772, 8} {
		at := (int(s1[base])+int(s1[base+1])+int(s1[base+2])+int(s1[base+3]))%728 + base + 4
		found = found || bytes.Equal(s1[at:at+32], hmacOf(key, s1[:at], s1[at+32:]))
	}
	if !found {
		return "S1 has no digest"
	}
	key = append(key,
		0xf0, 0xee, 0xc2, 0x4a, 0x80, 0x68, 0xbe, 0xe8, 0x2e, 0x00, 0xd0, 0xd1, 0x02, 0x9e, 0x7e, 0x57,
		0x6e, 0xec, 0x5d, 0x2d, 0x29, 0x80, 0x6f, 0xab, 0x93, 0xb8, 0xe6, 0x36, 0xcf, 0xeb, 0x31, 0xae)
	if !bytes.Equal(s2[1504:], hmacOf(hmacOf(key, c1[pos:pos+32]), s2[:1504])) {
		return "S2 is not signed"
	}
	return ""
}

func TestServerAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range openings {
		s := NewServer(random(2), 0x01020304)
		n, out, done, err := s.Feed(c.c0c1)
		if n != len(c.c0c1) || done || err != nil || s.Form() != c.want {
			t.Errorf("%s: took %d, done %v, form %v, error %v", c.name, n, done, s.Form(), err)
			continue
		}
		if len(out) != 1+2*Size || string(out[:5]) != "\x03\x01\x02\x03\x04" {
			t.Errorf("%s: answered %d bytes that start with %x", c.name, len(out), out[:5])
			continue
		}
		c1, version := c.c0c1[1:], string(out[5:9])
		if c.want == Simple {
			if version != "\x00\x00\x00\x00" || !bytes.Equal(out[1+Size:], c1) {
				t.Errorf("%s: S1 has version %x, or S2 is not C1", c.name, version)
			}
			continue
		}
		if version[0] < 3 {
			t.Errorf("%s: version %x would not be verified", c.name, version)
		}
		if why := acceptedLikeFfmpeg(c1, digestAt(c1, c.want), out); why != "" {
			t.Errorf("%s: ffmpeg would refuse: %s", c.name, why)
		}
	}
}

// However the bytes are cut, the same goes out, and what follows C2 stays.
func TestServerInPieces(t *testing.T) {
	t.Parallel()
	for _, c := range openings {
		in := bytes.Join([][]byte{c.c0c1, bytes.Repeat([]byte("x"), Size), []byte("chunk")}, nil)
		_, want, _, _ := NewServer(random(2), 0).Feed(in)
		for _, size := range []int{1, 2, 1000, 1536, 1537, 1538, 3072, 3073, 3074, len(in)} {
			n, out, done, err := feedBy(NewServer(random(2), 0), in, size)
			if n != 1+2*Size || !done || err != nil {
				t.Errorf("%s by %d: took %d, done %v, error %v", c.name, size, n, done, err)
			}
			if !bytes.Equal(out, want) {
				t.Errorf("%s by %d: the answer depends on how the bytes came", c.name, size)
			}
		}
	}
}

func TestServerAfterTheEnd(t *testing.T) {
	t.Parallel()
	s := NewServer(random(2), 0)
	in := append(c0c1(Simple, nil), make([]byte, Size)...)
	if _, _, done, err := s.Feed(in); !done || err != nil {
		t.Fatalf("done %v, error %v", done, err)
	}
	if n, out, done, err := s.Feed(in); n != 0 || out != nil || !done || err != nil {
		t.Errorf("after the end: %d, %d bytes, %v, %v", n, len(out), done, err)
	}
}

func TestVersionIsRefused(t *testing.T) {
	t.Parallel()
	for _, v := range []byte{0, 2, 4, 6, 8, 9, 'G', 0x16, 0xff} {
		for name, f := range map[string]feeder{
			"server": NewServer(random(1), 0),
			"client": NewClient(random(1), 0, Simple),
		} {
			for range 2 { // an error is final
				n, out, done, err := f.Feed([]byte{v})
				if n != 0 || out != nil || done || !errors.Is(err, ErrVersion) {
					t.Errorf("%s, version %d: %d, %d bytes, %v, %v", name, v, n, len(out), done, err)
				}
			}
		}
	}
}

func TestRandomDataFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, c := range openings {
		for _, left := range []int64{0, 1527, 2000} {
			if c.want == Simple && left == 2000 {
				continue // S2 needs none
			}
			r := io.MultiReader(io.LimitReader(random(1), left), iotest.ErrReader(broken))
			s := NewServer(r, 0)
			for range 2 {
				if n, out, done, err := s.Feed(c.c0c1); n != 0 || out != nil || done || !errors.Is(err, broken) {
					t.Errorf("%s, %d: %d, %d bytes, %v, %v", c.name, left, n, len(out), done, err)
				}
			}
		}
	}
	if _, _, _, err := NewClient(iotest.ErrReader(broken), 0, Simple).Feed(nil); !errors.Is(err, broken) {
		t.Errorf("client: %v", err)
	}
}

// talk runs a handshake in pieces of size bytes.
func talk(t *testing.T, c *Client, s *Server, size int) (c2 []byte) {
	t.Helper()
	_, opening, _, err := c.Feed(nil)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	_, reply, _, err := feedBy(s, opening, size)
	if err != nil {
		t.Fatalf("server: %v", err)
	}
	n, c2, done, err := feedBy(c, append(reply, "chunk"...), size)
	if n != len(reply) || !done || err != nil || len(c2) != Size {
		t.Fatalf("client took %d of %d, sent %d, done %v, error %v", n, len(reply), len(c2), done, err)
	}
	if n, _, done, err := feedBy(s, append(c2, "chunk"...), size); n != Size || !done || err != nil {
		t.Fatalf("server took %d of C2, done %v, error %v", n, done, err)
	}
	return c2
}

func TestClientAndServer(t *testing.T) {
	t.Parallel()
	for _, f := range []Form{Simple, Digest8, Digest772} {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			var first []byte
			for _, size := range []int{1, 1537, 1 << 16} {
				s := NewServer(random(2), 0)
				c2 := talk(t, NewClient(random(1), 0, f), s, size)
				if s.Form() != f {
					t.Errorf("by %d: server speaks %v", size, s.Form())
				}
				if first == nil {
					first = c2
				}
				if !bytes.Equal(c2, first) {
					t.Errorf("by %d: C2 depends on how the bytes came", size)
				}
			}
		})
	}
}

// librtmp's server wants C2 signed with all of the player's key.
func TestClientSigns(t *testing.T) {
	t.Parallel()
	c := NewClient(random(1), 0, Digest8)
	_, opening, _, _ := c.Feed(nil)
	_, reply, _, _ := NewServer(random(2), 0).Feed(opening)
	_, c2, _, err := c.Feed(reply)
	if err != nil {
		t.Fatal(err)
	}
	at := digestAt(reply[1:], Digest8) + 1
	key := hmacOf([]byte(clientText+keyTail), reply[at:at+32])
	if !bytes.Equal(c2[1504:], hmacOf(key, c2[:1504])) {
		t.Error("C2 is not signed")
	}
}

func TestClientFallsBack(t *testing.T) {
	t.Parallel()
	c := NewClient(random(1), 0, Digest8)
	_, opening, _, _ := c.Feed(nil)
	clear(opening[5:9]) // the server will not look for a digest
	_, reply, _, _ := NewServer(random(2), 0).Feed(opening)
	_, c2, done, err := c.Feed(reply)
	if !done || err != nil || !bytes.Equal(c2, reply[1:1+Size]) {
		t.Errorf("done %v, error %v, or C2 is not S1", done, err)
	}
}

func TestClientVerifies(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]int{"S1": 1 + Size - 1, "S2": 2 * Size} {
		c := NewClient(random(1), 0, Digest772)
		_, opening, _, _ := c.Feed(nil)
		_, reply, _, _ := NewServer(random(2), 0).Feed(opening)
		reply[at] ^= 1
		for range 2 {
			_, _, done, err := c.Feed(reply)
			if done || !errors.Is(err, ErrDigest) || !strings.Contains(err.Error(), name) {
				t.Errorf("wrong %s: done %v, error %v", name, done, err)
			}
		}
	}
}

func TestFormString(t *testing.T) {
	t.Parallel()
	for f, want := range map[Form]string{Simple: "simple", Digest8: "digest8", Digest772: "digest772", 9: "form 9"} {
		if f.String() != want {
			t.Errorf("got %q, want %q", f.String(), want)
		}
	}
}

func BenchmarkServer(b *testing.B) {
	for _, c := range openings[:2] {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, _, err := NewServer(random(2), 0).Feed(c.c0c1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
