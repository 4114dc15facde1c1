package hls

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/plugintest"
	"github.com/millrace/millrace/plugins/record"
	"github.com/millrace/millrace/plugins/sdk"
)

// spy is a plugin whose streams a test can crash.
type spy struct {
	*Plugin
	mu      sync.Mutex
	streams []*stream
	live    []string // sessions that the server has, attached or not
}

// liveHost knows of streams that are not attached yet.
type liveHost struct {
	sdk.Host
	live []string
}

func (h liveHost) Streams(ctx context.Context) ([]event.Event, error) {
	all, err := h.Host.Streams(ctx)
	for _, s := range h.live {
		all = append(all, event.Event{Session: s})
	}
	return all, err
}

func (p *spy) Start(ctx context.Context, h sdk.Host) error {
	return p.Plugin.Start(ctx, liveHost{h, p.live})
}

func (p *spy) Attach(ctx context.Context, a sdk.Attach) (sdk.Stream, error) {
	s, err := p.Plugin.Attach(ctx, a)
	p.mu.Lock()
	defer p.mu.Unlock()
	if s, ok := s.(*stream); ok {
		p.streams = append(p.streams, s)
	}
	return s, err
}

// Crash frees what the kernel does when a process is killed.
func (p *spy) Crash() {
	_ = p.Stop(context.Background()) // its answer is nil
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.streams {
		_ = s.lock.Release() // may have been, by Detach
	}
}

var _ plugintest.Crasher = (*spy)(nil)

func startSpy(t *testing.T, h *plugintest.Host, c *fakeClock, values map[string]any, live ...string) *spy {
	t.Helper()
	p := &spy{Plugin: New().(*Plugin), live: live}
	p.now = c.now
	all := map[string]any{"min_free": "0"}
	for k, v := range values {
		all[k] = v
	}
	h.Start(p, all)
	return p
}

// still ends what the plugin does by itself, when it has done what it is at: its
// clean-up would go on beside what a test does and counts.
func (p *spy) still() {
	p.stop()
	p.done.Wait()
}

// crash leaves what a killed process leaves: files as they are, and no lock.
func (p *spy) crash(h *plugintest.Host) {
	h.Crash(p)
}

// numbered gives the frames of a file their numbers; headers stand apart.
func numbered(t *testing.T, file string) (headers, frames []sdk.Item) {
	t.Helper()
	for _, it := range plugintest.ReadFLV(t, file) {
		if it.Type == sdk.Header {
			headers = append(headers, it)
			continue
		}
		it.Seq = uint64(len(frames)) + 1
		it.Frame.Seq = it.Seq
		frames = append(frames, it)
	}
	return headers, frames
}

// feed writes frames as they come from the server.
func feed(s *plugintest.Stream, frames []sdk.Item) {
	for _, b := range batches(frames, 100) {
		s.Feed(b...)
	}
}

var crashes = map[string]map[string]any{
	"ts":          {"target": "4s"},
	"fmp4":        {"target": "4s", "format": "fmp4"},
	"encrypted":   {"target": "4s", "encrypt": true, "key_rotation": int64(2)},
	"low latency": {"target": "4s", "low_latency": true},
	"fmp4 low":    {"target": "4s", "low_latency": true, "format": "fmp4", "disk": false, "window": int64(50)},
}

// A crash costs nothing that was written, and the rest comes from the ring:
// the playlist decodes as if nothing had happened.
func TestCrash(t *testing.T) {
	t.Parallel()
	src := sample(t)
	for name, values := range crashes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			headers, frames := numbered(t, src)
			h, c := plugintest.NewHost(t), newClock()
			first := startSpy(t, h, c, values)
			s := h.AttachWith(first, sdk.Attach{App: "live", Name: "cam"})
			s.Feed(headers...)
			at := len(frames) * 5 / 11
			feed(s, frames[:at])
			first.crash(h)
			if dir := first.streams[0].paths.dir; first.settings.disk {
				tear(t, filepath.Join(dir, first.streams[0].cur.File), 777)
			}

			second := startSpy(t, h, c, values, s.Session())
			a := s.Attached()
			a.Resume = true
			s = h.AttachWith(second, a)
			if from := s.ResumeAt(); from == 0 || from > uint64(at)+1 || from < uint64(at)/2 {
				t.Fatalf("resumes at %d of %d", from, at)
			}
			s.Feed(headers...)
			feed(s, frames[s.ResumeAt()-1:])
			s.End()
			checkWhole(t, h, src)
		})
	}
}

