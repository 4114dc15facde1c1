package hls

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/plugintest"
	"github.com/millrace/millrace/plugins/record"
	"github.com/millrace/millrace/plugins/sdk"
)

// Numbers go on over sessions, restarts of the plugin and crashes, and each
// session but the first begins with a discontinuity (complaint 16).
func TestRepublish(t *testing.T) {
	t.Parallel()
	for name, values := range map[string]map[string]any{
		"all": {"target": "2s"}, "window": {"target": "2s", "window": int64(3)},
		"no disk": {"target": "2s", "window": int64(3), "disk": false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, c := plugintest.NewHost(t), newClock()
			var next, breaks int64
			for i := range 6 {
				p := startSpy(t, h, c, values)
				s := small(t, h, p, plugintest.GOPs(9, 0, 50))
				if i%3 == 1 {
					p.crash(h) // and nobody comes back
				} else {
					s.End()
					h.Stop(p)
				}
				got := check(t, list(t, h, "live/cam"))
				got.consecutive(t)
				first := got.msn
				if values["window"] == nil && first != next && (i%3 != 2 || first != next-1) {
					t.Errorf("session %d begins with %d, want %d", i, first, next)
				}
				if end := got.msn + int64(len(got.uris)); end <= next {
					t.Errorf("session %d ends with %d, begins with %d", i, end, next)
				} else {
					next = end
				}
				if i%3 == 1 {
					next++ // the open segment may be listed at the next start
				}
				b := got.breaks + int64(len(got.discontinuities))
				if b != breaks {
					t.Errorf("session %d: %d discontinuities, want %d", i, b, breaks)
				}
				breaks++
			}
		})
	}
}

// A segment stays for its duration and that of the longest playlist that
// listed it, and not much longer.
func TestWindow(t *testing.T) {
	t.Parallel()
	h, c := plugintest.NewHost(t), newClock()
	p := startSpy(t, h, c, map[string]any{"target": "2s", "window": int64(3), "memory": true})
	p.still()
	s := small(t, h, p, plugintest.GOPs(9, 0, 50)) // 2 s each, the fifth is open
	dir := p.streams[0].paths.dir
	exists := func(n string) bool {
		_, err := os.Stat(filepath.Join(dir, n))
		_, ok := h.Object("hls/live/cam/" + filepath.Base(dir) + "/" + n)
		if (err == nil) != ok {
			t.Errorf("%s: on disk %v, in memory %t", n, err, ok)
		}
		return ok
	}
	got := check(t, list(t, h, "live/cam"))
	if got.msn != 1 || len(got.uris) != 3 {
		t.Fatalf("lists %d from %d on", len(got.uris), got.msn)
	}
	wait := 5 * 2 * time.Second // four were listed at its end, and itself
	c.add(wait - time.Millisecond)
	p.reaper.run(c.now())
	if !exists("0.ts") {
		t.Error("removed too early")
	}
	c.add(2 * time.Millisecond)
	p.reaper.run(c.now())
	if exists("0.ts") || !exists("1.ts") || !exists("2.ts") {
		t.Error("not what should be there")
	}
	s.End()
	r, err := record.Verify(dir)
	if err != nil || !r.Complete() || len(r.Record.Parts) != 3 {
		t.Errorf("verify: %v\n%s", err, r.String())
	}
	got = check(t, list(t, h, "live/cam"))
	if !got.ended || len(got.uris) != 3 || strings.Contains(list(t, h, "live/cam"), "PLAYLIST-TYPE") {
		t.Errorf("ended %t, %d segments", got.ended, len(got.uris))
	}
}

