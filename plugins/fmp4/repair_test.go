package fmp4

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/fmp4/clip"
	"github.com/millrace/millrace/plugins/sdk"
)

// A folder whose manifest was never ended, and whose MP4 is not there.
func TestRepairFolder(t *testing.T) {
	t.Parallel()
	c := clip.Make(t, clips[0].args...)
	h := newHost(t)
	p := start(t, h, nil)
	s := attach(t, p, sdk.Attach{})
	write(t, s, items(c, 0, ^uint64(0)))
	log := slog.New(slog.DiscardHandler)
	if _, err := Repair(t.Context(), h.dir(1), log); !errors.Is(err, ErrLive) {
		t.Errorf("of a live one: %v", err)
	}
	h.live = append(h.live, eventOf(testSession))
	detach(t, s, sdk.Lost)
	stop(t, p)
	for range 2 { // again does no harm
		r, err := Repair(t.Context(), h.dir(1), log)
		if err != nil || r.Frames != uint64(len(c.Frames)) {
			t.Fatalf("%v: %v", r, err)
		}
		checkSession(t, h.dir(1), c)
	}
	if left, _ := filepath.Glob(filepath.Join(h.dir(1), ".*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// A truncated FLV becomes an MP4 of all its whole tags.
func TestRepairFLV(t *testing.T) {
	t.Parallel()
	c := clip.Make(t, clips[0].args...)
	path := filepath.Join(t.TempDir(), "cut.flv")
	run(t, "ffmpeg", "-v", "error", "-nostdin", "-i", c.Path, "-c", "copy", path)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b[:len(b)*3/4], 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Repair(t.Context(), path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if r.MP4 != filepath.Join(filepath.Dir(path), "cut.mp4") || r.Frames < 100 {
		t.Errorf("repaired: %v", r)
	}
	// ffmpeg complains of the torn file, so that the whole of it is counted.
	got := clip.Read(t, r.MP4)
	want := c.Of(media.Video)
	for i, f := range got.Of(media.Video) {
		if string(f.Body()) != string(want[i].Body()) {
			t.Fatalf("picture %d differs", i)
		}
	}
	if n := len(got.Frames); n < 150 || n >= len(c.Frames) {
		t.Errorf("%d frames of %d", n, len(c.Frames))
	}
	run(t, "ffprobe", "-v", "warning", r.MP4)
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".repair*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	if _, err := Repair(t.Context(), path, slog.New(slog.DiscardHandler)); !errors.Is(err, ErrExists) {
		t.Errorf("again: %v", err)
	}
}
