package main_test

import (
	"net"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestRecordingGoesOn has a publisher come back within the grace, and another
// after a clean end: the first goes on in the same records, the second begins
// others. One that sends nothing leaves nothing.
func TestRecordingGoesOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	srv := startRecording(t, recording(dir, recorderNames...))
	small, other := firstSeconds(sourceTags(t, "small"), 3), firstSeconds(sourceTags(t, "other"), 3)
	silent := srv.publish(t, "live/silent")

	srv.cutAfter(t, small)
	srv.waitStreamThat(t, "live/x", "is lost", func(s *streamInfo) bool { return s.State == "lost" })
	startFeedOnce(srv.publish(t, "live/x"), other, 0)()
	srv.waitGone(t, "live/x")
	startFeedOnce(srv.publish(t, "live/x"), small, 0)()
	all := waitRecords(t, data, "live/x", 2, recorderNames...)

	one, two := sumsOf(t, small), sumsOf(t, other)
	all[1].check(t, one)
	both := slices.Concat(readSums(t, one.video), readSums(t, two.video))
	for name, d := range all[0].decode(t) {
		d.succeed(t)
		sameInOrder(t, name, readSums(t, d.video), both)
		inStep(t, name, d, two)
	}
	_ = silent.stopCleanly("silent")
	eventually(t, "the silent publisher leaves nothing", func() bool {
		made, err := filepath.Glob(filepath.Join(data, "*", "live", "silent", "*"))
		return err == nil && len(made) == 0
	})
}

// inStep wants sound and pictures to end as far from each other as in the
// source: what came after the grace has moved as a whole.
func inStep(t *testing.T, what string, got, want sums) {
	t.Helper()
	moved := func(got, want string) time.Duration {
		g, w := readSums(t, got), readSums(t, want)
		if len(g) == 0 || len(w) == 0 {
			t.Fatalf("%s: %d frames of %d", what, len(g), len(w))
		}
		return g[len(g)-1].pts - w[len(w)-1].pts
	}
	if skew := moved(got.video, want.video) - moved(got.audio, want.audio); skew < -time.Millisecond || skew > time.Millisecond {
		t.Errorf("%s: audio and video are %v apart after the grace", what, skew)
	}
}

// TestRecordingAfterGrace has a publisher come back when the grace is over: the
// records of before are complete, and others begin.
func TestRecordingAfterGrace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	srv := startRecording(t, recording(dir, recorderNames...).and(conf{"stream.reconnect_grace": `"500ms"`}))
	small := firstSeconds(sourceTags(t, "small"), 3)
	one := sumsOf(t, small)
	for range 2 {
		srv.cutAfter(t, small)
		srv.waitGone(t, "live/x")
	}
	for _, r := range waitRecords(t, filepath.Join(dir, "data"), "live/x", 2, recorderNames...) {
		r.check(t, one)
	}
}

// cutAfter publishes tags and ends the connection without a word.
func (s *server) cutAfter(t *testing.T, tags []tag) {
	t.Helper()
	p := s.publish(t, "live/x")
	begin := time.Now()
	for _, g := range tags {
		time.Sleep(time.Until(begin.Add(ms(g.ts))))
		if err := p.put(g); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
}

// sumsOf are those of tags.
func sumsOf(t *testing.T, tags []tag) sums {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tags.flv")
	writeFLV(t, file, tags)
	return decoded(t, file, "va")
}

// sameInOrder wants the same pictures, less than a second apart. Where a
// publisher was cut off two may have one time: what belongs between was not sent.
func sameInOrder(t *testing.T, what string, got, want []frameSum) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d frames, want %d", what, len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		if got[i].hash != want[i].hash {
			t.Fatalf("%s: frame %d of %d differs from the source", what, i, len(got))
		}
		if i > 0 && (got[i].pts < got[i-1].pts || got[i].pts-got[i-1].pts > 1e9) {
			t.Fatalf("%s: frame %d at %v comes after %v", what, i, got[i].pts, got[i-1].pts)
		}
	}
}

// TestRecordingOfChanges switches the picture's size in mid-stream: FLV goes
// on in another part, the others in the same record.
func TestRecordingOfChanges(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	srv := startRecording(t, recording(dir, recorderNames...))
	small, large := firstSeconds(sourceTags(t, "small"), 3), firstSeconds(sourceTags(t, "av"), 3)
	startFeedOnce(srv.publish(t, "live/x"), append(slices.Clone(small), later(large, 3000)...), 0)()
	r := waitRecords(t, data, "live/x", 1, recorderNames...)[0]
	parts := manifests(t, data, "flv", "live/x")[0].Parts
	if len(parts) != 2 {
		t.Fatalf("parts: %+v", parts)
	}
	for i, want := range []sums{sumsOf(t, small), sumsOf(t, large)} {
		got := decoded(t, filepath.Join(filepath.Dir(r.flv), parts[i].File), "va")
		sameInOrder(t, parts[i].File, readSums(t, got.video), readSums(t, want.video))
	}
	for name, file := range map[string]string{
		"hls": playlist(t, r.hls), "merged mp4": filepath.Join(r.mp4, "output_merge", "stream_full.mp4"),
	} {
		d := decode(t, file, "v", "-allowed_extensions", "ALL")
		if name != "hls" {
			d = decode(t, file, "v")
		}
		d.succeed(t)
		if n := len(readSums(t, d.video)); n != 150 {
			t.Errorf("%s: %d frames, want 150", name, n)
		}
	}
}
