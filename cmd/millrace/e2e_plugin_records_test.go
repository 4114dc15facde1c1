package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// records are what the recorders made of a session.
type records struct {
	flv, mp4, hls string // file or folder
	open          bool   // cut off: no MP4 of the whole
}

func (r *records) add(kind string, m manifest) {
	switch kind {
	case "flv":
		r.flv = strings.TrimSuffix(m.file, ".json")
	case "mp4":
		r.mp4 = filepath.Dir(m.file)
	case "hls":
		r.hls = filepath.Dir(m.file)
	}
}

// check wants all frames of the source, and only those, in each record.
func (r records) check(t *testing.T, want sums) {
	t.Helper()
	for name, d := range r.decode(t) {
		t.Run(name, func(t *testing.T) {
			d.succeed(t)
			allFrames(t, d, want)
		})
	}
}

// decode starts to decode each form of the records.
func (r records) decode(t *testing.T) map[string]sums {
	t.Helper()
	all := map[string]sums{}
	if r.flv != "" {
		all["flv"] = decode(t, r.flv, "va")
	}
	if r.mp4 != "" {
		if !r.open {
			all["merged mp4"] = decode(t, filepath.Join(r.mp4, "output_merge", "stream_full.mp4"), "va")
		}
		all["muxed set"] = decode(t, joined(t, filepath.Join(r.mp4, "output_merge"), "init.mp4", "segment"), "va")
		all["separate sets"] = r.separate(t)
	}
	if r.hls != "" {
		all["hls"] = decode(t, playlist(t, r.hls), "va", "-allowed_extensions", "ALL")
	}
	return all
}

// separate decodes the sets of one track each.
func (r records) separate(t *testing.T) sums {
	t.Helper()
	dir := filepath.Join(r.mp4, "output_separate")
	audio := decode(t, joined(t, dir, "audio_init.mp4", "audio"), "a")
	both := decode(t, joined(t, dir, "video_init.mp4", "video"), "v")
	audio.succeed(t)
	both.audio = audio.audio
	return both
}

// joined is a file with the init segment and all that follow it.
func joined(t *testing.T, dir, first, rest string) string {
	t.Helper()
	all, err := os.ReadFile(filepath.Join(dir, first))
	for n := 1; err == nil; n++ {
		var b []byte
		b, err = os.ReadFile(filepath.Join(dir, fmt.Sprintf("%s_%d.m4s", rest, n)))
		all = append(all, b...)
	}
	if !os.IsNotExist(err) || len(all) == 0 {
		t.Fatalf("join %s: %v", dir, err)
	}
	file := filepath.Join(t.TempDir(), "joined.mp4")
	if err := os.WriteFile(file, all, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// playlist is a copy of that of a session with the paths of files in place of
// URLs, and with an end: ffmpeg would wait for more.
func playlist(t *testing.T, session string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(session, "index.m3u8"))
	if err != nil {
		t.Fatal(err)
	}
	data, _, _ := strings.Cut(session, "/hls/")
	text := strings.ReplaceAll(string(b), "/hls/", data+"/hls/")
	if end := "#EXT-X-ENDLIST\n"; !strings.HasSuffix(text, end) {
		text += end
	}
	file := filepath.Join(t.TempDir(), "index.m3u8")
	writeFile(t, file, text)
	return file
}

// allFrames wants each frame of the source once, at its time.
func allFrames(t *testing.T, got, want sums) {
	t.Helper()
	for _, pair := range [][2]string{{got.video, want.video}, {got.audio, want.audio}} {
		if g, w := len(readSums(t, pair[0])), len(readSums(t, pair[1])); g != w {
			t.Errorf("%s: %d frames, want %d", filepath.Base(pair[0]), g, w)
		}
	}
	sameFrames(t, got, want)
}