// What left the playlist before a restart is removed after it.
func TestWindowRestart(t *testing.T) {
	t.Parallel()
	h, c := plugintest.NewHost(t), newClock()
	values := map[string]any{"target": "2s", "window": int64(3)}
	p := startSpy(t, h, c, values)
	small(t, h, p, plugintest.GOPs(15, 0, 50)).End()
	dir := p.streams[0].paths.dir
	h.Stop(p)
	p = startSpy(t, h, c, values)
	wait(t, func() bool { p.reaper.mu.Lock(); defer p.reaper.mu.Unlock(); return len(p.reaper.tasks) > 0 })
	p.still() // the start has found all of them, not only the first
	c.add(time.Minute)
	p.reaper.run(c.now())
	files, err := filepath.Glob(filepath.Join(dir, "*.ts"))
	if err != nil || len(files) != 3 {
		t.Errorf("%v are left: %v", files, err)
	}
}

// The alias leads to the newest session, by a link that stays inside.
func TestAlias(t *testing.T) {
	t.Parallel()
	h, c := plugintest.NewHost(t), newClock()
	p := start(t, h, c, map[string]any{"target": "2s"})
	for range 2 {
		s := small(t, h, p, plugintest.GOPs(5, 0, 50))
		s.End()
		to, err := os.Readlink(h.DataDir() + "/hls/live/cam/index.m3u8")
		if err != nil || filepath.IsAbs(to) || !filepath.IsLocal(to) {
			t.Fatalf("%s: %v", to, err)
		}
		alias, err := os.ReadFile(h.DataDir() + "/hls/live/cam/index.m3u8")
		if err != nil {
			t.Fatal(err)
		}
		if string(alias) != list(t, h, "live/cam") {
			t.Errorf("on disk\n%s", alias)
		}
		got := check(t, string(alias))
		if !got.ended || !strings.HasPrefix(got.uris[0], "/hls/live/cam/"+filepath.Dir(to)+"/") {
			t.Errorf("%s lists %s", to, got.uris[0])
		}
	}
}

// A session without media leaves nothing.
func TestEmpty(t *testing.T) {
	t.Parallel()
	h, c := plugintest.NewHost(t), newClock()
	p := start(t, h, c, nil)
	s := h.Attach(p, "live", "cam")
	s.Feed(plugintest.Header(plugintest.AVCConfig()))
	s.End()
	if left, _ := filepath.Glob(h.DataDir() + "/hls/live/cam/*"); len(left) > 0 || len(h.Objects()) > 0 {
		t.Errorf("left %v %v", left, h.Objects())
	}
}

// Frames that do not come end a segment; the next begins with a discontinuity
// and the manifest names them.
func TestGap(t *testing.T) {
	t.Parallel()
	h, c := plugintest.NewHost(t), newClock()
	p := startSpy(t, h, c, map[string]any{"target": "2s"})
	s := small(t, h, p, plugintest.GOPs(3, 0, 50))
	s.Gap(75, "too slow")
	s.FeedFrames(plugintest.GOPs(3, 4000, 50)...)
	s.SetNext(s.Next() + 75) // numbers left out without a word
	s.FeedFrames(plugintest.GOPs(3, 8000, 50)...)
	s.End()
	got := check(t, list(t, h, "live/cam"))
	got.consecutive(t)
	if !slices.Equal(got.durations, []float64{2, 1, 2, 1, 2, 1}) || !slices.Equal(got.discontinuities, []int{2, 4}) {
		t.Errorf("%v, discontinuities %v", got.durations, got.discontinuities)
	}
	r, err := record.Verify(p.streams[0].paths.dir)
	if err != nil || len(r.Problems) > 0 || len(r.Record.Gaps) != 2 || r.Record.Gaps[0].To-r.Record.Gaps[0].From != 75 {
		t.Errorf("verify: %v\n%s", err, r.String())
	}
}

