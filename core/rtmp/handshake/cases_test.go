package handshake

import (
	"bytes"
	_ "embed"
	"math/rand/v2"
)

// What ffmpeg 5.1.9 and rtmpdump 2.4 sent to a listener.
var (
	//go:embed testdata/ffmpeg-5.1.c0c1
	ffmpegC0C1 []byte
	//go:embed testdata/rtmpdump-2.4.c0c1
	rtmpdumpC0C1 []byte
)

// random returns random data that is the same in each run.
func random(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

// c0c1 is what our client of form f opens with, after change.
func c0c1(f Form, change func(c1 []byte)) []byte {
	_, out, _, err := NewClient(random(1), 77, f).Feed(nil)
	if err != nil {
		panic(err)
	}
	if change != nil {
		change(out[1:])
	}
	return out
}

func flipDigest(f Form) func([]byte) {
	return func(c1 []byte) { c1[digestAt(c1, f)+31] ^= 1 }
}

// openings are what a server may meet, and the form that it must answer in.
var openings = []struct {
	name string
	c0c1 []byte
	want Form
}{
	{"simple", c0c1(Simple, nil), Simple},
	{"digest at 8", c0c1(Digest8, nil), Digest8},
	{"digest at 772", c0c1(Digest772, nil), Digest772},
	{"ffmpeg", ffmpegC0C1, Digest8},
	{"rtmpdump", rtmpdumpC0C1, Simple},
	{"wrong digest at 8", c0c1(Digest8, flipDigest(Digest8)), Simple},
	{"wrong digest at 772", c0c1(Digest772, flipDigest(Digest772)), Simple},
	{"version without a digest", c0c1(Simple, func(c1 []byte) { copy(c1[4:], "\x0a\x00\x00\x01") }), Simple},
	{"digest without a version", c0c1(Digest8, func(c1 []byte) { clear(c1[4:8]) }), Simple},
	{"nothing but 0xff", append([]byte{Version}, bytes.Repeat([]byte{0xff}, Size)...), Simple},
}
