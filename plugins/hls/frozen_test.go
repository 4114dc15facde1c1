package hls

import (
	"os"
	"testing"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/plugintest"
	"github.com/millrace/millrace/plugins/sdk"
)

// Timestamps that stand still end no chunk, and a track that never comes is
// waited for: what is held back is bounded all the same, whichever track it is.
func TestFrozenTime(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"ts", "fmp4"} {
		for _, kind := range []media.Kind{media.Video, media.Audio} {
			t.Run(format+" "+kind.String(), func(t *testing.T) {
				t.Parallel()
				s := open(t, map[string]any{"format": format, "checksum": false}).(*stream)
				n := 1
				write := func(f *media.Frame) {
					if err := s.Write([]sdk.Item{{Type: sdk.Frame, Seq: uint64(n), Frame: f}}); err != nil {
						t.Fatal(err)
					}
					n++
				}
				write(plugintest.NALU(media.Keyframe, 0, 100))
				for range 40 {
					if kind == media.Video {
						write(plugintest.NALU(0, 0, 1<<20))
					} else {
						write(plugintest.Audio(media.AAC, 0, 0, make([]byte, 1<<20))) // no real frame is so long
					}
					waiting := s.size // for the other track
					if s.cur != nil {
						waiting = s.cur.bytes // for the chunk's end
					}
					if waiting > maxBytes+1<<20 {
						t.Fatalf("%d bytes are held back after %d frames", waiting, n-1)
					}
				}
				if s.durable < 20 {
					t.Errorf("the next frame on disk is %d of %d", s.durable, n)
				}
				info, err := os.Stat(s.paths.dir + "/" + s.cur.File)
				if err != nil || info.Size() < 20<<20 {
					t.Errorf("%v, %v", info, err)
				}
			})
		}
	}
}
