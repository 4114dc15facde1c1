package main_test

import (
	"path/filepath"
	"testing"
)

// TestRecordings publishes with B-frames, an irregular frame rate, and MP3: each
// frame is in each record, and in no other time than in the source.
func TestRecordings(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"irregular", "mp3"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			everyFrame(t, name)
		})
	}
}

// TestLongRecordings does it for a minute.
func TestLongRecordings(t *testing.T) {
	long(t)
	everyFrame(t, "unsteady")
}

// everyFrame records a source, and wants each frame of it in each record.
func everyFrame(t *testing.T, name string) {
	t.Helper()
	dir := t.TempDir()
	srv := startRecording(t, recording(dir, recorderNames...))
	file := source(t, name)
	want := decoded(t, file, "va")
	publishOnce(t, srv.rtmpURL("live/x"), file, nil, nil).succeed(t)
	waitRecords(t, filepath.Join(dir, "data"), "live/x", 1, recorderNames...)[0].check(t, want)
}
