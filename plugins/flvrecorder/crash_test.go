package flvrecorder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/plugintest"
	"github.com/millrace/millrace/plugins/record"
	"github.com/millrace/millrace/plugins/sdk"
)

// scene is a stream with everything that makes counting hard: metadata and
// repeated headers in mid-stream, script data, gaps.
func scene() []sdk.Item {
	var items []sdk.Item
	seq, at := uint64(1), int64(500)
	add := func(frames ...*media.Frame) {
		for _, f := range frames {
			if f.IsMedia() {
				at = f.DTS
			}
			f.Seq, f.DTS = seq, at
			items = append(items, sdk.Item{Type: sdk.Frame, Seq: seq, Frame: f})
			seq++
		}
	}
	title := func(s string) *media.Frame { return plugintest.Metadata(amf.ECMAArray{{Name: "title", Value: s}}) }
	add(title("a"), plugintest.AVCConfig(), plugintest.AACConfig())
	gops := plugintest.GOPs(4, 500, 20)
	add(gops[:80]...)
	add(title("b"), plugintest.AVCConfig(), plugintest.AACConfig())
	add(gops[80:90]...)
	items = append(items, sdk.Item{Type: sdk.Gap, From: seq, To: seq + 20, Reason: "slow"})
	seq += 20
	add(gops[110:160]...)
	seq += 5 // frames that nobody could read
	add(gops[165:230]...)
	return items
}

// from are the items from a sequence number on, as the host sends them to a
// recorder that resumes there.
func from(items []sdk.Item, seq uint64) []sdk.Item {
	i := slices.IndexFunc(items, func(it sdk.Item) bool {
		return it.Type == sdk.Frame && it.Seq >= seq || it.Type == sdk.Gap && it.To > seq
	})
	if i < 0 {
		return nil
	}
	return items[i:]
}

// undisturbed is the file that a scene makes, in batches of n items.
func undisturbed(t *testing.T, items []sdk.Item, pairs ...any) [][]byte {
	t.Helper()
	h := plugintest.NewHost(t)
	r := start(h, pairs...)
	s := h.Attach(r, "live", "cam")
	feed(s, items, 7)
	s.End()
	h.Stop(r)
	var out [][]byte
	for _, f := range files(t, h) {
		out = append(out, read(t, f))
	}
	return out
}

func feed(s *plugintest.Stream, items []sdk.Item, n int) {
	for batch := range slices.Chunk(items, n) {
		s.Feed(slices.Clone(batch)...)
	}
}

func same2(t *testing.T, what string, h *plugintest.Host, want [][]byte) {
	t.Helper()
	got := files(t, h)
	if len(got) != len(want) {
		t.Fatalf("%s: %d files, want %d", what, len(got), len(want))
	}
	for i, f := range got {
		if !bytes.Equal(read(t, f), want[i]) {
			t.Fatalf("%s: file %d differs from an undisturbed run's", what, i+1)
		}
	}
}

// A process that is killed anywhere costs nothing: the next one goes on in the
// same file, which in the end is that of an undisturbed run.
func TestKilledAnywhere(t *testing.T) {
	t.Parallel()
	items := scene()
	for _, pairs := range [][]any{nil, {"split_time", "1s"}} {
		want := undisturbed(t, items, pairs...)
		for at := 1; at < len(items); at += 9 {
			h := plugintest.NewHost(t)
			a, b := startTap(h, pairs...), startTap(h, pairs...)
			s := h.Attach(a, "live", "cam")
			feed(s, items[:at], 7)
			a.stream.kill()
			s = s.Resume(b)
			feed(s, from(items, s.ResumeAt()), 5)
			s.End()
			h.Stop(b)
			if pairs == nil { // where a part begins depends on the batches
				same2(t, "killed", h, want)
			}
			_, parts := allTags(t, h)
			equal(t, "killed", parts, sourceTags(items[3:], 0))
			whole(t, h)
		}
	}
}

// Whichever byte a torn write ends at, the tail is cut to the last whole tag,
// and the ring fills the hole.
func TestTornTail(t *testing.T) {
	t.Parallel()
	items := scene()[:120]
	want := undisturbed(t, items)
	size := int64(0)
	for torn := int64(0); torn < 110; torn++ {
		h := plugintest.NewHost(t)
		a, b := startTap(h), startTap(h)
		s := h.Attach(a, "live", "cam")
		feed(s, items[:100], 7)
		a.stream.kill()
		path := files(t, h)[0]
		if info, err := os.Stat(path); err == nil {
			size = info.Size()
		}
		if err := os.Truncate(path, size-torn); err != nil {
			t.Fatal(err)
		}
		s = s.Resume(b)
		if s.ResumeAt() == 0 || s.ResumeAt() > 126 {
			t.Fatalf("resumes at %d", s.ResumeAt())
		}
		feed(s, from(items, s.ResumeAt()), 7)
		s.End()
		h.Stop(b)
		same2(t, "torn", h, want)
	}
}

