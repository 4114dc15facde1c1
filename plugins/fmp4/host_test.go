package fmp4

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/plugins/fmp4/clip"
	"github.com/millrace/millrace/plugins/sdk"
)

// host is a server of one folder.
type host struct {
	log  *slog.Logger
	root string

	mu     sync.Mutex
	ratios []float64 // of merges, as they were shown
	events []event.Event
	live   []event.Event
	names  int
	skip   bool
}

func newHost(t testing.TB) *host {
	return &host{root: t.TempDir(), log: slog.New(slog.NewTextHandler(&testLog{t}, nil))}
}

type testLog struct{ t testing.TB }

func (l *testLog) Write(b []byte) (int, error) { l.t.Log(string(b)); return len(b), nil }

func (h *host) Logger() *slog.Logger { return h.log }
func (h *host) DataDir() string      { return filepath.Join(h.root, "data") }
func (h *host) StateDir() string     { return filepath.Join(h.root, "state") }

func (h *host) OpenRecord(_ context.Context, r sdk.RecordRequest) (sdk.RecordPlace, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.names++
	name := fmt.Sprintf("20261121_1424%02d", h.names)
	rel := filepath.Join(r.Kind, r.App, r.Name)
	p := sdk.RecordPlace{
		Skip: h.skip, Dir: filepath.Join(h.DataDir(), rel), Name: name, SessionName: name,
		Rel: rel + "/" + name, URL: "/" + rel + "/" + name, Alias: filepath.Join(h.DataDir(), rel),
	}
	return p, os.MkdirAll(filepath.Join(p.Dir, p.Name), 0o755)
}

func (h *host) Announce(_ context.Context, e event.Event) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, e)
	return nil
}

func (h *host) PutObject(context.Context, sdk.Object) error        { return nil }
func (h *host) DeleteObject(context.Context, string) error         { return nil }
func (h *host) Count(string, float64, ...string)                   {}
func (h *host) Kick(context.Context, string, string) (bool, error) { return false, nil }
func (h *host) Streams(context.Context) ([]event.Event, error)     { return h.live, nil }

func (h *host) Gauge(name string, v float64, labels ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if name == "merge_done_ratio" && slices.Equal(labels, []string{"stream", "live/cam", "session", testSession}) {
		h.ratios = append(h.ratios, v)
	}
}

// told returns the events of a name.
func (h *host) told(name string) []event.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	var of []event.Event
	for _, e := range h.events {
		if e.Event == name {
			of = append(of, e)
		}
	}
	return of
}

const testSession = "01J000000000000000000000AA"

// start starts a plugin with options that suit short clips.
func start(t testing.TB, h *host, change func(*Options)) *Plugin {
	t.Helper()
	p := New().(*Plugin)
	p.opt.Segment, p.opt.MinFree = time.Second, 0
	if change != nil {
		change(&p.opt)
	}
	if err := p.Start(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	return p
}

func stop(t testing.TB, p *Plugin) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		t.Fatal(err)
	}
}

func attach(t testing.TB, p *Plugin, a sdk.Attach) sdk.Stream {
	t.Helper()
	a.App, a.Name, a.Session = "live", "cam", testSession
	s, err := p.Attach(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// items are a clip's frames from a sequence number on, after its headers.
func items(c *clip.Clip, from, to uint64) []sdk.Item {
	var out []sdk.Item
	for _, h := range c.Headers {
		out = append(out, sdk.Item{Type: sdk.Header, Frame: h})
	}
	for _, f := range c.Frames {
		if f.Seq >= from && f.Seq < to {
			out = append(out, sdk.Item{Type: sdk.Frame, Seq: f.Seq, Frame: f})
		}
	}
	return out
}

func write(t testing.TB, s sdk.Stream, all []sdk.Item) {
	t.Helper()
	for len(all) > 0 {
		n := min(7, len(all))
		if err := s.Write(all[:n]); err != nil {
			t.Fatal(err)
		}
		all = all[n:]
	}
}

func detach(t testing.TB, s sdk.Stream, why sdk.Why) sdk.Detached {
	t.Helper()
	d, err := s.Detach(t.Context(), sdk.Detach{Why: why, Final: why == sdk.Ended})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// record plays a whole clip into a plugin.
func recordClip(t testing.TB, h *host, c *clip.Clip, change func(*Options)) {
	t.Helper()
	p := start(t, h, change)
	s := attach(t, p, sdk.Attach{})
	write(t, s, items(c, 0, ^uint64(0)))
	d := detach(t, s, sdk.Ended)
	if want := uint64(len(c.Frames) + 1); d.Durable != want {
		t.Errorf("durable to %d, want %d", d.Durable, want)
	}
	stop(t, p)
}

// dir is where the n-th session is.
func (h *host) dir(n int) string {
	return filepath.Join(h.DataDir(), "mp4/live/cam", fmt.Sprintf("20261121_1424%02d", n))
}

func eventOf(session string) event.Event { return event.Event{Session: session} }