// A publisher who comes back with the same headers goes on without a
// discontinuity; with others there is one.
func TestGrace(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"ts", "fmp4"} {
		h, c := plugintest.NewHost(t), newClock()
		p := start(t, h, c, map[string]any{"target": "2s", "format": format})
		s := small(t, h, p, plugintest.GOPs(4, 0, 50))
		again := plugintest.AVCConfig()
		again.DTS = 4000
		s.FeedFrames(again, plugintest.AACConfig())
		s.FeedFrames(plugintest.GOPs(4, 4000, 50)...)
		if got := check(t, list(t, h, "live/cam")); len(got.discontinuities) > 0 {
			t.Errorf("%s: discontinuities %v", format, got.discontinuities)
		}
		other := slices.Clone(plugintest.AVCConfig().Body())
		other[len(other)-1] = 0x90 // another PPS
		s.FeedFrames(plugintest.Video(media.AVC, media.Config, 8000, 0, other))
		s.FeedFrames(plugintest.GOPs(4, 8000, 50)...)
		s.End()
		got := check(t, list(t, h, "live/cam"))
		if !slices.Equal(got.discontinuities, []int{4}) || len(got.uris) != 6 {
			t.Errorf("%s: %d segments, discontinuities %v", format, len(got.uris), got.discontinuities)
		}
		if want := map[string]int{"ts": 0, "fmp4": 2}[format]; len(got.maps) != want {
			t.Errorf("%s: maps %v", format, got.maps)
		}
	}
}

// Only what was seen is in the segments, and what comes late is added.
func TestTracks(t *testing.T) {
	t.Parallel()
	audio := func(from, to int64) (frames []*media.Frame) {
		for dts := from; dts < to; dts += 20 {
			frames = append(frames, plugintest.Audio(media.AAC, 0, dts, []byte{0x21, 0x10, 4}))
		}
		return frames
	}
	video := func(n int, dts int64) (frames []*media.Frame) {
		for _, f := range plugintest.GOPs(n, dts, 50) {
			if f.Kind == media.Video {
				frames = append(frames, f)
			}
		}
		return frames
	}
	for name, c := range map[string]struct {
		frames    []*media.Frame
		durations []float64
		breaks    []int
		keyframes int
	}{
		"audio only":  {audio(0, 5000), []float64{2, 2, 1}, nil, 0},
		"video only":  {video(5, 0), []float64{2, 2, 1}, nil, 3},
		"endless GOP": {video(1, 0)[:1], []float64{0.04}, nil, 1},
		"audio comes": {append(video(2, 0), plugintest.GOPs(2, 2000, 50)...), []float64{2, 0.04, 1.96}, []int{2}, 2},
		"video stops": {append(plugintest.GOPs(2, 0, 50), audio(2000, 9000)...), []float64{4, 4, 1}, nil, 1},
		"video late":  {append(audio(0, 3000), plugintest.GOPs(2, 3000, 50)...), []float64{2, 1, 2}, []int{2}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, clock := plugintest.NewHost(t), newClock()
			p := startSpy(t, h, clock, map[string]any{"target": "2s", "low_latency": name != "video stops"})
			s := small(t, h, p, c.frames)
			s.End()
			got := check(t, list(t, h, "live/cam"))
			if !slices.Equal(got.durations, c.durations) || !slices.Equal(got.discontinuities, c.breaks) {
				t.Errorf("%v, discontinuities %v", got.durations, got.discontinuities)
			}
			keyframes := 0
			m, err := record.Load(record.ManifestPath(p.streams[0].paths.dir, true))
			for _, part := range m.Parts {
				if part.Keyframe {
					keyframes++
				}
			}
			if err != nil || keyframes != c.keyframes || c.keyframes == 0 && got.independent > 0 {
				t.Errorf("%d segments begin with keyframes, %d parts have some: %v", keyframes, got.independent, err)
			}
		})
	}
}

// Without a keyframe a segment is cut at twice the target.
func TestEndlessGOP(t *testing.T) {
	t.Parallel()
	h, c := plugintest.NewHost(t), newClock()
	p := start(t, h, c, map[string]any{"target": "2s"})
	frames := plugintest.GOPs(10, 0, 50)
	for _, f := range frames[1:] {
		f.Flags &^= media.Keyframe
	}
	small(t, h, p, frames).End()
	if got := check(t, list(t, h, "live/cam")); !slices.Equal(got.durations, []float64{4, 4, 2}) {
		t.Errorf("%v", got.durations)
	}
}