// The same if the whole head was not there yet, or the tail is not zero but
// anything.
func TestTornHead(t *testing.T) {
	t.Parallel()
	items := scene()
	want := undisturbed(t, items)
	for _, c := range []struct {
		name  string
		spoil func(path string, index string) error
	}{
		{"empty", func(path, _ string) error { return os.Truncate(path, 0) }},
		{"half a head", func(path, _ string) error { return os.Truncate(path, 500) }},
		{"no index", func(_, index string) error { return os.Remove(index) }},
		{"torn index", func(_, index string) error { return os.Truncate(index, 45) }},
		{"zeros in the index", func(_, index string) error { return os.WriteFile(index, make([]byte, 640), 0o600) }},
		{"zeros at the end", func(path, _ string) error {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			return os.Truncate(path, info.Size()+5000)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := plugintest.NewHost(t)
			a, b := startTap(h), startTap(h)
			s := h.Attach(a, "live", "cam")
			feed(s, items[:60], 7) // before anything that an index alone knows
			a.stream.kill()
			if err := c.spoil(files(t, h)[0], filepath.Join(h.StateDir(), "flv", s.Session(), "1.index")); err != nil {
				t.Fatal(err)
			}
			s = s.Resume(b)
			feed(s, from(items, s.ResumeAt()), 7)
			s.End()
			h.Stop(b)
			same2(t, c.name, h, want)
		})
	}
}

// A hot swap in the middle of a GOP, twenty times, leaves the file of an
// undisturbed run.
func TestHandover(t *testing.T) {
	t.Parallel()
	items := scene()
	for _, pairs := range [][]any{nil, {"split_time", "1s"}} {
		want := undisturbed(t, items, pairs...)
		h := plugintest.NewHost(t)
		s := h.Attach(start(h, pairs...), "live", "cam")
		for batch := range slices.Chunk(items, len(items)/20) {
			s.Feed(slices.Clone(batch)...)
			s = s.Handover(start(h, pairs...))
			s.Feed(plugintest.Header(plugintest.AVCConfig()), plugintest.Header(plugintest.AACConfig()))
		}
		s.End()
		waitFor(t, "the end", func() bool { return manifestOf(t, h).Complete })
		if pairs == nil {
			same2(t, "handed over", h, want)
		}
		_, parts := allTags(t, h)
		equal(t, "handed over", parts, sourceTags(items[3:], 0))
	}
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited for %s", what)
		}
	}
}

// mute is a host that cannot announce: parts stay unfinished behind the sum.
type mute struct{ *plugintest.Host }

func (mute) Announce(context.Context, event.Event) error { return errors.New("mute") }

// A crash in the middle of the patch of the head is mended at the next start,
// wherever it was; who downloads the live version gets its bytes meanwhile.
func TestPatchCutShort(t *testing.T) {
	t.Parallel()
	items := scene()
	want := undisturbed(t, items)[0]
	for _, done := range []int{0, 1, 4, 20, 300, 1 << 20} {
		h := plugintest.NewHost(t)
		a := startTap(h)
		a.Recorder.host = mute{h}
		s := h.Attach(a, "live", "cam")
		feed(s, items, 7)
		path := files(t, h)[0]
		live := read(t, path)
		s.End()
		h.Stop(a)
		m := manifestOf(t, h)
		if m.Complete {
			t.Fatal("complete without an announcement")
		}
		head, err := LiveHead(&m, filepath.Base(path))
		if err != nil || !bytes.Equal(append(bytes.Clone(head), read(t, path)[len(head):]...), live) {
			t.Fatalf("live version is lost, %v", err)
		}
		mixed := append(bytes.Clone(want[:min(done, len(head))]), live[min(done, len(head)):]...)
		if err := os.WriteFile(path, mixed, 0o600); err != nil {
			t.Fatal(err)
		}
		b := start(h)
		b.finishOrphans()
		if !bytes.Equal(read(t, path), want) {
			t.Errorf("after %d bytes of the patch: other file", done)
		}
		h.Stop(b)
		if m := whole(t, h); !m.Final {
			t.Error("the session's end is forgotten")
		}
	}
}

