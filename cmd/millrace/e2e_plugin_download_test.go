package main_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDownloadOverTheEnd downloads an FLV while it grows, as curl resumes, and
// goes on when it has got its other head: what comes together is the version
// that was begun, and plays.
func TestDownloadOverTheEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	srv := startRecording(t, recording(dir, "flv"))
	tags := firstSeconds(sourceTags(t, "small"), 4)
	feed := feedUntil(t, srv.publish(t, "live/x"), tags, 3000)
	var file string
	eventually(t, "there is a file", func() bool {
		_, list := ask(t, srv, "GET", "/records.json", nil)
		file = between(list, `"url":"`, `"`)
		return file != ""
	})
	link := (&url.URL{Scheme: "http", Host: srv.http[0], Path: file, RawQuery: "version=live"}).String()
	out := filepath.Join(t.TempDir(), "live.flv")
	more := func() []byte {
		_, status := run(t, "curl", "-sS", "-C", "-", "-o", out, link)
		got, err := os.ReadFile(out)
		if status != 0 && status != 33 || err != nil { // 33 of older ones: there is no more
			t.Fatalf("curl: exit status %d, %v", status, err)
		}
		return got
	}
	var begun []byte
	eventually(t, "most is there", func() bool { begun = more(); return len(begun) > 80_000 })
	feed.end()
	r := waitRecords(t, filepath.Join(dir, "data"), "live/x", 1, "flv")[0]
	whole := more()
	if !strings.HasPrefix(string(whole), string(begun)) || len(whole) == len(begun) {
		t.Errorf("%d bytes, of which %d were there", len(whole), len(begun))
	}
	kept, err := parseFLV(whole)
	if err != nil {
		t.Fatalf("after %d tags: %v", len(kept), err)
	}
	sameTags(t, kept, tags)
	if m, ok := kept[0].metadata(); !ok || m["duration"] != nil {
		t.Errorf("the live version says %v", m)
	}
	final := readFLV(t, r.flv)
	if m, ok := final[0].metadata(); !ok || m["duration"] == nil {
		t.Errorf("the final version says %v", m)
	}
	sameTags(t, final, tags)
	if a, body := ask(t, srv, http.MethodGet, file, nil); body == string(whole) || len(body) != len(whole) || !strings.Contains(a.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("the final version: %d bytes of %d, %v", len(body), len(whole), a.Header)
	}
}
