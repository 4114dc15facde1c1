package flvrecorder

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/plugintest"
	"github.com/millrace/millrace/plugins/sdk"
)

// setFree has the guard see that much free space from the next Write on.
func (r *Recorder) setFree(n int64) {
	r.guard.Every = time.Nanosecond
	r.guard.Ask = func(string) (int64, error) { return n, nil }
}

// While the disk is nearly full nothing is written; the file is finished, the
// stream goes on, and with room again a part begins at a keyframe.
func TestNoRoom(t *testing.T) {
	t.Parallel()
	for name, full := range map[string]func(*tap){
		"guard":  func(p *tap) { p.setFree(999) },
		"ENOSPC": func(p *tap) { p.stream.full(syscall.ENOSPC) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := plugintest.NewHost(t)
			p := startTap(h, "min_free", "1000B")
			p.setFree(5000)
			s := h.Attach(p, "live", "cam")
			s.Feed(plugintest.Header(plugintest.AVCConfig()), plugintest.Header(plugintest.AACConfig()))
			gops := plugintest.GOPs(4, 0, 50)
			s.FeedFrames(gops[:85]...)
			full(p)
			s.FeedFrames(gops[85:100]...)
			p.setFree(5000)
			p.stream.pause.until = time.Time{}
			s.FeedFrames(gops[100:160]...) // a keyframe is at 150
			s.FeedFrames(gops[160:]...)
			s.End()
			h.Stop(p)
			m := whole(t, h)
			if len(m.Parts) != 2 || m.Parts[0].ToSeq != 86 || m.Parts[1].FromSeq != 151 || !m.Parts[1].Keyframe {
				t.Fatalf("parts %+v", m.Parts)
			}
			if len(m.Gaps) != 1 || m.Gaps[0].From != 86 || m.Gaps[0].To != 151 || m.Gaps[0].Seconds < 0.8 {
				t.Errorf("gaps %+v", m.Gaps)
			}
			_, tags := allTags(t, h)
			equal(t, "parts", tags, sourceTags(plugintest.Frames(slices.Concat(gops[:85], gops[150:])...), 0))
		})
	}
}

// A stream that ends while there is no room is noted to its end.
func TestEndWithoutRoom(t *testing.T) {
	t.Parallel()
	h := plugintest.NewHost(t)
	p := startTap(h, "min_free", "1000B")
	p.setFree(5000)
	s := h.Attach(p, "live", "cam")
	s.FeedFrames(plugintest.GOPs(1, 0, 50)...)
	p.setFree(0)
	s.FeedFrames(plugintest.GOPs(2, 1000, 50)...)
	if d := s.End(); d.Durable != s.Next() {
		t.Errorf("durable to %d", d.Durable)
	}
	h.Stop(p)
	m := whole(t, h)
	if len(m.Gaps) != 1 || m.Gaps[0].From != 76 || m.Gaps[0].To != s.Next() {
		t.Errorf("gaps %+v", m.Gaps)
	}
}

// A write that fails half-way leaves whole tags, and the next attach goes on.
func TestWriteFails(t *testing.T) {
	t.Parallel()
	h := plugintest.NewHost(t)
	p := startTap(h)
	s := h.Attach(p, "live", "cam")
	gops := plugintest.GOPs(3, 0, 50)
	s.FeedFrames(gops[:75]...)
	_ = p.stream.cur.w.f.Close() // as bad as a disk that went
	if err := s.TryFeed(plugintest.Frames(gops[75:150]...)...); err == nil {
		t.Fatal("written to a closed file")
	}
	if err := s.TryFeed(plugintest.Frames(gops[75:150]...)...); err == nil {
		t.Fatal("a broken stream writes")
	}
	s.Detach(sdk.Stopped)
	a := s.Attached()
	a.Resume = true
	s = h.AttachWith(p, a)
	if s.ResumeAt() != 76 {
		t.Fatalf("resumes at %d", s.ResumeAt())
	}
	for _, f := range gops {
		f.Seq = 0
	}
	s.SetNext(76)
	s.FeedFrames(gops[75:]...)
	s.End()
	h.Stop(p)
	m := whole(t, h)
	if len(m.Parts) != 1 || len(m.Gaps) != 0 {
		t.Errorf("%+v", m)
	}
	_, tags := allTags(t, h)
	equal(t, "file", tags, sourceTags(plugintest.Frames(gops...), 0))
}

// Old records go, with manifest and all parts.
func TestKeep(t *testing.T) {
	t.Parallel()
	h := plugintest.NewHost(t)
	r := start(h, "keep_age", "1h", "split_time", "1s")
	for range 2 {
		s := h.Attach(r, "live", "cam")
		s.FeedFrames(plugintest.GOPs(3, 0, 50)...)
		s.End()
	}
	live := h.Attach(r, "live", "cam")
	live.FeedFrames(plugintest.GOPs(1, 0, 50)...)
	r.removeOld(time.Now())
	if n := len(files(t, h)); n != 7 {
		t.Fatalf("%d files", n)
	}
	// Until then their manifests are written once more.
	waitFor(t, "all but the live one to be let go", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.sessions) == 1
	})
	r.removeOld(time.Now().Add(2 * time.Hour))
	if n := len(files(t, h)); n != 1 {
		t.Errorf("%d files stay", n)
	}
	if names, _ := filepath.Glob(filepath.Join(h.DataDir(), "flv/live/cam/*.json")); len(names) != 1 {
		t.Errorf("manifests %v", names)
	}
}

// A feed that began anew has times of 32 bits; the part goes on with 64.
func TestAlign(t *testing.T) {
	t.Parallel()
	for _, base := range []int64{500, 1<<32 - 500, 7 << 32} {
		h := plugintest.NewHost(t)
		a, b := startTap(h), startTap(h)
		s := h.Attach(a, "live", "cam")
		gops := plugintest.GOPs(4, base, 50)
		s.FeedFrames(gops[:100]...)
		a.stream.kill()
		s = s.Resume(b)
		var again []*media.Frame
		for _, f := range plugintest.GOPs(4, base, 50)[100:] {
			f.DTS = int64(uint32(f.DTS))
			again = append(again, f)
		}
		s.FeedFrames(again...)
		s.End()
		h.Stop(b)
		whole(t, h)
		_, tags := allTags(t, h)
		equal(t, "file", tags, sourceTags(plugintest.Frames(gops...), 0))
	}
}

// A part whose beginning fails leaves its name free for the next try.
func TestBeginFails(t *testing.T) {
	t.Parallel()
	h := plugintest.NewHost(t)
	p := startTap(h)
	s := h.Attach(p, "live", "cam")
	states := filepath.Join(h.StateDir(), "flv", s.Session())
	if err := os.Remove(states); err != nil {
		t.Fatal(err)
	}
	if err := s.TryFeed(plugintest.Frames(plugintest.GOPs(1, 0, 50)...)...); err == nil {
		t.Fatal("recording without a state")
	}
	a := s.Attached()
	a.Resume = true
	s = h.AttachWith(p, a)
	s.SetNext(1)
	s.FeedFrames(plugintest.GOPs(1, 0, 50)...)
	s.End()
	h.Stop(p)
	if m := whole(t, h); len(files(t, h)) != 1 || len(m.Parts) != 1 {
		t.Errorf("files %v, %+v", files(t, h), m)
	}
}
