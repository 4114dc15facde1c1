package plugintest

import (
	_ "embed" // of the clip
	"testing"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/sdk"
)

// clip is 2 s of H.264 Main with B-frames, 64 × 64 at 25 Hz with a keyframe a
// second, and AAC-LC at 48 kHz:
//
//	ffmpeg -f lavfi -i testsrc2=s=64x64:r=25:d=2 -f lavfi -i sine=r=48000:d=2 -ac 1
//	  -c:v libx264 -profile:v main -pix_fmt yuv420p -preset veryfast -crf 40
//	  -x264-params bframes=2:keyint=25:scenecut=0 -c:a aac -b:a 24k
//	  -flvflags no_duration_filesize -fflags +bitexact -f flv clip.flv
//
//go:embed clip.flv
var clip []byte

// clipLength is by how much a repetition of the clip is later, in ms.
const clipLength = 2000

// Clip returns the headers of a small real stream, and its frames, n times
// over with times that go on; they can be decoded. Each call makes new frames.
func Clip(t testing.TB, n int) (headers, frames []*media.Frame) {
	t.Helper()
	for i := range n {
		items, err := parseFLV(clip)
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range items {
			switch {
			case it.Type == sdk.Header && i == 0:
				headers = append(headers, it.Frame)
			case it.Frame.IsMedia():
				it.Frame.Seq = 0
				it.Frame.DTS += int64(i) * clipLength
				it.Frame.Seal()
				frames = append(frames, it.Frame)
			}
		}
	}
	return headers, frames
}
