package box_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/fmp4/box"
	"github.com/millrace/millrace/plugins/fmp4/clip"
)

const (
	picture = "testsrc2=s=320x240:r=30:d=3"
	sound   = "sine=f=440:r=48000:d=3"
)

// sources are the codecs that a recording may have.
var sources = []struct {
	name string
	args []string
	hevc bool
}{
	{name: "H.264 with B-frames and AAC", args: []string{"-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound, "-c:v", "libx264", "-bf", "3", "-g", "30", "-pix_fmt", "yuv420p", "-c:a", "aac"}},
	{name: "irregular frame rate", args: []string{"-f", "lavfi", "-i", picture, "-vf", "select='not(eq(mod(n,7),3))+0'", "-vsync", "vfr", "-c:v", "libx264", "-bf", "2", "-g", "20", "-pix_fmt", "yuv420p"}},
	{name: "HEVC and Opus", args: []string{"-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound, "-c:v", "libx265", "-x265-params", "log-level=none:keyint=30", "-preset", "ultrafast", "-tag:v", "hvc1", "-pix_fmt", "yuv420p", "-c:a", "libopus"}},
	{name: "AV1 and FLAC", args: []string{"-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound, "-c:v", "libaom-av1", "-cpu-used", "8", "-usage", "realtime", "-g", "30", "-pix_fmt", "yuv420p", "-c:a", "flac"}},
	{name: "VP9 and MP3", args: []string{"-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound, "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "30", "-pix_fmt", "yuv420p", "-c:a", "libmp3lame"}},
	{name: "AC-3", args: []string{"-f", "lavfi", "-i", sound, "-c:a", "ac3"}},
	{name: "E-AC-3", args: []string{"-f", "lavfi", "-i", sound, "-c:a", "eac3"}},
	{name: "MP3 at 22,050 Hz", args: []string{"-f", "lavfi", "-i", "sine=r=22050:d=3", "-c:a", "libmp3lame", "-ac", "1"}},
	{name: "anamorphic, with colour", args: []string{"-f", "lavfi", "-i", picture, "-c:v", "libx264", "-g", "30", "-pix_fmt", "yuv420p", "-vf", "setsar=4/3", "-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709"}},
}

// build makes an MP4 of fragments of all frames, each of up to a second.
func build(t *testing.T, c *clip.Clip) []byte {
	t.Helper()
	var tracks []box.Track
	var out []byte
	runs := map[media.Kind]*box.Run{}
	clocks := map[media.Kind]*box.Clock{}
	for _, k := range []media.Kind{media.Video, media.Audio} {
		frames := c.Of(k)
		if len(frames) == 0 {
			continue
		}
		var config []byte
		for _, h := range c.Headers {
			if h.Kind == k {
				config = h.Body()
			}
		}
		codec, err := box.Parse(frames[0].Codec, config, frames[0].Body())
		if err != nil {
			t.Fatal(err)
		}
		id := uint32(len(tracks) + 1)
		tracks = append(tracks, box.Track{ID: id, Codec: codec, Bitrate: 100000})
		clock := box.NewClock(codec, 0)
		clocks[k] = &clock
		run := &box.Run{Track: id, Kind: k}
		for _, f := range frames {
			n := 0
			if k == media.Audio {
				n = codec.Samples(f.Body())
			}
			run.Samples = append(run.Samples, box.Sample{
				Time: clock.Time(f.DTS, f.Nano, n), CTS: f.CTS * 90, Sync: k == media.Audio || f.Is(media.Keyframe), Body: codec.SampleBody(f.Body()),
			})
		}
		last := run.Samples[len(run.Samples)-1].Time
		box.Durations(run.Samples, last+int64(max(codec.FrameSamples, 3000)))
		runs[k] = run
	}
	out = box.Init(tracks)
	for number := uint32(1); ; number++ {
		frag := box.Fragment{Number: number, Wall: time.Unix(1700000000, 5e8)}
		for _, k := range []media.Kind{media.Video, media.Audio} {
			if r := runs[k]; r != nil {
				n := 0
				for n < len(r.Samples) && r.Samples[n].Time < int64(number)*clocks[k].Scale {
					n++
				}
				frag.Runs = append(frag.Runs, box.Run{Track: r.Track, Kind: k, Samples: r.Samples[:n]})
				r.Samples = r.Samples[n:]
			}
		}
		empty := true
		for _, r := range frag.Runs {
			empty = empty && len(r.Samples) == 0
		}
		if empty {
			return out
		}
		for _, b := range frag.Buffers(nil, frag.AppendHead(nil)) {
			out = append(out, b...)
		}
	}
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil || stderr.Len() > 0 {
		t.Fatalf("%s %q: %v\n%s", name, args, err, stderr.Bytes())
	}
	return stdout.String()
}

// decoded is the md5 of each decoded stream.
func decoded(t *testing.T, path string) string {
	t.Helper()
	return run(t, "ffmpeg", "-v", "warning", "-nostdin", "-ignore_editlist", "1", "-i", path, "-map", "0", "-fps_mode", "passthrough", "-f", "streamhash", "-hash", "md5", "-")
}

// What is made of each codec decodes to the same pictures and sounds, holds
// every frame at its time, and gives ffprobe and mp4ff no reason to complain.
func TestCodecs(t *testing.T) {
	t.Parallel()
	for _, s := range sources {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			c := clip.Make(t, s.args...)
			b := build(t, c)
			path := filepath.Join(t.TempDir(), "out.mp4")
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := mp4.DecodeFile(bytes.NewReader(b)); err != nil {
				t.Errorf("mp4ff: %v", err)
			}
			if got, want := decoded(t, path), decoded(t, c.Path); got != want {
				t.Errorf("decoded:\n%swant:\n%s", got, want)
			}
			checkTimes(t, path, c)
		})
	}
}

// checkTimes compares the packets that ffprobe sees with the frames.
func checkTimes(t *testing.T, path string, c *clip.Clip) {
	t.Helper()
	for kind, selector := range map[media.Kind]string{media.Video: "v", media.Audio: "a"} {
		frames := c.Of(kind)
		out := run(t, "ffprobe", "-v", "warning", "-ignore_editlist", "1", "-select_streams", selector, "-show_entries", "packet=pts_time,dts_time", "-of", "csv=p=0", path)
		lines := strings.Fields(out)
		if len(lines) != len(frames) {
			t.Fatalf("%v: %d packets of %d frames", kind, len(lines), len(frames))
		}
		for i, line := range lines {
			f := frames[i]
			pts, dts, _ := strings.Cut(line, ",")
			if off(t, pts, f.DTS+int64(f.CTS)) || off(t, dts, f.DTS) {
				t.Fatalf("%v frame %d: pts %s dts %s, want %d ms + %d", kind, i, pts, dts, f.DTS, f.CTS)
			}
		}
	}
}

func off(t *testing.T, seconds string, ms int64) bool {
	t.Helper()
	s, err := strconv.ParseFloat(strings.TrimSuffix(seconds, ","), 64)
	if err != nil {
		t.Fatal(err)
	}
	d := s*1000 - float64(ms)
	return d > 1 || d < -1
}

// The shape of pixels and the colour are in the file, not only in the stream.
func TestColourAndAspect(t *testing.T) {
	t.Parallel()
	c := clip.Make(t, sources[len(sources)-1].args...)
	b := build(t, c)
	for _, want := range []string{"colrnclx\x00\x01\x00\x01\x00\x01", "pasp\x00\x00\x00\x04\x00\x00\x00\x03", "btrt"} {
		if !bytes.Contains(b, []byte(want)) {
			t.Errorf("no %q", want)
		}
	}
	tracks, err := box.ParseInit(b)
	if err != nil || tracks[0].Width != 427 || tracks[0].Height != 240 {
		t.Errorf("shown as %+v: %v", tracks, err)
	}
}
