package main_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// complete has `millrace record verify` find n recordings in data, each of them
// complete.
func complete(t *testing.T, data string, n int) {
	t.Helper()
	status, out, errs := cli(t, filepath.Dir(data), "record", "verify", data)
	if status != 0 || strings.Count(out, ": complete from frame ") != n {
		t.Errorf("verify: %d\n%s%s", status, out, errs)
	}
}

// TestPluginKilledAtTheEnd kills all recorders by SIGKILL when the stream has
// ended and they have not written its last seconds: the next processes get
// them, and each recording is complete.
func TestPluginKilledAtTheEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := startRecorded(t, recording(dir, recorderNames...), dir, 1, 6)
	r.arrived(t, 250)
	before := r.srv.plugins(t)
	for _, name := range recorderNames {
		if err := syscall.Kill(before[name].PID, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
	r.feed.end()
	r.srv.waitGone(t, "live/x")
	for _, name := range recorderNames {
		if err := syscall.Kill(before[name].PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	r.check(t)
	complete(t, filepath.Join(dir, "data"), len(recorderNames))
}

// TestShutdownOfRecordings stops the server in the middle of a stream: each
// recording is complete, and what the recorders publish at the end is taken.
func TestShutdownOfRecordings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	srv := startRecording(t, recording(dir, recorderNames...).and(conf{"plugins.hls.part": `"200ms"`}))
	silent := srv.publish(t, "live/silent")
	srv.feed(t, "live/x", sourceTags(t, "small"))
	srv.waitAttached(t, 2, recorderNames...)
	srv.waitStreamThat(t, "live/x", "has seconds", func(s *streamInfo) bool { return s.FramesIn > 300 })
	_ = silent.stopCleanly("silent")
	srv.stop(t)
	for _, line := range srv.log.lines() {
		if strings.Contains(line, "cannot store an object") || strings.Contains(line, "media connection failed") {
			t.Errorf("the log has: %s", line)
		}
	}
	complete(t, data, len(recorderNames))
	hls := manifests(t, data, "hls", "live/x")[0].file
	if b, err := os.ReadFile(filepath.Join(filepath.Dir(hls), "index.m3u8")); err != nil || !strings.HasSuffix(string(b), "#EXT-X-ENDLIST\n") {
		t.Errorf("%v, the playlist ends with %q", err, b[max(0, len(b)-60):])
	}
}

// TestRecordingStartedAtOnce stops the recordings of a stream, and starts others
// before they are finished: those are records of their own.
func TestRecordingStartedAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	srv := startRecording(t, recording(dir, recorderNames...).and(conf{"stream.reconnect_grace": `"1s"`}))
	feed := srv.feed(t, "live/x", sourceTags(t, "small"))
	srv.waitAttached(t, 1, recorderNames...)
	srv.waitStreamThat(t, "live/x", "has seconds", func(s *streamInfo) bool { return s.FramesIn > 200 })
	for _, name := range recorderNames {
		for _, method := range []string{http.MethodDelete, http.MethodPost} {
			if status, body := srv.adminCall(t, method, "/api/v1/streams/live/x/recordings/"+name); status != http.StatusNoContent {
				t.Fatalf("%s %s: %d %s", method, name, status, body)
			}
		}
	}
	srv.waitAttached(t, 1, recorderNames...)
	srv.waitStreamThat(t, "live/x", "has more", func(s *streamInfo) bool { return s.FramesIn > 600 })
	feed.cut()
	srv.waitGone(t, "live/x")
	waitRecords(t, data, "live/x", 2, recorderNames...)
	for _, name := range recorderNames {
		all := manifests(t, data, name, "live/x")
		first, second := filepath.Dir(all[0].file), filepath.Dir(all[1].file)
		if name == "flv" {
			first, second = strings.TrimSuffix(all[0].file, ".flv.json"), strings.TrimSuffix(all[1].file, ".flv.json")
		}
		if second != first+"_2" {
			t.Errorf("%s: %s, then %s", name, first, second)
		}
	}
	complete(t, data, 2*len(recorderNames))
}
