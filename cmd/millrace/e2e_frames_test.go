package main_test

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestOddFrames sends frames of sizes that no encoder makes: of megabytes, of
// a byte, of none. What is media arrives as it was sent; the publisher is not
// closed for the rest.
func TestOddFrames(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]conf{
		"usual chunks": nil,
		"small chunks": {"rtmp.chunk_size": "128"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := startServer(t, c)
			p := srv.publish(t, "live/x")
			captures := srv.awaitingAll(t, protocols, "live/x")
			sent := oddFrames(sourceTags(t, "small"))
			startFeedOnce(p, sent, 0)()
			if p.isGone() {
				t.Errorf("the publisher was closed: %v", p.said)
			}
			for _, c := range captures {
				sameBodies(t, c.protocol, mediaTags(c.end(t)), mediaTags(sent))
			}
		})
	}
}

// oddFrames are a configuration and noise in frames of many sizes.
func oddFrames(source []tag) []tag {
	noise := rand.NewChaCha8([32]byte{1})
	var tags []tag
	for _, g := range source {
		if g.isConfig() && g.kind == videoTag {
			tags = append(tags, g)
		}
	}
	sizes := []int{5_000_000, 1, 100_000, 65_535, 65_536, 65_531, 125, 126, 127, 128, 65_541, 2_000_000, 300_000}
	for i, size := range sizes {
		body := []byte{0x27, 1, 0, 0, 0}
		if i == 0 || i == 11 {
			body[0] = 0x17
		}
		body = append(body, make([]byte, size)...)
		_, _ = noise.Read(body[5:])
		ts := uint32(i) * 150
		tags = append(tags, tag{videoTag, ts, body}, tag{kind: audioTag, ts: ts}, tag{kind: videoTag, ts: ts + 1},
			tag{audioTag, ts + 2, []byte{0xAF}}, tag{videoTag, ts + 3, []byte{0x17}})
	}
	return tags
}

func sameBodies(t *testing.T, protocol string, got, want []tag) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d frames, want %d", protocol, len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		if got[i].kind != want[i].kind || !bytes.Equal(got[i].body, want[i].body) {
			t.Fatalf("%s: frame %d has %d bytes, want %d, or they differ", protocol, i, len(got[i].body), len(want[i].body))
		}
	}
}
