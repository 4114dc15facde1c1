package plugintest

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/host"
	"github.com/millrace/millrace/plugins/sdk"
)

// Run is the conformance kit: it does to a plugin what the server does to it,
// first in this process, then with the test program started once more as the
// plugin's process. The test that calls it does nothing before that, and needs
// no TestMain. values is the configuration to run with.
func Run(t *testing.T, factory func() sdk.Plugin, values ...map[string]any) {
	t.Helper()
	if os.Getenv(serveEnv) == t.Name() {
		sdk.Serve(factory)
		os.Exit(0)
	}
	k := &kit{factory: factory}
	if len(values) > 0 {
		k.values = values[0]
	}
	k.info = factory().Info()
	t.Run("info", k.testInfo)
	t.Run("configure", k.testConfigure)
	t.Run("start twice", k.testStartTwice)
	command := k.command(t.Name())
	t.Run("process", func(t *testing.T) { k.testProcess(t, command) })
	if k.info.Media == nil {
		return
	}
	for _, c := range k.streams() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, k.start(t))
		})
	}
	t.Run("process records", func(t *testing.T) {
		t.Parallel()
		k.testProcessRecords(t, command)
	})
}

type kit struct {
	factory func() sdk.Plugin
	values  map[string]any
	info    sdk.Info
}

// unknownKey is one that no plugin has.
const unknownKey = "no_plugin_has_this_key"

func (k *kit) testInfo(t *testing.T) {
	switch i := k.info; {
	case i.Name == "" || i.Version == "":
		t.Errorf("name %q, version %q", i.Name, i.Version)
	case i.Handover && i.Media == nil:
		t.Error("a plugin without media has nothing to hand over")
	case i.Media != nil && i.Media.Merge < 0:
		t.Errorf("merge of %v", i.Media.Merge)
	}
	p := k.factory()
	if _, ok := p.(sdk.Recorder); ok != (k.info.Media != nil) {
		t.Errorf("media wanted: %t, sdk.Recorder implemented: %t", k.info.Media != nil, ok)
	}
	if _, ok := p.(sdk.EventHandler); !ok && len(k.info.Events) > 0 {
		t.Error("Info wants events, but the plugin has no method of sdk.EventHandler to take them")
	}
	for _, prefix := range k.info.Objects {
		if !strings.HasSuffix(prefix, "/") || strings.HasPrefix(prefix, "/") {
			t.Errorf("prefix of objects %q is not of the form NAME/", prefix)
		}
	}
}

func (k *kit) testConfigure(t *testing.T) {
	if problems := k.factory().Configure(sdk.Config{Values: k.values}); len(problems) > 0 {
		t.Errorf("the configuration to run with: %v", problems)
	}
	bad := map[string]any{unknownKey: int64(1)}
	for key, v := range k.values {
		bad[key] = v
	}
	problems := k.factory().Configure(sdk.Config{Values: bad})
	if !slices.ContainsFunc(problems, func(p sdk.Problem) bool { return p.Key == unknownKey && p.Message != "" }) {
		t.Errorf("an unknown key is no problem: %v", problems)
	}
}

// testStartTwice starts a second process in the folders of a first one.
func (k *kit) testStartTwice(t *testing.T) {
	h := NewHost(t)
	for range 2 {
		p := k.factory()
		h.Start(p, k.values)
		h.Stop(p)
	}
}

// bench is a started plugin in its host.
type bench struct {
	*Host
	k *kit
	p sdk.Plugin
}

func (k *kit) start(t *testing.T) *bench {
	b := &bench{Host: NewHost(t), k: k}
	b.p = b.another()
	return b
}

// another starts one more process of the same plugin.
func (b *bench) another() sdk.Plugin {
	b.t.Helper()
	p := b.k.factory()
	b.Start(p, b.k.values)
	return p
}

// ended ends a stream and checks that all of it is on disk, and that the
// records that were announced are there.
func (b *bench) ended(t *testing.T, s *Stream) {
	t.Helper()
	if d := s.End(); d.Durable != s.Next() {
		t.Errorf("the stream ended at %d and is durable up to %d", s.Next(), d.Durable)
	}
	for _, e := range b.Announced(event.RecordDone) {
		if _, err := os.Stat(filepath.Join(b.DataDir(), filepath.FromSlash(e.File))); err != nil {
			t.Errorf("announced record: %v", err)
		}
	}
	for _, path := range b.Refused() {
		t.Errorf("object %s is not below a prefix that the plugin asked for", path)
	}
}

// streamCase is something that happens to a stream.
type streamCase struct {
	name string
	run  func(t *testing.T, b *bench)
}

