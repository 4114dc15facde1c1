package flvrecorder

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/plugins/host/place"
	"github.com/millrace/millrace/plugins/plugintest"
)

// A session without frames leaves nothing, nor does one that on_record has not
// recorded.
func TestNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		skip bool
		feed func(*plugintest.Stream)
	}{
		"without frames": {false, func(s *plugintest.Stream) {
			s.Feed(plugintest.Header(plugintest.AVCConfig()))
			s.FeedFrames(plugintest.AACConfig())
		}},
		"skipped": {true, func(s *plugintest.Stream) {
			for i := range int64(3) {
				s.FeedFrames(plugintest.GOPs(1, i*1000, 50)...)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := plugintest.NewHost(t)
			h.OnRecord(func(event.Event) (place.Verdict, error) { return place.Verdict{Skip: c.skip}, nil })
			recordedBy(h, c.feed)
			if left, _ := filepath.Glob(filepath.Join(h.StateDir(), "flv/*")); len(files(t, h)) > 0 || len(left) > 0 {
				t.Errorf("files %v, states %v", files(t, h), left)
			}
		})
	}
}

// Whoever removes a growing file does not stop the recorder.
func TestRemovedWhileLive(t *testing.T) {
	t.Parallel()
	h := plugintest.NewHost(t)
	r := start(h)
	s := h.Attach(r, "live", "cam")
	s.FeedFrames(plugintest.GOPs(1, 0, 50)...)
	if err := os.Remove(files(t, h)[0]); err != nil {
		t.Fatal(err)
	}
	s.FeedFrames(plugintest.GOPs(1, 1000, 50)...)
	s.End()
	h.Stop(r)
	if left, _ := filepath.Glob(filepath.Join(h.StateDir(), "flv/*")); len(left) > 0 {
		t.Errorf("states %v", left)
	}
}

// Nor does it keep a session from being recorded after a crash.
func TestRemovedBeforeResume(t *testing.T) {
	t.Parallel()
	h := plugintest.NewHost(t)
	a, b := startTap(h), startTap(h)
	s := h.Attach(a, "live", "cam")
	s.FeedFrames(plugintest.GOPs(1, 0, 50)...)
	a.stream.kill()
	path := files(t, h)[0]
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	s = s.Resume(b)
	if s.ResumeAt() != 0 {
		t.Errorf("resumes at %d", s.ResumeAt())
	}
	s.FeedFrames(plugintest.GOPs(1, 1000, 50)...)
	s.End()
	h.Stop(b)
	if n := len(files(t, h)); n != 1 || files(t, h)[0] == path {
		t.Errorf("files %v", files(t, h))
	}
}