// Timestamps before and after what travels in 24, 32 and 33 bits.
func TestWrap(t *testing.T) {
	t.Parallel()
	for _, dts := range []int64{0xFFFFFF - 1000, 1<<32 - 1000, 1<<33/90 - 2000} {
		for _, format := range []string{"ts", "fmp4"} {
			h, c := plugintest.NewHost(t), newClock()
			p := start(t, h, c, map[string]any{"target": "2s", "format": format})
			small(t, h, p, plugintest.GOPs(6, dts, 50)).End()
			if got := check(t, list(t, h, "live/cam")); !slices.Equal(got.durations, []float64{2, 2, 2}) {
				t.Errorf("%s from %d: %v", format, dts, got.durations)
			}
		}
	}
}

// Events name each segment and the record, with numbers that follow.
func TestEvents(t *testing.T) {
	t.Parallel()
	h, c := plugintest.NewHost(t), newClock()
	p := start(t, h, c, map[string]any{"target": "2s"})
	s := small(t, h, p, plugintest.GOPs(6, 0, 50))
	d := s.End()
	if d.Durable != s.Next() {
		t.Errorf("durable up to %d of %d", d.Durable, s.Next())
	}
	next := uint64(1)
	for i, e := range h.Announced(event.Segment) {
		if e.Number != int64(i) || e.FromSeq != next || e.Size == 0 || len(e.SHA256) != 64 || e.Duration != 2 || e.Session != s.Session() {
			t.Errorf("%+v", e)
		}
		if sum, err := record.SHA256(filepath.Join(h.DataDir(), e.File)); err != nil || sum != e.SHA256 {
			t.Errorf("%s: %s, %v", e.File, sum, err)
		}
		next = e.ToSeq
	}
	done := h.Announced(event.RecordDone)
	if len(done) != 1 || done[0].FromSeq != 1 || done[0].ToSeq != s.Next() || !strings.HasSuffix(done[0].File, "/index.m3u8") || done[0].Duration != 6 {
		t.Errorf("%+v", done)
	}
}

// A full disk stops the recording, not the stream, and it goes on when there
// is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	h, c := plugintest.NewHost(t), newClock()
	p := startSpy(t, h, c, map[string]any{"target": "2s", "min_free": "1GiB"})
	free := int64(1 << 40)
	p.guard.Ask = func(string) (int64, error) { return free, nil }
	s := h.Attach(p, "live", "cam")
	s.Feed(plugintest.Header(plugintest.AVCConfig()), plugintest.Header(plugintest.AACConfig()))
	for i := range int64(5) {
		free = 1 << 40
		if i == 1 || i == 2 {
			free = 0
		}
		c.add(2 * time.Second)
		s.FeedFrames(plugintest.GOPs(2, 2000*i, 50)...)
	}
	s.End()
	got := check(t, list(t, h, "live/cam"))
	if !slices.Equal(got.durations, []float64{2, 2, 2}) || !slices.Equal(got.discontinuities, []int{1}) {
		t.Errorf("%v, discontinuities %v", got.durations, got.discontinuities)
	}
	r, err := record.Verify(p.streams[0].paths.dir)
	if err != nil || len(r.Problems) > 0 || len(r.Record.Gaps) != 1 {
		t.Errorf("verify: %v\n%s", err, r.String())
	}
}

// Skipped sessions are taken and not kept.
func TestSkip(t *testing.T) {
	t.Parallel()
	s := skipped{}
	if err := s.Write([]sdk.Item{{}}); err != nil {
		t.Error(err)
	}
	if d, err := s.Detach(t.Context(), sdk.Detach{At: 7}); err != nil || d.Durable != 7 {
		t.Error(d, err)
	}
}

