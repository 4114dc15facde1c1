package fmp4

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/fmp4/clip"
	"github.com/millrace/millrace/plugins/record"
)

const (
	picture = "testsrc2=s=320x240:r=30:d=4"
	sound   = "sine=f=440:r=44100:d=4"
)

var both = []string{"-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound}

// with are two inputs and what is to be done with them.
func with(args ...string) []string { return append(append([]string(nil), both...), args...) }

var x264 = []string{"-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-g", "20", "-pix_fmt", "yuv420p"}

var clips = []struct {
	name string
	args []string
}{
	{"H.264 with B-frames, AAC", with(append(x264, "-c:a", "aac")...)},
	{"irregular frame rate", with(append(x264, "-vf", "select='not(eq(mod(n,7),3))'", "-vsync", "vfr", "-c:a", "aac")...)},
	{"video only", append([]string{"-f", "lavfi", "-i", picture}, x264...)},
	{"audio only, MP3", []string{"-f", "lavfi", "-i", sound, "-c:a", "libmp3lame"}},
	{"HEVC, Opus", with("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:keyint=20", "-tag:v", "hvc1", "-pix_fmt", "yuv420p", "-ar", "48000", "-c:a", "libopus")},
	{"AV1, FLAC", with("-c:v", "libaom-av1", "-cpu-used", "8", "-usage", "realtime", "-g", "20", "-pix_fmt", "yuv420p", "-c:a", "flac")},
	{"VP9, AC-3", with("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "20", "-pix_fmt", "yuv420p", "-c:a", "ac3")},
}

func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil || stderr.Len() > 0 {
		t.Fatalf("%s %q: %v\n%s", name, args, err, stderr.Bytes())
	}
	return stdout.String()
}

// hashes are the md5 of the decoded streams, by kind.
func hashes(t testing.TB, path string, more ...string) map[media.Kind]string {
	t.Helper()
	args := append([]string{"-v", "warning", "-nostdin"}, more...)
	out := run(t, "ffmpeg", append(args, "-i", path, "-map", "0:v?", "-map", "0:a?", "-fps_mode", "passthrough", "-f", "streamhash", "-hash", "md5", "-")...)
	all := map[media.Kind]string{}
	for line := range strings.Lines(out) {
		if fields := strings.Split(strings.TrimSpace(line), ","); len(fields) == 3 {
			all[kindNamed[fields[1]]] = fields[2]
		}
	}
	return all
}

// kindNamed are the media by how ffmpeg and ffprobe call them.
var kindNamed = map[string]media.Kind{"v": media.Video, "video": media.Video, "a": media.Audio, "audio": media.Audio}

// sums are the hashes of clips, by path: many tests hold their files against
// the same one.
var sums sync.Map

func hashesOf(t testing.TB, c *clip.Clip) map[media.Kind]string {
	t.Helper()
	sum, _ := sums.LoadOrStore(c.Path, sync.OnceValue(func() map[media.Kind]string { return hashes(t, c.Path, "-ignore_editlist", "1") }))
	return sum.(func() map[media.Kind]string)()
}

// joined is the init segment with all segments behind it.
func joined(t testing.TB, dir, prefix, segment string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, prefix+"init.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; ; n++ {
		more, err := os.ReadFile(filepath.Join(dir, segment+strconv.Itoa(n)+".m4s"))
		if err != nil {
			break
		}
		b = append(b, more...)
	}
	path := filepath.Join(t.TempDir(), "joined.mp4")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// times compares the packets that ffprobe sees with the frames, after one
// shift for all tracks.
func times(t testing.TB, path string, c *clip.Clip, kinds ...media.Kind) {
	t.Helper()
	shift := math.Inf(1)
	type packet struct{ pts, want float64 }
	var all []packet
	seen := packets(t, path)
	for _, k := range kinds {
		frames := c.Of(k)
		if len(seen[k]) != len(frames) {
			t.Errorf("%s: %v: %d packets of %d frames", filepath.Base(path), k, len(seen[k]), len(frames))
			return
		}
		for i, pts := range seen[k] {
			want := float64(frames[i].DTS+int64(frames[i].CTS)) / 1000
			all = append(all, packet{pts, want})
			shift = min(shift, want)
		}
	}
	for i, p := range all {
		if d := p.pts - (p.want - shift); math.Abs(d) > 0.001 {
			t.Errorf("%s: packet %d at %.6f s, %.6f s off", filepath.Base(path), i, p.pts, d)
			return
		}
	}
}

// packets are the times that ffprobe sees, in seconds, by kind.
func packets(t testing.TB, path string) map[media.Kind][]float64 {
	t.Helper()
	seen := map[media.Kind][]float64{}
	for _, line := range strings.Fields(run(t, "ffprobe", "-v", "warning", "-show_entries", "packet=codec_type,pts_time", "-of", "csv=p=0", path)) {
		kind, text, _ := strings.Cut(strings.TrimSuffix(line, ","), ",")
		pts, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		seen[kindNamed[kind]] = append(seen[kindNamed[kind]], pts)
	}
	return seen
}

// kindsOf are the media of a clip.
func kindsOf(c *clip.Clip) []media.Kind {
	var kinds []media.Kind
	for _, k := range []media.Kind{media.Video, media.Audio} {
		if len(c.Of(k)) > 0 {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

// checkSession holds all files of a session against their source.
func checkSession(t *testing.T, dir string, c *clip.Clip) {
	t.Helper()
	kinds := kindsOf(c)
	merged := joined(t, filepath.Join(dir, mergeDir), "", "segment_")
	full := filepath.Join(dir, mergeDir, fullName)
	times(t, merged, c, kinds...)
	times(t, full, c, kinds...)
	want := hashesOf(t, c)
	for _, path := range []string{merged, full} {
		if got := hashes(t, path, "-ignore_editlist", "1"); !maps.Equal(got, want) {
			t.Errorf("%s decodes to %v, want %v", path, got, want)
		}
	}
	if got := hashes(t, full); got[media.Video] != want[media.Video] {
		t.Errorf("with its edit list, the video decodes to %s, want %s", got[media.Video], want[media.Video])
	}
	for _, k := range kinds {
		separate := joined(t, filepath.Join(dir, separateDir), k.String()+"_", k.String()+"_")
		if got := hashes(t, separate, "-ignore_editlist", "1"); len(got) != 1 || got[k] != want[k] {
			t.Errorf("%s decodes to %v, want %v", separate, got, want[k])
		}
	}
	if _, err := mp4.ReadMP4File(full); err != nil {
		t.Errorf("mp4ff: %v", err)
	}
	report, err := record.Verify(dir)
	if err != nil || !report.Whole() || report.From != 1 || report.To != uint64(len(c.Frames)+1) {
		t.Errorf("verify: %v\n%s", err, report.String())
	}
}

// Whatever the codecs: each frame is in each set at its time, and all decode
// to what the source does.
func TestRecord(t *testing.T) {
	t.Parallel()
	for _, tt := range clips {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := clip.Make(t, tt.args...)
			h := newHost(t)
			recordClip(t, h, c, nil)
			checkSession(t, h.dir(1), c)
			segments := h.told(event.Segment)
			if len(segments) < 3 {
				t.Errorf("%d segments were announced", len(segments))
			}
			done := h.told(event.RecordDone)
			if len(done) != 1 || done[0].ToSeq != uint64(len(c.Frames)+1) || !strings.HasSuffix(done[0].File, fullName) {
				t.Errorf("done: %+v", done)
			}
			if left, _ := filepath.Glob(filepath.Join(h.StateDir(), "mp4", "*")); len(left) > 0 {
				t.Errorf("left in the state folder: %q", left)
			}
		})
	}
}

// Playlists and indexes name every segment, by its session's URL; the alias
// leads to the session.
func TestIndexes(t *testing.T) {
	t.Parallel()
	c := clip.Make(t, clips[0].args...)
	h := newHost(t)
	recordClip(t, h, c, nil)
	alias := filepath.Join(h.DataDir(), "mp4/live/cam")
	b, err := os.ReadFile(filepath.Join(alias, mergeDir, "index.m3u8"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"#EXT-X-PLAYLIST-TYPE:VOD", "#EXT-X-ENDLIST", "/mp4/live/cam/20261121_142401/output_merge/segment_1.m4s",
		`#EXT-X-MAP:URI="/mp4/live/cam/20261121_142401/output_merge/init.mp4"`,
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %q in\n%s", want, b)
		}
	}
	for _, folder := range []string{mergeDir, separateDir} {
		var index struct{ Segments []indexEntry }
		b, err := os.ReadFile(filepath.Join(alias, folder, "index.json"))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &index); err != nil || len(index.Segments) < 3 {
			t.Errorf("%d segments in index.json: %v", len(index.Segments), err)
		}
	}
	master, err := os.ReadFile(filepath.Join(alias, separateDir, "index.m3u8"))
	if err != nil || !strings.Contains(string(master), "avc1.") || !strings.Contains(string(master), "mp4a.40.2") {
		t.Errorf("master playlist: %v\n%s", err, master)
	}
}
