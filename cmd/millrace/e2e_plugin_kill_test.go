package main_test

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// recorded is a publish that is being recorded and watched.
type recorded struct {
	srv      *server
	dir      string
	tags     []tag
	captures []*capture
	sent     chan struct{} // closed at the publish's end
}

// startRecorded publishes some seconds in real time, once, to viewers who
// wait and all recorders.
func startRecorded(t *testing.T, c conf, dir string, viewers int, seconds uint32) *recorded {
	t.Helper()
	r := &recorded{dir: dir, tags: firstSeconds(sourceTags(t, "small"), seconds), sent: make(chan struct{})}
	r.srv = startRecording(t, c)
	for i := range viewers {
		r.captures = append(r.captures, r.srv.capturing(t, protocols[i%len(protocols)], "live/x", 3*time.Minute))
	}
	eventually(t, "the viewers wait", func() bool { return len(r.srv.allClients(t)) >= viewers })
	send := startFeedOnce(r.srv.publish(t, "live/x"), r.tags, 0)
	go func() {
		defer close(r.sent)
		send()
	}()
	t.Cleanup(func() { <-r.sent })
	r.srv.waitAttached(t, 1, recorderNames...)
	return r
}

// arrived waits until the server has so many frames.
func (r *recorded) arrived(t *testing.T, frames int) {
	t.Helper()
	r.srv.waitStreamThat(t, "live/x", "has the frames", func(s *streamInfo) bool { return s.FramesIn >= int64(frames) })
}

// early fails a test whose publish ended before all was done to it that the
// test is about.
func (r *recorded) early(t *testing.T) {
	t.Helper()
	select {
	case <-r.sent:
		t.Fatal("the publish ended too early")
	default:
	}
}

// check wants every frame at every viewer and in every record.
func (r *recorded) check(t *testing.T) {
	t.Helper()
	<-r.sent
	for _, c := range r.captures {
		sameTags(t, c.end(t), r.tags)
	}
	waitRecords(t, filepath.Join(r.dir, "data"), "live/x", 1, recorderNames...)[0].check(t, sumsOf(t, r.tags))
}

// TestPluginKilled kills each recorder in turn by SIGKILL under viewers: they
// lose nothing, and what was recorded is what was published.
func TestPluginKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := startRecorded(t, recording(dir, recorderNames...), dir, 30, 12)
	for i, name := range append(recorderNames, recorderNames...) {
		r.arrived(t, 100*(i+1))
		before := r.srv.plugins(t)[name]
		begin := time.Now()
		if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		after := r.srv.waitPlugin(t, name, "records again", func(p pluginState) bool { return p.PID != before.PID && p.has(1) })
		t.Logf("%s recorded again after %v", name, time.Since(begin).Round(time.Millisecond))
		if after.Restarts != before.Restarts+1 || after.Streams[0].Missed > 0 {
			t.Errorf("%+v", after)
		}
	}
	r.early(t)
	r.check(t)
}

// TestPluginSwapped replaces each recorder again and again during a stream.
func TestPluginSwapped(t *testing.T) {
	t.Parallel()
	const times = 4
	dir := t.TempDir()
	r := startRecorded(t, recording(dir, recorderNames...), dir, 3, 14)
	for i := range times {
		r.arrived(t, 150*(i+1))
		for _, name := range recorderNames {
			r.srv.swap(t, name)
		}
	}
	r.early(t)
	r.srv.waitAttached(t, 1, recorderNames...)
	r.check(t)
	for _, name := range recorderNames {
		if p := r.srv.plugins(t)[name]; p.Restarts != times || p.Reason != "" {
			t.Errorf("%+v", p)
		}
	}
}