// The journal of a session that slides for weeks stays short, and numbers and
// discontinuities are those of a session that was never compacted.
func TestCompact(t *testing.T) {
	t.Parallel()
	h, c := plugintest.NewHost(t), newClock()
	values := map[string]any{"target": "1s", "window": int64(3), "disk": true}
	p := startSpy(t, h, c, values)
	s := small(t, h, p, plugintest.GOPs(310, 0, 20))
	s.Gap(3, "test")
	s.FeedFrames(plugintest.GOPs(40, 320_000, 20)...)
	before := check(t, list(t, h, "live/cam"))
	lines, err := readLines[segment](p.streams[0].j.path("segments.jsonl"))
	if err != nil || len(lines) > 60 {
		t.Errorf("%d lines: %v", len(lines), err)
	}
	p.crash(h)
	p = startSpy(t, h, c, values, s.Session())
	s = s.Resume(p)
	s.End()
	after := check(t, list(t, h, "live/cam")) // with the segment that was open
	if after.msn != before.msn+1 || after.breaks != before.breaks || after.breaks != 1 {
		t.Errorf("from %d and %d to %d and %d", before.msn, before.breaks, after.msn, after.breaks)
	}
}

// After an error of the disk nothing is held, and another attach goes on with
// what is durable.
func TestDiskError(t *testing.T) {
	t.Parallel()
	h, c := plugintest.NewHost(t), newClock()
	p := startSpy(t, h, c, map[string]any{"target": "1s"})
	s := small(t, h, p, plugintest.GOPs(4, 0, 50)[:260])
	if err := p.streams[0].cur.file.f.Close(); err != nil {
		t.Fatal(err)
	}
	frames := plugintest.GOPs(8, 0, 50)
	if err := s.TryFeed(plugintest.Frames(frames[260:]...)...); err == nil {
		t.Fatal("no error")
	}
	if err := s.TryFeed(plugintest.Frames(frames[260])...); err == nil {
		t.Error("no error afterwards")
	}
	a := s.Attached()
	s.Detach(sdk.Lost)
	a.Resume = true
	s = h.AttachWith(p, a)
	if from := s.ResumeAt(); from < 200 || from > 260 {
		t.Fatalf("resumes at %d", from)
	}
	s.SetNext(s.ResumeAt())
	s.FeedFrames(frames[s.ResumeAt()-1:]...)
	s.End()
	got := check(t, list(t, h, "live/cam"))
	if len(got.uris) != 8 || len(got.discontinuities) > 0 {
		t.Errorf("%v, discontinuities %v", got.durations, got.discontinuities)
	}
}

// A session that comes after one that began later, since it was missed, does
// not take the names of the newest from that.
func TestMissedSession(t *testing.T) {
	t.Parallel()
	h, c := plugintest.NewHost(t), newClock()
	p := startSpy(t, h, c, map[string]any{"target": "1s", "memory": true})
	var newest, link string
	for _, at := range []time.Duration{0, -time.Hour} {
		id := ulid.MustNew(ulid.Timestamp(c.now().Add(at)), ulid.DefaultEntropy()).String()
		s := h.AttachWith(p, sdk.Attach{App: "live", Name: "cam", Session: id})
		s.Feed(plugintest.Header(plugintest.AVCConfig()), plugintest.Header(plugintest.AACConfig()))
		for i := range int64(5) {
			s.FeedFrames(plugintest.GOPs(1, i*1000, 50)...)
		}
		s.End()
		o, ok := h.Object("hls/live/cam/index.m3u8")
		to, err := os.Readlink(filepath.Join(h.DataDir(), "hls/live/cam/index.m3u8"))
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		if newest == "" {
			newest, link = string(o.Body), to
		} else if string(o.Body) != newest || to != link {
			t.Errorf("the newest is %s, was %s:\n%s", to, link, o.Body)
		}
	}
	if lists, _ := filepath.Glob(filepath.Join(h.DataDir(), "hls/live/cam/*/index.m3u8")); len(lists) != 2 {
		t.Errorf("playlists %v", lists)
	}
}