// tear cuts the last n bytes off a file.
func tear(t *testing.T, name string, n int64) {
	t.Helper()
	info, err := os.Stat(name)
	if err == nil {
		err = os.Truncate(name, max(0, info.Size()-n))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// checkWhole checks that a session has all of a source, without a
// discontinuity, and that its manifest agrees.
func checkWhole(t *testing.T, h *plugintest.Host, src string) {
	t.Helper()
	if l := list(t, h, "live/cam"); strings.Contains(l, "DISCONTINUITY") {
		t.Errorf("the playlist has a discontinuity:\n%s", l)
	}
	url := web(t, h) + "/hls/live/cam/index.m3u8"
	same(t, "video", decode(t, url, "v"), decode(t, src, "v"))
	same(t, "audio", decode(t, url, "a"), decode(t, src, "a"))
	dirs, _ := filepath.Glob(h.DataDir() + "/hls/live/cam/2*")
	for _, d := range dirs {
		r, err := record.Verify(d)
		if err != nil || !r.Complete() {
			t.Errorf("verify: %v\n%s", err, r.String())
		}
	}
}

// A hot swap twenty times during a stream changes nothing.
func TestHandover(t *testing.T) {
	t.Parallel()
	src := sample(t)
	for name, values := range crashes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			headers, frames := numbered(t, src)
			h, c := plugintest.NewHost(t), newClock()
			p := startSpy(t, h, c, values)
			s := h.AttachWith(p, sdk.Attach{App: "live", Name: "cam"})
			s.Feed(headers...)
			for i := range 20 {
				from, to := len(frames)*i/21, len(frames)*(i+1)/21
				feed(s, frames[from:to])
				a := s.Attached()
				d := s.Detach(sdk.Handover)
				a.Next, a.Handover = d.Durable, d.Handover
				if d.Durable != uint64(to)+1 && i > 0 {
					t.Errorf("durable up to %d of %d", d.Durable, to)
				}
				p = startSpy(t, h, c, values, s.Session())
				s = h.AttachWith(p, a)
				s.Feed(headers...)
				if from := s.ResumeAt(); from > 0 && from <= uint64(to) {
					feed(s, frames[from-1:to])
				} else if from == 0 {
					feed(s, frames[:to])
				}
			}
			feed(s, frames[len(frames)*20/21:])
			s.End()
			checkWhole(t, h, src)
		})
	}
}

// small feeds synthetic frames, so that files are short.
func small(t *testing.T, h *plugintest.Host, p sdk.Plugin, frames []*media.Frame) *plugintest.Stream {
	t.Helper()
	s := h.Attach(p, "live", "cam")
	s.Feed(plugintest.Header(plugintest.AVCConfig()), plugintest.Header(plugintest.AACConfig()))
	for len(frames) > 0 {
		n := min(10, len(frames))
		s.FeedFrames(frames[:n]...)
		frames = frames[n:]
	}
	return s
}

// Wherever the open segment is cut short, its tail goes to the last whole
// chunk, and that is listed.
func TestTornSegment(t *testing.T) {
	t.Parallel()
	for name, values := range map[string]map[string]any{
		"ts": {"target": "4s"}, "fmp4": {"target": "4s", "format": "fmp4"}, "encrypted": {"target": "4s", "encrypt": true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, c := plugintest.NewHost(t), newClock()
			p := startSpy(t, h, c, values)
			small(t, h, p, plugintest.GOPs(8, 0, 50)[:510])
			p.crash(h)
			s := p.streams[0]
			torn(t, p, s, "segment", filepath.Join(s.paths.dir, s.cur.File))
			torn(t, p, s, "journal", s.j.path("open.jsonl"))
		})
	}
}

