package main_test

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestPluginSocket records a publish as a shell script would: curl reads the
// events, another curl the stream, from its first frame. What it wrote decodes
// to what was published.
func TestPluginSocket(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "mr") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	srv := startServer(t, conf{"plugin_socket.path": `"` + socket + `"`, "plugin_socket.token": `"sesame"`})
	lines := socketEvents(t, socket, "on_stream_start,on_unpublish")

	file := source(t, "av")
	pub := publishOnce(t, srv.rtmpURL("live/x"), file, nil, nil)
	start := nextEvent(t, lines)
	recorded := filepath.Join(dir, "x.flv")
	media := curlSocket(t, socket, "/live/x.flv?lag=64MiB&from="+start["session"].(string)+":1")
	media.Args = append(media.Args, "-o", recorded)
	if err := media.Start(); err != nil {
		t.Fatal(err)
	}
	if start["event"] != "on_stream_start" || start["stream_id"] != "live/x" || start["protocol"] != "rtmp" {
		t.Errorf("the start is %v", start)
	}
	end := nextEvent(t, lines)
	if end["event"] != "on_unpublish" || end["session"] != start["session"] || end["bytes_in"].(float64) == 0 {
		t.Errorf("the end is %v", end)
	}
	pub.succeed(t)
	if err := media.Wait(); err != nil {
		t.Fatalf("curl: %v", err)
	}
	got := decode(t, recorded, "va")
	got.succeed(t)
	sameFrames(t, got, decoded(t, file, "va"))
	if n := srv.metric(t, "millrace_feed_gaps_total"); n != 0 {
		t.Errorf("%v gaps", n)
	}
}

// socketEvents has curl read events, from when it returns.
func socketEvents(t *testing.T, socket, names string) *bufio.Scanner {
	t.Helper()
	cmd := curlSocket(t, socket, "/events?names="+names)
	cmd.Args = append(cmd.Args, "-i")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	time.AfterFunc(4*patience, func() { cmd.Process.Kill() })
	lines := bufio.NewScanner(out)
	if !lines.Scan() || !strings.Contains(lines.Text(), " 200 ") {
		t.Fatalf("no events: %q, %v", lines.Text(), lines.Err())
	}
	return lines
}

// TestPluginSocketLate reads a stream that has been running: FFmpeg finds the
// publisher's tracks, and does not take the metadata for subtitles.
func TestPluginSocketLate(t *testing.T) {
	t.Parallel()
	srv, socket := socketServer(t)
	feed := srv.feed(t, "live/x", sourceTags(t, "small"))
	srv.waitStreamThat(t, "live/x", "has seconds", func(s *streamInfo) bool { return s.FramesIn > 300 })
	file := filepath.Join(t.TempDir(), "x.flv")
	curl := curlSocket(t, socket, "/live/x.flv")
	curl.Args = append(curl.Args, "-o", file)
	if err := curl.Start(); err != nil {
		t.Fatal(err)
	}
	srv.waitStreamThat(t, "live/x", "has more", func(s *streamInfo) bool { return s.FramesIn > 500 })
	feed.cut()
	if err := curl.Wait(); err != nil {
		t.Fatalf("curl: %v", err)
	}
	out := mustRun(t, "ffprobe", "-v", "error", "-show_entries", "stream=codec_type", "-of", "csv=p=0", file)
	if strings.Contains(out, "subtitle") || !strings.Contains(out, "video") || !strings.Contains(out, "audio") {
		t.Errorf("ffprobe finds %q", out)
	}
}

func curlSocket(t *testing.T, socket, path string) *exec.Cmd {
	return exec.CommandContext(t.Context(), "curl", "-sSN", "--fail", "--unix-socket", socket,
		"-H", "Authorization: Bearer sesame", "http://millrace"+path)
}

// nextEvent is the next event of a stream of Server-Sent Events.
func nextEvent(t *testing.T, lines *bufio.Scanner) (e map[string]any) {
	t.Helper()
	for lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			if err := json.Unmarshal([]byte(data), &e); err != nil {
				t.Fatalf("%q: %v", data, err)
			}
			return e
		}
	}
	t.Fatalf("the events have ended: %v", lines.Err())
	return nil
}
