package web

import (
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestSeek has ffmpeg seek in a file whose index is at its end: it asks for all,
// then from where the index begins, then from where the picture lies.
func TestSeek(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Fatal("this needs ffmpeg: make test installs it")
	}
	dir := someFiles(t)
	file := filepath.Join(dir, session, "output_merge/stream_full.mp4")
	ffmpeg(t, "-y", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25", "-t", "20", "-g", "25", "-c:v", "libx264", "-b:v", "4M", "-minrate", "4M", "-pix_fmt", "yuv420p", file)
	var mu sync.Mutex
	var ranges []string
	gate := gateFunc(func(r *http.Request) Decision {
		mu.Lock()
		defer mu.Unlock()
		ranges = append(ranges, r.Header.Get("Range"))
		return Decision{}
	})
	_, addr := start(t, Options{Settings: Settings{DataDir: dir, Gate: gate}})
	picture := func(url string) string {
		return ffmpeg(t, "-ss", "15.2", "-i", url, "-frames:v", "1", "-f", "framemd5", "-")
	}
	if got, want := picture("http://"+addr+"/"+session+"/output_merge/stream_full.mp4"), picture(file); got != want || !strings.Contains(got, "0,") {
		t.Errorf("got %s, want %s", got, want)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(ranges) < 3 || ranges[0] != "bytes=0-" {
		t.Errorf("ffmpeg asked for %q", ranges)
	}
}

// ffmpeg runs it and returns what it writes.
func ffmpeg(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ffmpeg", append([]string{"-nostdin", "-v", "error"}, args...)...).Output()
	if err != nil {
		t.Fatalf("ffmpeg %q: %v", args, err)
	}
	return string(out)
}

// TestDataInHTTP10 serves files to clients that know no newer protocol.
func TestDataInHTTP10(t *testing.T) {
	t.Parallel()
	_, addr := start(t, Options{Settings: Settings{DataDir: someFiles(t)}})
	for _, c := range []struct {
		header []string
		status int
		body   string
	}{
		{nil, 200, "0123456789"},
		{[]string{"Range: bytes=2-4"}, 206, "234"},
		{[]string{"Range: bytes=10-"}, 416, "invalid range: failed to overlap\n"},
	} {
		a := get(t, addr, append([]string{"GET /" + session + "/output_merge/segment_1.m4s HTTP/1.0"}, c.header...)...)
		if a.StatusCode != c.status || a.body != c.body || len(a.TransferEncoding) > 0 || a.ContentLength != int64(len(c.body)) {
			t.Errorf("%q: %s %q, coding %q, length %d", c.header, a.Status, a.body, a.TransferEncoding, a.ContentLength)
		}
	}
}