// torn cuts a file at every offset around the ends of chunks, and at three
// hundred others, and loads the stream. The more of the file is there, the more
// of the stream is.
func torn(t *testing.T, p *spy, crashed *stream, what, name string) {
	t.Helper()
	segment := filepath.Join(crashed.paths.dir, crashed.cur.File)
	whole := map[string][]byte{}
	for _, f := range []string{segment, crashed.j.path("open.jsonl")} {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		whole[f] = b
	}
	last := uint64(0)
	chunks, err := readLines[chunk](crashed.j.path("open.jsonl"))
	if err != nil || len(chunks) < 2 {
		t.Fatalf("%d chunks: %v", len(chunks), err)
	}
	near := func(n int) bool {
		return slices.ContainsFunc(chunks, func(c chunk) bool { d := int64(n) - c.Segment.Size; return -40 < d && d < 40 })
	}
	size := len(whole[name])
	for n := range size + 1 {
		if n != size && n%(size/300+1) != 0 && !near(n) {
			continue
		}
		for f, b := range whole {
			if f == name {
				b = b[:n]
			}
			if err := os.WriteFile(f, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		j := &journal{dir: crashed.j.dir}
		old, found, err := j.load()
		if err != nil || !found {
			t.Fatalf("%s of %d bytes: %v", what, n, err)
		}
		s := p.newStream(j, old.header)
		if err := s.restore(&old); err != nil {
			t.Fatalf("%s of %d bytes: %v", what, n, err)
		}
		if s.next < last || s.next == 0 {
			t.Fatalf("%s of %d bytes: goes on at %d, with less at %d", what, n, s.next, last)
		}
		last = s.next
		if s.cur != nil {
			info, err := os.Stat(segment)
			if err != nil || info.Size() != s.cur.Size || info.Size() > int64(len(whole[segment])) {
				t.Fatalf("%s of %d bytes: the segment has %d, listed %d: %v", what, n, info.Size(), s.cur.Size, err)
			}
			if _, err := s.cur.file.close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if last != crashed.cur.ToSeq {
		t.Errorf("%s: with all there it goes on at %d, want %d", what, last, crashed.cur.ToSeq)
	}
}

// After a crash of the server no stream comes back: the next start ends its
// session.
func TestRecover(t *testing.T) {
	t.Parallel()
	for name, values := range map[string]map[string]any{"ts": {"target": "4s"}, "fmp4": {"target": "4s", "format": "fmp4"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			headers, frames := numbered(t, sample(t))
			h, c := plugintest.NewHost(t), newClock()
			p := startSpy(t, h, c, values)
			s := h.AttachWith(p, sdk.Attach{App: "live", Name: "cam"})
			s.Feed(headers...)
			feed(s, frames[:700])
			p.crash(h)
			dir := p.streams[0].paths.dir
			tear(t, filepath.Join(dir, p.streams[0].cur.File), 100)
			startSpy(t, h, c, values)
			wait(t, func() bool { return len(h.Announced(event.RecordDone)) > 0 })
			r, err := record.Verify(dir)
			if err != nil || !r.Whole() || r.Complete() || r.To < 600 {
				t.Errorf("verify: %v\n%s", err, r.String())
			}
			if done := h.Announced(event.RecordDone); len(done) != 1 {
				t.Errorf("announced %v", done)
			}
			b, err := os.ReadFile(h.DataDir() + "/hls/live/cam/index.m3u8")
			if err != nil || !strings.HasSuffix(string(b), "#EXT-X-ENDLIST\n") {
				t.Errorf("%v\n%s", err, b)
			}
			got := decode(t, web(t, h)+"/hls/live/cam/index.m3u8", "v")
			n := len(got) - 3 // the last may lack what they refer to
			same(t, "video", got[:n], decode(t, sample(t), "v")[:n])
		})
	}
}

// A session that was given up before its first frame goes on when the stream
// is attached once more.
func TestGivenUpEmpty(t *testing.T) {
	t.Parallel()
	h, c := plugintest.NewHost(t), newClock()
	p := start(t, h, c, map[string]any{"target": "2s"})
	s := h.Attach(p, "live", "cam")
	a := s.Attached()
	s.End()
	a.Resume = true
	s = h.AttachWith(p, a)
	s.Feed(plugintest.Header(plugintest.AVCConfig()), plugintest.Header(plugintest.AACConfig()))
	s.FeedFrames(plugintest.GOPs(5, 0, 50)...)
	s.End()
	if got := check(t, list(t, h, "live/cam")); len(got.uris) == 0 || !got.ended {
		t.Errorf("%+v", got)
	}
}
