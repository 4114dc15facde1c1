package hls

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/plugins/plugintest"
	"github.com/millrace/millrace/plugins/sdk"
)

// fakeClock is the plugin's clock in tests: it stands still.
type fakeClock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *fakeClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *fakeClock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func newClock() *fakeClock {
	return &fakeClock{t: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
}

// start makes a plugin that a host has started.
func start(t *testing.T, h *plugintest.Host, c *fakeClock, values map[string]any) *Plugin {
	t.Helper()
	p := New().(*Plugin)
	if c != nil {
		p.now = c.now
	}
	if _, ok := values["min_free"]; !ok {
		if values == nil {
			values = map[string]any{}
		}
		values["min_free"] = "0"
	}
	h.Start(p, values)
	return p
}

// web serves what a host has, objects before files, and counts the bytes.
func web(t *testing.T, h *plugintest.Host) string {
	t.Helper()
	files := http.FileServer(http.Dir(h.DataDir()))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if o, ok := h.Object(strings.TrimPrefix(r.URL.Path, "/")); ok {
			w.Header().Set("Content-Type", o.ContentType)
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(o.Body))
			return
		}
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// sources are made once for all tests, by what ffmpeg is told.
var sources struct {
	mu    sync.Mutex
	dir   string
	files map[string]string
}

func TestMain(m *testing.M) {
	code := plugintest.InMemory(m)
	if sources.dir != "" {
		if err := os.RemoveAll(sources.dir); err != nil {
			code = 1
		}
	}
	os.Exit(code)
}

// source makes a file with ffmpeg from test pictures and a tone.
func source(t *testing.T, name string, args ...string) string {
	t.Helper()
	sources.mu.Lock()
	defer sources.mu.Unlock()
	if sources.files == nil {
		dir, err := os.MkdirTemp("", "millrace-hls-")
		if err != nil {
			t.Fatal(err)
		}
		sources.dir, sources.files = dir, map[string]string{}
	}
	key := name + " " + strings.Join(args, " ")
	if f, ok := sources.files[key]; ok {
		return f
	}
	f := filepath.Join(sources.dir, strings.NewReplacer("/", "_").Replace(t.Name())+"-"+name)
	all := append([]string{
		"-v", "error", "-y", "-threads", "1",
		"-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100",
	}, args...)
	if out, err := exec.Command("ffmpeg", append(all, f)...).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, out)
	}
	sources.files[key] = f
	return f
}

// sample is 20 s of H.264 with B-frames and a keyframe every 2 s, and AAC.
func sample(t *testing.T) string {
	return source(t, "clip.flv", "-t", "20", "-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "50",
		"-sc_threshold", "0", "-b:v", "300k", "-c:a", "aac", "-b:a", "64k")
}

// frame is a decoded frame: its time in ms, and its md5.
type frame struct {
	pts int64
	md5 string
}

// decode decodes all of one kind ("v" or "a") with ffmpeg.
func decode(t *testing.T, url, kind string) []frame {
	t.Helper()
	args := []string{"-v", "error", "-threads", "1"}
	if strings.Contains(url, "m3u8") {
		args = append(args, "-live_start_index", "0")
	}
	if strings.HasSuffix(url, ".mp4") {
		args = append(args, "-ignore_editlist", "1")
	}
	args = append(args, "-copyts", "-i", url, "-map", "0:"+kind, "-fps_mode", "passthrough",
		"-enc_time_base", "1:1000", "-f", "framemd5", "-")
	var out, errs bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "ffmpeg", args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("decode %s: %v\n%s", url, err, errs.Bytes())
	}
	if errs.Len() > 0 {
		t.Errorf("decode %s: %s", url, errs.Bytes())
	}
	return parseFrames(t, out.String())
}

func parseFrames(t *testing.T, out string) []frame {
	t.Helper()
	var frames []frame
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(line, ",")
		if len(fields) < 6 {
			t.Fatalf("framemd5 says %q", line)
		}
		frames = append(frames, frame{number(t, fields[2]), strings.TrimSpace(fields[5])})
	}
	return frames
}

func number(t *testing.T, s string) int64 {
	t.Helper()
	var n int64
	for _, c := range strings.TrimSpace(s) {
		if c < '0' || c > '9' {
			t.Fatalf("%q is no number", s)
		}
		n = n*10 + int64(c-'0')
	}
	return n
}

// same compares decoded frames, and their times within 1 ms of a constant
// offset.
func same(t *testing.T, what string, got, want []frame) {
	t.Helper()
	if len(got) != len(want) || len(want) == 0 {
		t.Fatalf("%s: %d frames, want %d", what, len(got), len(want))
	}
	offset := got[0].pts - want[0].pts
	for i := range want {
		if got[i].md5 != want[i].md5 {
			t.Fatalf("%s: frame %d of %d differs", what, i, len(want))
		}
		if d := got[i].pts - want[i].pts - offset; d < -1 || d > 1 {
			t.Fatalf("%s: frame %d at %d ms, want %d", what, i, got[i].pts-offset, want[i].pts)
		}
	}
}

// list is the playlist of a stream as it is published.
func list(t *testing.T, h *plugintest.Host, stream string) string {
	t.Helper()
	o, ok := h.Object("hls/" + stream + "/index.m3u8")
	if !ok {
		t.Fatal("there is no playlist")
	}
	return string(o.Body)
}

// batches cuts items into what lies within ms of each other.
func batches(items []sdk.Item, ms int64) [][]sdk.Item {
	var all [][]sdk.Item
	for len(items) > 0 {
		n := 0
		for n < len(items) && items[n].Frame.DTS <= items[0].Frame.DTS+ms {
			n++
		}
		all = append(all, items[:n])
		items = items[n:]
	}
	return all
}

// wait polls until done.
func wait(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not happen")
		}
	}
}
