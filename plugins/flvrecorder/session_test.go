package flvrecorder

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/plugins/plugintest"
	"github.com/millrace/millrace/plugins/record"
	"github.com/millrace/millrace/plugins/sdk"
)

// A gap is in the manifest with its length, and the file goes on.
func TestGap(t *testing.T) {
	t.Parallel()
	h := recorded(t, func(s *plugintest.Stream) {
		s.FeedFrames(plugintest.GOPs(1, 0, 50)...)
		s.Gap(10, "slow")
		s.Gap(5, "slow")
		s.FeedFrames(plugintest.GOPs(1, 3000, 50)...)
		s.SetNext(s.Next() + 3) // never said
		s.FeedFrames(plugintest.GOPs(1, 5000, 50)...)
		s.Gap(7, "at the end")
	})
	m := whole(t, h)
	want := []record.Gap{
		{From: 76, To: 91, Reason: "slow", Seconds: 2.02}, {From: 166, To: 169, Reason: "frames were not delivered", Seconds: 1.02},
		{From: 244, To: 251, Reason: "at the end"},
	}
	for i := range m.Gaps {
		m.Gaps[i].At = time.Time{}
	}
	if !slices.Equal(m.Gaps, want) || len(m.Parts) != 1 || m.Parts[0].ToSeq != 251 {
		t.Errorf("gaps %+v, part %+v", m.Gaps, m.Parts)
	}
	if report, err := record.Verify(files(t, h)[0]); err != nil || report.Complete() {
		t.Errorf("%v\n%s", err, report.String())
	}
}

// A publisher that comes back within the grace goes on in the same file; how
// long it was away is noted.
func TestGrace(t *testing.T) {
	t.Parallel()
	h := plugintest.NewHost(t)
	r := start(h)
	s := h.Attach(r, "live", "cam")
	s.Feed(plugintest.Header(plugintest.AVCConfig()), plugintest.Header(plugintest.AACConfig()))
	s.FeedFrames(plugintest.GOPs(1, 0, 50)...)
	h.Send(r, event.Event{Event: event.StreamBack, Session: s.Session(), Gap: 4.5, Time: time.Now()})
	h.Send(r, event.Event{Event: event.StreamBack, Session: "another", Gap: 1, Time: time.Now()})
	s.FeedFrames(plugintest.AVCConfig(), plugintest.AACConfig())
	s.FeedFrames(plugintest.GOPs(1, 1000, 50)...)
	s.End()
	h.Stop(r)
	m := whole(t, h)
	if len(m.Gaps) != 1 || m.Gaps[0].From != 76 || m.Gaps[0].To != 76 || m.Gaps[0].Seconds != 4.5 || len(m.Parts) != 1 || !m.Complete {
		t.Errorf("%+v", m)
	}
	if report, err := record.Verify(files(t, h)[0]); err != nil || !report.Complete() {
		t.Errorf("%v\n%s", err, report.String())
	}
}

// The next session is another record.
func TestNextSession(t *testing.T) {
	t.Parallel()
	h := plugintest.NewHost(t)
	r := start(h)
	for range 2 {
		s := h.Attach(r, "live", "cam")
		s.FeedFrames(plugintest.GOPs(1, 0, 50)...)
		s.End()
	}
	h.Stop(r)
	if n := len(files(t, h)); n != 2 {
		t.Errorf("%d files", n)
	}
	whole(t, h)
}

// A recording that is stopped and started within a session is two records,
// also when the first is being finished still, or that failed.
func TestStoppedAndStarted(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]bool{"finished": false, "not finished": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stoppedAndStarted(t, fails)
		})
	}
}

func stoppedAndStarted(t *testing.T, fails bool) {
	h := plugintest.NewHost(t)
	r := startTap(h)
	if fails {
		r.Recorder.host = mute{h}
	}
	s := h.Attach(r, "live", "cam")
	s.FeedFrames(plugintest.GOPs(1, 0, 50)...)
	s.Detach(sdk.Stopped)
	r.drain()
	a := s.Attached()
	a.Next = s.Next()
	s = h.AttachWith(r, a)
	s.FeedFrames(plugintest.GOPs(1, 1000, 50)...)
	next := start(h)
	s = s.Resume(next)
	s.FeedFrames(plugintest.GOPs(1, 2000, 50)...)
	s.End()
	next.finishOrphans()
	h.Stop(next)
	all := files(t, h)
	if len(all) != 2 || !strings.HasSuffix(all[1], "_2.flv") {
		t.Fatalf("files: %q", all)
	}
	for i, path := range all {
		report, err := Verify(path)
		if err != nil || !report.Complete() || len(report.Record.Parts) != 1 {
			t.Errorf("%d: %v\n%s", i, err, report.String())
		}
	}
	if left, _ := filepath.Glob(filepath.Join(h.StateDir(), "flv/*")); len(left) > 0 {
		t.Errorf("left in the state folder: %v", left)
	}
}