func (k *kit) streams() []streamCase {
	cases := []streamCase{
		{"attach and detach", func(t *testing.T, b *bench) {
			s := b.Attach(b.p, "live/deep", "cam")
			s.play(t, 3)
			b.ended(t, s)
		}},
		{"end without a frame", func(_ *testing.T, b *bench) { b.Attach(b.p, "live", "cam").End() }},
		{"stop while recording", func(t *testing.T, b *bench) {
			b.Attach(b.p, "live", "cam").play(t, 2)
			b.Stop(b.p)
		}},
		{"two sessions", func(t *testing.T, b *bench) {
			for range 2 {
				s := b.Attach(b.p, "live", "cam")
				s.play(t, 1)
				b.ended(t, s)
			}
		}},
		{"late attach", func(t *testing.T, b *bench) {
			s := b.AttachWith(b.p, sdk.Attach{App: "live", Name: "cam", Next: 100_000})
			s.at(3_600_000).play(t, 2)
			b.ended(t, s)
		}},
		{"times beyond 32 bits", func(t *testing.T, b *bench) {
			s := b.Attach(b.p, "live", "cam")
			s.at(math.MaxUint32-3000).play(t, 3)
			b.ended(t, s)
		}},
		{"gap", func(t *testing.T, b *bench) {
			s := b.Attach(b.p, "live", "cam")
			s.play(t, 1)
			s.Gap(200, "lag")
			s.at(4*clipLength).play(t, 1)
			b.ended(t, s)
		}},
		{"gap within a GOP", func(t *testing.T, b *bench) {
			s := b.Attach(b.p, "live", "cam")
			s.play(t, 1)
			s.Gap(10, "lag")
			_, frames := Clip(t, 2)
			s.FeedFrames(shift(frames[len(frames)/2+10:], clipLength)...)
			b.ended(t, s)
		}},
		{"headers again", headersAgain},
		{"headers change", headersChange},
		{"audio only", func(t *testing.T, b *bench) { b.only(t, media.Audio) }},
		{"video only", func(t *testing.T, b *bench) { b.only(t, media.Video) }},
		{"frame by frame", func(t *testing.T, b *bench) {
			s := b.Attach(b.p, "live", "cam")
			headers, frames := Clip(t, 1)
			s.Feed(asHeaders(headers)...)
			for _, f := range frames {
				s.FeedFrames(f)
			}
			b.ended(t, s)
		}},
		{"resume after a kill", resumes},
		{"resume with nothing on disk", func(t *testing.T, b *bench) {
			s := b.AttachWith(b.p, sdk.Attach{App: "live", Name: "cam", Resume: true})
			s.play(t, 1)
			b.ended(t, s)
		}},
		{"flood", flood},
	}
	if k.info.Handover {
		cases = append(cases, streamCase{"handover", handsOver})
	}
	return cases
}

// at sets the time of what is played next, in ms.
func (s *Stream) at(dts int64) *Stream {
	s.clock = dts
	return s
}

// play feeds the headers and the clip n times, in batches.
func (s *Stream) play(t testing.TB, n int) {
	t.Helper()
	headers, frames := Clip(t, n)
	s.Feed(asHeaders(headers)...)
	s.feedBatches(shift(frames, s.clock))
	s.clock += int64(n) * clipLength
}

func (s *Stream) feedBatches(frames []*media.Frame) {
	s.h.t.Helper()
	items := Frames(frames...)
	for len(items) > 0 {
		n := batch(items)
		s.Feed(items[:n]...)
		items = items[n:]
	}
}

func asHeaders(frames []*media.Frame) []sdk.Item {
	items := make([]sdk.Item, len(frames))
	for i, f := range frames {
		items[i] = Header(f)
	}
	return items
}

// shift makes frames later by ms.
func shift(frames []*media.Frame, ms int64) []*media.Frame {
	for _, f := range frames {
		f.DTS += ms
		f.Seal()
	}
	return frames
}

// headersAgain is a publisher that comes back within the grace: the same
// headers, counted.
func headersAgain(t *testing.T, b *bench) {
	s := b.Attach(b.p, "live", "cam")
	s.play(t, 1)
	headers, frames := Clip(t, 1)
	s.FeedFrames(shift(headers, clipLength)...)
	s.feedBatches(shift(frames, clipLength))
	b.ended(t, s)
}

func headersChange(t *testing.T, b *bench) {
	s := b.Attach(b.p, "live", "cam")
	s.play(t, 1)
	s.FeedFrames(shift([]*media.Frame{AVCConfig(), AACConfig()}, clipLength)...)
	s.FeedFrames(GOPs(2, clipLength, 500)...)
	b.ended(t, s)
}

func (b *bench) only(t *testing.T, kind media.Kind) {
	t.Helper()
	s := b.Attach(b.p, "live", "cam")
	other := func(f *media.Frame) bool { return f.Kind != kind }
	headers, frames := Clip(t, 3)
	s.Feed(asHeaders(slices.DeleteFunc(headers, other))...)
	s.feedBatches(slices.DeleteFunc(frames, other))
	b.ended(t, s)
}

