package hls

import (
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/fmp4/clip"
	"github.com/millrace/millrace/plugins/plugintest"
	"github.com/millrace/millrace/plugins/sdk"
)

const (
	picture = "testsrc2=s=320x240:r=30:d=6"
	sound   = "sine=f=440:r=48000:d=6"
)

var codecs = []struct {
	name string
	ext  string
	args []string
}{
	{"irregular frame rate", ".ts", []string{"-f", "lavfi", "-i", picture, "-vf", "select='not(eq(mod(n,7),3))+0'", "-vsync", "vfr", "-c:v", "libx264", "-bf", "2", "-g", "20", "-pix_fmt", "yuv420p"}},
	{"H.264 and MP3", ".ts", []string{"-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound, "-c:v", "libx264", "-bf", "3", "-g", "30", "-pix_fmt", "yuv420p", "-c:a", "libmp3lame"}},
	{"H.264 and AC-3", ".ts", []string{"-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound, "-c:v", "libx264", "-g", "30", "-pix_fmt", "yuv420p", "-c:a", "ac3"}},
	{"HEVC and Opus", ".m4s", []string{"-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound, "-c:v", "libx265", "-x265-params", "log-level=none:keyint=30", "-preset", "ultrafast", "-tag:v", "hvc1", "-pix_fmt", "yuv420p", "-c:a", "libopus"}},
	{"AV1 and FLAC", ".m4s", []string{"-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound, "-c:v", "libaom-av1", "-cpu-used", "8", "-usage", "realtime", "-g", "30", "-pix_fmt", "yuv420p", "-c:a", "flac"}},
	{"VP9 and MP3", ".m4s", []string{"-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound, "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "30", "-pix_fmt", "yuv420p", "-c:a", "libmp3lame"}},
	{"E-AC-3", ".ts", []string{"-f", "lavfi", "-i", sound, "-c:a", "eac3"}},
	{"AAC", ".ts", []string{"-f", "lavfi", "-i", sound, "-c:a", "aac"}},
	{"Opus", ".m4s", []string{"-f", "lavfi", "-i", sound, "-c:a", "libopus"}},
}

// Each codec is in the segments that have it, and decodes to what was
// published.
func TestCodecs(t *testing.T) {
	t.Parallel()
	for _, c := range codecs {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			src := clip.Make(t, c.args...)
			h := plugintest.NewHost(t)
			p := start(t, h, newClock(), map[string]any{"target": "2s"})
			s := h.Attach(p, "live", "cam")
			for _, f := range src.Headers {
				s.Feed(plugintest.Header(f))
			}
			for _, b := range batches(plugintest.Frames(src.Frames...), 300) {
				s.Feed(b...)
			}
			s.End()
			got := check(t, list(t, h, "live/cam"))
			if !strings.HasSuffix(got.uris[0], c.ext) || len(got.uris) < 3 || (c.ext == ".m4s") != (len(got.maps) == 1) {
				t.Errorf("segments %v, maps %v", got.uris, got.maps)
			}
			url := web(t, h) + "/hls/live/cam/index.m3u8"
			for kind, letter := range map[media.Kind]string{media.Video: "v", media.Audio: "a"} {
				if len(src.Of(kind)) > 0 {
					same(t, letter, decode(t, url, letter), decode(t, src.Path, letter))
				}
			}
		})
	}
}

// A stream that changes from what MPEG-TS has to what it has not goes on in
// fragmented MP4, and stays there.
func TestCodecChange(t *testing.T) {
	t.Parallel()
	avc := clip.Make(t, "-f", "lavfi", "-i", "testsrc2=s=320x240:r=30:d=4", "-c:v", "libx264", "-g", "30", "-pix_fmt", "yuv420p")
	hevc := clip.Make(t, "-f", "lavfi", "-i", "testsrc2=s=320x240:r=30:d=4", "-c:v", "libx265", "-x265-params", "log-level=none:keyint=30", "-preset", "ultrafast", "-tag:v", "hvc1", "-pix_fmt", "yuv420p")
	h := plugintest.NewHost(t)
	p := start(t, h, newClock(), map[string]any{"target": "2s"})
	s := h.Attach(p, "live", "cam")
	var offset int64
	for _, c := range []*clip.Clip{avc, hevc, avc} {
		for _, f := range slices.Concat(c.Headers, c.Frames) {
			moved := plugintest.Video(f.Codec, f.Flags, f.DTS+offset, f.CTS, f.Body())
			s.Feed(sdk.Item{Type: sdk.Frame, Frame: moved})
		}
		offset += 4000
	}
	s.End()
	got := check(t, list(t, h, "live/cam"))
	if !slices.Equal(got.discontinuities, []int{2, 4}) || len(got.maps) != 2 || len(got.uris) != 6 {
		t.Errorf("discontinuities %v, maps %v, %v", got.discontinuities, got.maps, got.uris)
	}
}
