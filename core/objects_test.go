package core

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// TestPluginObjects has a plugin store a segment in parts over its socket; a
// viewer gets it from the loop.
func TestPluginObjects(t *testing.T) {
	t.Parallel()
	r := run(t)
	c := client(t, r.PluginSocketPath())
	token := r.IssueToken("hls", Rights{Objects: []string{"hls/"}, ObjectsMax: 1 << 20})
	for _, p := range []struct {
		method, path, parts, body string
		status                    int
	}{
		{"PUT", "hls/live/cam/1.0.m4s", "", "one ", 201},
		{"PUT", "hls/live/cam/1.1.m4s", "", "two", 201},
		{"PUT", "hls/live/cam/1.m4s", "hls/live/cam/1.0.m4s,hls/live/cam/1.1.m4s", "", 201},
		{"PUT", "hls/live/cam/1.m4s", "hls/live/cam/1.2.m4s", "", 409},
		{"PUT", "mp4/live/cam/1.m4s", "", "x", 403},
		{"PUT", "hls/live/cam/2.m4s", "", strings.Repeat("x", 2<<20), 507},
		{"DELETE", "hls/live/cam/1.0.m4s", "", "", 204},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		q, err := http.NewRequestWithContext(ctx, p.method, "http://unix/objects/"+p.path, strings.NewReader(p.body))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Authorization", "Bearer "+token)
		if p.parts != "" {
			q.Header.Set("Millrace-Parts", p.parts)
		}
		a, err := c.Do(q)
		if err != nil {
			t.Fatalf("%s %s: %v", p.method, p.path, err)
		}
		a.Body.Close()
		if a.StatusCode != p.status {
			t.Errorf("%s %s: %s, want %d", p.method, p.path, a.Status, p.status)
		}
	}
	a, err := http.Get("http://" + r.lns[0].Addr().String() + "/hls/live/cam/1.m4s")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	if body, err := io.ReadAll(a.Body); string(body) != "one two" || err != nil || a.Header.Get("Server") != "millrace" {
		t.Errorf("%s %q %v %v", a.Status, body, a.Header, err)
	}
	http.DefaultClient.CloseIdleConnections()
}

// TestPluginObjectGrows has a plugin add to a playlist over its socket; a viewer
// gets all of it from the loop.
func TestPluginObjectGrows(t *testing.T) {
	t.Parallel()
	r := run(t)
	c := client(t, r.PluginSocketPath())
	token := r.IssueToken("hls", Rights{Objects: []string{"hls/"}, ObjectsMax: 1 << 20})
	tag, want := "", "#EXTM3U\n"
	for i := range 3 {
		method, line := http.MethodPatch, strings.Repeat("x", i+1)+".ts\n"
		if i == 0 {
			method, line = http.MethodPut, want
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		q, err := http.NewRequestWithContext(ctx, method, "http://unix/objects/hls/live/cam/index.m3u8", strings.NewReader(line))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Authorization", "Bearer "+token)
		if i > 0 {
			q.Header.Set("If-Match", tag)
			q.Header.Set("Millrace-Keep", strconv.Itoa(len(want)))
			want += line
		}
		a, err := c.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		a.Body.Close()
		if tag = a.Header.Get("ETag"); a.StatusCode >= 300 || tag == "" {
			t.Fatalf("%s: %s, ETag %s", method, a.Status, tag)
		}
	}
	a, err := http.Get("http://" + r.lns[0].Addr().String() + "/hls/live/cam/index.m3u8")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	if body, err := io.ReadAll(a.Body); string(body) != want || err != nil || a.Header.Get("ETag") != tag {
		t.Errorf("%s %q %v %v", a.Status, body, a.Header, err)
	}
	http.DefaultClient.CloseIdleConnections()
}
