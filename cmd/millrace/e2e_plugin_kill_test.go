package main_test

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// recorded is a publish that is being recorded and watched.
type recorded struct {
	srv       *server
	dir       string
	tags      []tag
	followers []*follower
	feed      *heldFeed // the last second waits for check
}

// startRecorded publishes some seconds in real time, once, to viewers who
// wait and all recorders.
func startRecorded(t *testing.T, c conf, dir string, viewers int, seconds uint32) *recorded {
	t.Helper()
	name := "small"
	if seconds > 20 {
		name = "long"
	}
	r := &recorded{dir: dir, tags: firstSeconds(sourceTags(t, name), seconds)}
	r.srv = startRecording(t, c)
	media := mediaTags(r.tags)
	for i := range viewers {
		r.followers = append(r.followers, r.srv.follow(t, protocols[i%len(protocols)], "live/x", media))
	}
	eventually(t, "the viewers wait", func() bool { return r.srv.metric(t, "millrace_waiting_viewers") == float64(viewers) })
	r.feed = feedUntil(t, r.srv.publish(t, "live/x"), r.tags, 1000*(seconds-1))
	r.srv.waitAttached(t, 1, recorderNames...)
	return r
}

// recordFor is startRecorded with a folder and a configuration of its own.
func recordFor(t *testing.T, viewers int, seconds uint32) *recorded {
	t.Helper()
	dir := t.TempDir()
	return startRecorded(t, recording(dir, recorderNames...), dir, viewers, seconds)
}

// arrived waits until the server has so many frames.
func (r *recorded) arrived(t *testing.T, frames int) {
	t.Helper()
	r.srv.waitStreamThat(t, "live/x", "has the frames", func(s *streamInfo) bool { return s.FramesIn >= int64(frames) })
}

// check lets the publish end, and wants every frame at every viewer and in
// every record.
func (r *recorded) check(t *testing.T) {
	t.Helper()
	r.feed.end()
	for i, f := range r.followers {
		if err := f.wait(); err != nil {
			t.Errorf("viewer %d of %d, over %s: %v", i, len(r.followers), f.protocol, err)
		}
	}
	waitRecords(t, filepath.Join(r.dir, "data"), "live/x", 1, recorderNames...)[0].check(t, sumsOf(t, r.tags))
}

// TestPluginKilled kills each recorder in turn by SIGKILL under viewers: they
// lose nothing, and what was recorded is what was published.
func TestPluginKilled(t *testing.T) {
	t.Parallel()
	recordFor(t, 30, 12).killEach(t, 2, 100)
}

// TestLongPluginKilled does it under 1,000 viewers, each of whom compares every
// frame.
func TestLongPluginKilled(t *testing.T) {
	long(t)
	slowest := recordFor(t, 1000, 120).killEach(t, 4, 500)
	if slowest > 2*time.Second {
		t.Errorf("a recording went on after %v only", slowest)
	}
}

// killEach kills each recorder so many times, once for so many frames, and
// returns the longest time until one recorded again.
func (r *recorded) killEach(t *testing.T, times, frames int) (slowest time.Duration) {
	t.Helper()
	for i := range times * len(recorderNames) {
		name := recorderNames[i%len(recorderNames)]
		r.arrived(t, frames*(i+1))
		before := r.srv.plugins(t)[name]
		begin := time.Now()
		if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		after := r.srv.waitPlugin(t, name, "records again", func(p pluginState) bool { return p.PID != before.PID && p.has(1) })
		took := time.Since(begin)
		slowest = max(slowest, took)
		t.Logf("%s recorded again after %v", name, took.Round(time.Millisecond))
		if after.Restarts != before.Restarts+1 || after.Streams[0].Missed > 0 {
			t.Errorf("%+v", after)
		}
	}
	r.check(t)
	return slowest
}

// TestPluginSwapped replaces each recorder again and again during a stream.
func TestPluginSwapped(t *testing.T) {
	t.Parallel()
	recordFor(t, 3, 14).swapEach(t, 4, 150)
}

// TestLongPluginSwapped does it 20 times.
func TestLongPluginSwapped(t *testing.T) {
	long(t)
	recordFor(t, 3, 120).swapEach(t, 20, 300)
}

// swapEach replaces each recorder so many times, once for so many frames.
func (r *recorded) swapEach(t *testing.T, times, frames int) {
	t.Helper()
	for i := range times {
		r.arrived(t, frames*(i+1))
		begin := time.Now()
		for _, name := range recorderNames {
			r.srv.swap(t, name)
		}
		t.Logf("all three swapped in %v", time.Since(begin).Round(time.Millisecond))
	}
	r.srv.waitAttached(t, 1, recorderNames...)
	r.check(t)
	for _, name := range recorderNames {
		if p := r.srv.plugins(t)[name]; p.Restarts != times || p.Reason != "" {
			t.Errorf("%+v", p)
		}
	}
}
