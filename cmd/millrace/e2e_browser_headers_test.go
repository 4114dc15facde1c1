package main_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestRecordHeaders asks a real server for what its recorders make of a live
// stream, as players on other sites, caches and downloaders do.
func TestRecordHeaders(t *testing.T) {
	t.Parallel()
	srv, _ := startRecorders(t, conf{"plugins.hls.target": `"1s"`}, "flv", "mp4", "hls")
	srv.feed(t, "live/x", sourceTags(t, "small"))
	var segment, flv string
	eventually(t, "there are records of each kind", func() bool {
		_, list := ask(t, srv, "GET", "/hls/live/x/index.m3u8", nil)
		_, records := ask(t, srv, "GET", "/records.json", nil)
		segment, flv = firstURI(list), between(records, `"url":"/flv/`, `"`)
		init, _ := ask(t, srv, "HEAD", "/mp4/live/x/output_merge/index.m3u8", nil)
		return strings.Count(list, "#EXTINF") > 2 && flv != "" && init.StatusCode == http.StatusOK
	})
	flv = "/flv/" + flv
	for _, c := range []struct {
		method, path, ranges string
		status               int
		has                  map[string]string // "…": anything
	}{
		{"GET", "/hls/live/x/index.m3u8", "", 200, map[string]string{"Cache-Control": "no-cache", "Content-Type": "application/vnd.apple.mpegurl", "ETag": "…"}},
		{"HEAD", "/hls/live/x/index.m3u8", "", 200, map[string]string{"Cache-Control": "no-cache", "Content-Length": "…"}},
		{"GET", segment, "", 200, map[string]string{"Cache-Control": "public, max-age=31536000, immutable", "Content-Type": "video/mp2t"}},
		{"GET", segment, "bytes=0-99", 206, map[string]string{"Content-Length": "100", "Accept-Ranges": "bytes"}},
		{"OPTIONS", segment, "", 204, map[string]string{"Access-Control-Allow-Methods": "GET, HEAD, OPTIONS", "Access-Control-Allow-Headers": "Authorization, If-Range, Range"}},
		{"GET", "/mp4/live/x/output_merge/init.mp4", "", 200, map[string]string{"Cache-Control": "no-cache", "Content-Type": "video/mp4"}},
		{"GET", "/mp4/live/x/output_merge/stream_full.mp4", "", 404, map[string]string{"Cache-Control": "no-cache"}},
		{"HEAD", flv, "", 200, map[string]string{"Content-Type": "video/x-flv", "Accept-Ranges": "bytes", "Cache-Control": "no-cache"}},
		{"GET", flv, "bytes=100-", 206, map[string]string{"Content-Range": "…"}},
		{"GET", flv, "bytes=999999999-", 416, map[string]string{"Content-Range": "…"}},
		{"HEAD", "/live/x.flv", "", 200, map[string]string{"Cache-Control": "no-cache, no-store"}},
	} {
		a, _ := ask(t, srv, c.method, c.path, map[string]string{"Range": c.ranges})
		if a.StatusCode != c.status || a.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s %s: %s, allowed origin %q", c.method, c.path, a.Status, a.Header.Get("Access-Control-Allow-Origin"))
		}
		for name, want := range c.has {
			if got := a.Header.Get(name); got != want && (want != "…" || got == "") {
				t.Errorf("%s %s: %s is %q, want %q", c.method, c.path, name, got, want)
			}
		}
	}
	if a, _ := ask(t, srv, "GET", flv, map[string]string{"Range": "bytes=0-9"}); a.Header.Get("Content-Range") != "bytes 0-9/*" {
		t.Errorf("the length of a file that grows is told: %s", a.Header.Get("Content-Range"))
	}
}

// ask sends a request from a page of another site.
func ask(t *testing.T, srv *server, method, path string, header map[string]string) (*http.Response, string) {
	t.Helper()
	c := dialHTTP(t, srv.http[0])
	defer c.Close()
	request := method + " " + path + " HTTP/1.1\r\nHost: h\r\nOrigin: https://player.example\r\n"
	for name, value := range header {
		if value != "" {
			request += name + ": " + value + "\r\n"
		}
	}
	return c.exchange(t, method, request+"\r\n")
}

// firstURI is that of a playlist's first segment.
func firstURI(list string) string {
	for line := range strings.Lines(list) {
		if line[0] == '/' {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// between is what stands after one mark and before the next.
func between(s, after, before string) string {
	_, s, _ = strings.Cut(s, after)
	s, _, _ = strings.Cut(s, before)
	return s
}
