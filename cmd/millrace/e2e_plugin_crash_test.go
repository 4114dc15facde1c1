package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestServerKilled kills the server by SIGKILL while it records several
// streams, and in one case its plugins with it: of each record at most the
// last second is missing, it plays to its end, and the next start completes
// it. No process is left.
func TestServerKilled(t *testing.T) {
	t.Parallel()
	for name, plugins := range killed {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			serverKilled(t, plugins, 3, 500)
		})
	}
}

// killed says of each case whether the plugins are killed too.
var killed = map[string]bool{"the server": false, "the server and its plugins": true}

// TestLongServerKilled does it during 20 recordings by each recorder.
func TestLongServerKilled(t *testing.T) {
	long(t)
	for name, plugins := range killed {
		t.Run(name, func(t *testing.T) { serverKilled(t, plugins, 20, 1000) })
	}
}

// serverKilled records so many streams until the last has so many frames.
func serverKilled(t *testing.T, plugins bool, streams, frames int) {
	t.Helper()
	dir := t.TempDir()
	c := recording(dir, recorderNames...)
	srv := startRecording(t, c)
	tags := sourceTags(t, "small")
	var captures []*capture
	for i := range streams {
		captures = append(captures, srv.capturing(t, "http-flv", fmt.Sprint("live/s", i)))
		srv.feed(t, fmt.Sprint("live/s", i), tags)
	}
	srv.waitAttached(t, streams, recorderNames...)
	srv.waitStreamThat(t, fmt.Sprint("live/s", streams-1), "has seconds", func(s *streamInfo) bool { return s.FramesIn > int64(frames) })
	srv.crash(t, plugins)

	seen := make([]uint32, streams) // ms at the end of what the server had
	for i, c := range captures {
		<-c.done
		if len(c.tags) == 0 {
			t.Fatalf("the viewer got nothing: %v", c.err)
		}
		seen[i] = c.tags[len(c.tags)-1].ts
	}
	data := filepath.Join(dir, "data")
	want := readSums(t, decoded(t, source(t, "small"), "va").video)
	var lost time.Duration
	for i := range streams {
		lost = max(lost, stumps(t, data, fmt.Sprint("live/s", i)).checkStart(t, want, seen[i]))
	}
	t.Logf("%d streams, before the next start: at most %v missing", streams, lost.Round(time.Millisecond))
	lost = 0
	second := startRecording(t, c)
	for i := range streams {
		r := waitRecords(t, data, fmt.Sprint("live/s", i), 1, recorderNames...)[0]
		lost = max(lost, r.checkStart(t, want, seen[i]))
	}
	t.Logf("%d streams, after it: at most %v missing", streams, lost.Round(time.Millisecond))
	second.stop(t)
}

// TestRepairByCommand mends what a crash left of a server that is not started
// again: an FLV and an MP4 play. A start that comes later finds nothing amiss.
func TestRepairByCommand(t *testing.T) {
	t.Parallel()
	o := &operator{t: t}
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	c := recording(dir, recorderNames...)
	srv := startRecording(t, c)
	srv.feed(t, "live/x", sourceTags(t, "small"))
	srv.waitAttached(t, 1, recorderNames...)
	srv.waitStreamThat(t, "live/x", "has seconds", func(s *streamInfo) bool { return s.FramesIn > 300 })
	for kind, says := range map[string]string{"flv": "another process writes", "mp4": "recording is being written"} {
		o.records(dir, 1, says, "repair", filepath.Join(data, kind))
	}
	srv.crash(t, true)

	o.verifies(dir, 1, "its writer crashed", data)
	o.records(dir, 0, "stream_full.mp4", "repair", filepath.Join(data, "flv"), filepath.Join(data, "mp4"))
	o.records(dir, 1, "when it starts", "repair", filepath.Join(data, "hls"))
	o.verifies(dir, 1, "not counted by frames", filepath.Join(data, "flv"))
	want := readSums(t, decoded(t, source(t, "small"), "va").video)
	r := stumps(t, data, "live/x")
	r.open = false // it has an MP4 of the whole
	r.checkStart(t, want, 0)

	second := startRecording(t, c)
	waitRecords(t, data, "live/x", 1, recorderNames...)[0].checkStart(t, want, 0)
	second.stop(t)
}

// crash kills the server by SIGKILL, and waits until nothing is left of it.
func (s *server) crash(t *testing.T, plugins bool) {
	t.Helper()
	pids := []int{s.cmd.Process.Pid}
	for _, p := range s.plugins(t) {
		pids = append(pids, p.PID)
	}
	s.killed = true
	for i, pid := range pids {
		if i == 0 || plugins {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	for _, pid := range pids {
		eventually(t, fmt.Sprintf("process %d is gone", pid), func() bool { return processGone(pid) })
	}
}

// stumps are the records of a stream whose server was killed.
func stumps(t *testing.T, data, path string) records {
	t.Helper()
	one := func(kind, pattern string) string {
		found, err := filepath.Glob(filepath.Join(data, kind, path, pattern))
		if err != nil || len(found) != 1 {
			t.Fatalf("%s of %s: %v, %v", kind, path, found, err)
		}
		return found[0]
	}
	return records{flv: one("flv", "2*.flv"), mp4: one("mp4", "2*_*"), hls: one("hls", "2*_*"), open: true}
}

// atMost is how much of a record a crash may cost where there is time to write
// all that has come; `make long` has a machine for itself.
var atMost = map[bool]time.Duration{true: time.Second, false: 4 * time.Second}[os.Getenv("MILLRACE_TEST_LONG") != "" && !raceEnabled]

// checkStart wants the frames of the source from its first on, up to a second
// before the end at most. It returns how much is missing, but of HLS that is
// open: an open segment is listed at the next start.
func (r records) checkStart(t *testing.T, want []frameSum, end uint32) (most time.Duration) {
	t.Helper()
	for name, d := range r.decode(t) {
		d.succeed(t)
		got := readSums(t, d.video)
		if len(got) == 0 || len(got) > len(want) {
			t.Fatalf("%s: %d frames", name, len(got))
		}
		for i := range got {
			if got[i].hash != want[i].hash && i < len(got)-3 { // the last may lack what they refer to
				t.Fatalf("%s: frame %d of %d differs from the source", name, i, len(got))
			}
		}
		missing := ms(end) - got[len(got)-1].pts + got[0].pts
		if r.open && name == "hls" {
			continue
		}
		most = max(most, missing)
		if missing > atMost {
			t.Errorf("%s: the last %v are missing", name, missing)
		}
	}
	return most
}
