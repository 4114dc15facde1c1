package main_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRefusedNames publishes under names that are no names.
func TestRefusedNames(t *testing.T) {
	t.Parallel()
	srv := startServer(t, nil)
	for _, path := range []string{
		"live/..", "live/.hidden", "live/a b", "live/a\\b", "live/a%2fb", "live/ä", "live/", "../x", "live/../x",
		"live/a\x00b", "live/<script>", "live/" + strings.Repeat("n", 5000),
		"flv/x", "hls/x", "mp4/x", "api/x", "offline/x", "remote/x", "objects/x", "assets/x", "metrics/x", "healthz/x",
		"live/output_merge", "live/output_separate", "live/20240131_235959", "live/20240131_235959_2",
	} {
		wantNoName(t, srv, path)
	}
	checkNothingWritten(t, srv)
	for _, path := range []string{"live/a.b", "live/A-b_c.9", "live/0", "a/b/c/d", "live/x.flv"} {
		p, err := tryPublish(srv.rtmp[0], path)
		if err != nil {
			t.Errorf("publish %s: %v", path, err)
			continue
		}
		p.Close()
	}
}

// wantNoName wants a refusal that tells a person why.
func wantNoName(t *testing.T, srv *server, path string) {
	t.Helper()
	p, err := tryPublish(srv.rtmp[0], path)
	var no refused
	switch {
	case err == nil:
		p.Close()
		t.Errorf("publish %.40q was taken", path)
	case !errors.As(err, &no):
		t.Errorf("publish %.40q: %v; want a status", path, err)
	case no.level != "error" || no.description == "" || !strings.HasPrefix(no.code, "Net"):
		t.Errorf("publish %.40q: %+v", path, no)
	}
}

// checkNothingWritten wants no file beside the configuration, whatever names
// were asked for.
func checkNothingWritten(t *testing.T, srv *server) {
	t.Helper()
	_ = filepath.Walk(filepath.Dir(srv.config), func(path string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() && path != srv.config {
			t.Errorf("the server wrote %s", path)
		}
		return nil
	})
}

// TestNamePattern is the strict rule that the shipped file names.
func TestNamePattern(t *testing.T) {
	t.Parallel()
	srv := startServer(t, conf{"stream.name_pattern": `'^[A-Za-z0-9]+$'`})
	for _, path := range []string{"live/a-b", "live/a.b", "li_ve/x"} {
		wantNoName(t, srv, path)
	}
	srv.feed(t, "live/Ab1", sourceTags(t, "small"))
	srv.waitStream(t, "live/Ab1")
}

// TestQueryAndVhost publishes and plays with what URLs carry besides a name.
func TestQueryAndVhost(t *testing.T) {
	t.Parallel()
	srv := startServer(t, nil)
	publishLoop(t, srv.rtmpURL("live/x?token=a%20b&vhost=h.example"), source(t, "small"))
	srv.waitStream(t, "live/x")
	for _, path := range []string{"live/x?token=other", "live?vhost=h.example/x", "live/x"} {
		app, name := path[:strings.LastIndexByte(path, '/')], path[strings.LastIndexByte(path, '/')+1:]
		c, err := openRTMP(srv.rtmp[0], app, nil)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if _, err = c.command(c.stream, "play", nil, name, -2000.0); err == nil {
			err = c.awaitStart()
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		c.Close()
	}
}