// resumes kills the plugin in the middle; the ring still has everything.
func resumes(t *testing.T, b *bench) {
	s := b.Attach(b.p, "live", "cam")
	headers, frames := Clip(t, 4)
	s.Feed(asHeaders(headers)...)
	half := len(frames) / 2
	s.feedBatches(frames[:half])
	before := s.Next()
	s = s.Resume(b.another())
	if at := s.ResumeAt(); at > before {
		t.Fatalf("resumed at %d, of which only %d came", at, before)
	}
	s.Feed(asHeaders(headers)...)
	s.feedBatches(frames[s.Next()-1:])
	b.ended(t, s)
}

func handsOver(t *testing.T, b *bench) {
	s := b.Attach(b.p, "live", "cam")
	headers, frames := Clip(t, 4)
	s.Feed(asHeaders(headers)...)
	for i := range 8 {
		from, to := i*len(frames)/8, (i+1)*len(frames)/8
		s.feedBatches(frames[from:to])
		old := s.plugin
		s = s.Handover(b.another())
		b.Stop(old)
		s.Feed(asHeaders(headers)...)
	}
	b.ended(t, s)
}

// flood feeds many streams at once, each as fast as it goes.
func flood(t *testing.T, b *bench) {
	var wg sync.WaitGroup
	var streams []*Stream
	for i := range 10 {
		s := b.Attach(b.p, "live", fmt.Sprintf("cam%d", i))
		headers, frames := Clip(t, 20)
		streams = append(streams, s)
		wg.Go(func() {
			err := s.TryFeed(asHeaders(headers)...)
			for group := range slices.Chunk(frames, 10) {
				err = errors.Join(err, s.TryFeed(Frames(group...)...))
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, s := range streams {
		b.ended(t, s)
	}
}

// command is this test program as the plugin's process.
func (k *kit) command(test string) host.Config {
	c := Command(test)
	var patterns []string
	for part := range strings.SplitSeq(test, "/") {
		patterns = append(patterns, "^"+regexp.QuoteMeta(part)+"$")
	}
	c.Args = []string{"-test.run=" + strings.Join(patterns, "/")}
	c.Values = k.values
	return c
}

// feedUntil feeds frames at a pace until done, and then what is left: a plugin
// that hands nothing over changes at a keyframe, which has to come.
func (p *Publication) feedUntil(done chan error, frames []*media.Frame) error {
	for {
		n := min(2, len(frames))
		p.Feed(frames[:n]...)
		frames = frames[n:]
		select {
		case err := <-done:
			p.Feed(frames...)
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (k *kit) testProcess(t *testing.T, c host.Config) {
	r := NewRig(t, map[string]host.Config{k.info.Name: c}, host.Options{})
	r.AwaitState(k.info.Name, host.Running)
	bad := c
	bad.Values = map[string]any{unknownKey: int64(1)}
	if problems, err := r.Check(t.Context(), k.info.Name, bad); err != nil || len(problems) == 0 {
		t.Errorf("an unknown key: %v, %v", problems, err)
	}
	pid := r.Status(k.info.Name).PID
	r.Stop()
	if resident, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid)); err == nil && len(resident) > 0 {
		t.Error("the process outlived its host")
	}
}

// testProcessRecords kills the process in the middle of a stream, and swaps
// it, both while frames come.
func (k *kit) testProcessRecords(t *testing.T, c host.Config) {
	r := NewRig(t, map[string]host.Config{k.info.Name: c}, host.Options{})
	r.AwaitState(k.info.Name, host.Running)
	headers, frames := Clip(t, 10)
	p := r.Media.Publish("live", "cam", 1<<20)
	p.Headers(headers...)
	r.Event(p.Event(event.StreamStart))
	feed := func(from, to int) {
		p.Feed(frames[len(frames)*from/10 : len(frames)*to/10]...)
		next := p.Next()
		r.Await("the plugin has taken what came", func() bool {
			st := r.Status(k.info.Name).Streams
			return len(st) == 1 && st[0].NextSeq == next
		})
	}
	feed(0, 3)
	if err := r.Kill(k.info.Name); err != nil {
		t.Fatal(err)
	}
	feed(3, 6)
	swapped := make(chan error)
	go func() { swapped <- r.Restart(t.Context(), k.info.Name) }()
	if err := p.feedUntil(swapped, frames[len(frames)*6/10:]); err != nil {
		t.Fatal(err)
	}
	feed(10, 10)
	r.End(p)
	r.Await("the stream is detached", func() bool { return len(r.Status(k.info.Name).Streams) == 0 })
	if st := r.Status(k.info.Name); st.Restarts != 2 {
		t.Errorf("%d processes died or were swapped, want 2: %+v", st.Restarts, st)
	}
	for _, e := range r.Announced() {
		if e.Event != event.RecordDone {
			continue
		}
		if _, err := os.Stat(filepath.Join(r.DataDir, filepath.FromSlash(e.File))); err != nil {
			t.Errorf("announced record: %v", err)
		}
	}
}