// A session that nobody comes back for is finished at the next start, also
// with a torn tail; one that is live is left alone.
func TestOrphans(t *testing.T) {
	t.Parallel()
	items := scene()
	h := plugintest.NewHost(t)
	a, b := startTap(h), start(h)
	s := h.Attach(a, "live", "cam")
	feed(s, items, 7)
	b.finishOrphans() // it is live, and locked
	a.stream.kill()
	b.finishOrphans() // it is live
	if m := manifestOf(t, h); !m.Ended.IsZero() {
		t.Fatal("a live session was ended")
	}
	h.Crash(a)
	path := files(t, h)[0]
	if err := os.Truncate(path, int64(len(read(t, path)))-3); err != nil {
		t.Fatal(err)
	}
	b.finishOrphans()
	h.Stop(b)
	m := whole(t, h)
	if last := items[len(items)-1].Seq; m.Final || m.Parts[0].ToSeq != last {
		t.Errorf("to %d, want %d", m.Parts[0].ToSeq, last)
	}
	_, _, tags := content(t, path)
	equal(t, "file", tags, sourceTags(items[3:len(items)-1], 500))
}

const (
	childEnv   = "MILLRACE_TEST_FLV_CHILD"
	childDelay = "MILLRACE_TEST_FLV_CHILD_DELAY"
)

// TestChild is the process of TestKill: it records frames until it is killed.
func TestChild(t *testing.T) {
	dir := os.Getenv(childEnv)
	if dir == "" {
		t.Skip("only as a child of TestKill")
	}
	h := childHost{dir: dir}
	r := New().(*Recorder)
	r.Configure(sdk.Config{Values: settings("split_time", "2s")})
	if err := r.Start(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	s, err := r.Attach(t.Context(), sdk.Attach{App: "live", Name: "cam", Session: "S", Resume: true})
	if err != nil {
		t.Fatal(err)
	}
	next := max(s.(sdk.Resumer).ResumeAt(), 1)
	delay, err := time.ParseDuration(os.Getenv(childDelay))
	if err != nil {
		t.Fatal(err)
	}
	// The time counts from here, so that the next try gets further however
	// slowly processes begin on a busy machine.
	kill := time.AfterFunc(delay, func() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL) })
	for _, batch := range childItems(next) {
		if err := s.Write(batch); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond) // so that it is killed in mid-work
	}
	if !kill.Stop() {
		select {} // it is being killed; a host would not come back after the end
	}
	if _, err := s.Detach(t.Context(), sdk.Detach{Why: sdk.Ended, Final: true}); err != nil {
		t.Fatal(err)
	}
	if err := r.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "done"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// childItems are the batches from a frame on.
func childItems(next uint64) [][]sdk.Item {
	var batches [][]sdk.Item
	for i, f := range plugintest.GOPs(killGOPs, 0, 3000) {
		if seq := uint64(i + 1); seq >= next {
			if len(batches) == 0 || len(batches[len(batches)-1]) == 7 {
				batches = append(batches, nil)
			}
			last := len(batches) - 1
			batches[last] = append(batches[last], sdk.Item{Type: sdk.Frame, Seq: seq, Frame: f})
		}
	}
	return batches
}

// A real process, killed with -9 again and again, loses and repeats nothing.
func TestKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	kills := 0
	for try := range 200 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestChild$")
		cmd.Env = append(os.Environ(), childEnv+"="+dir, fmt.Sprintf("%s=%dms", childDelay, 10+try*20))
		var out strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &out
		err := cmd.Run()
		if _, missing := os.Stat(filepath.Join(dir, "done")); missing == nil {
			break
		}
		if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !ws.Signaled() {
			t.Fatalf("%v\n%s", err, out.String())
		}
		kills++
	}
	if kills == 0 {
		t.Error("the process was never killed")
	}
	names, _ := filepath.Glob(filepath.Join(dir, "data/flv/live/cam/*.json"))
	if len(names) != 1 {
		t.Fatalf("manifests %v", names)
	}
	m, all := tagsOf(t, names[0])
	equal(t, "parts", all, sourceTags(plugintest.Frames(plugintest.GOPs(killGOPs, 0, 3000)...), 0))
	report, err := Verify(names[0])
	if err != nil || !report.Complete() || len(m.Parts) < killGOPs/2 {
		t.Errorf("%v\n%s", err, report.String())
	}
}

// killGOPs is how many seconds the killed processes record together.
const killGOPs = 12

// allTags are those of the parts of the first record, on the stream's
// timeline.
func allTags(t *testing.T, h *plugintest.Host) (record.Manifest, []written) {
	t.Helper()
	return tagsOf(t, files(t, h)[0]+".json")
}

func tagsOf(t *testing.T, manifest string) (record.Manifest, []written) {
	t.Helper()
	m := load(t, manifest)
	var all []written
	for _, p := range m.Parts {
		_, _, tags := content(t, filepath.Join(filepath.Dir(manifest), p.File))
		for _, g := range tags {
			g.time += p.FromDTS
			all = append(all, g)
		}
	}
	return m, all
}
