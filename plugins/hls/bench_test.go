package hls

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/plugintest"
	"github.com/millrace/millrace/plugins/sdk"
)

// nullHost takes everything and keeps nothing.
type nullHost struct {
	sdk.Host
	dir string
}

func (h nullHost) Logger() *slog.Logger                           { return slog.New(slog.DiscardHandler) }
func (h nullHost) DataDir() string                                { return filepath.Join(h.dir, "data") }
func (h nullHost) StateDir() string                               { return filepath.Join(h.dir, "state") }
func (h nullHost) Announce(context.Context, event.Event) error    { return nil }
func (h nullHost) PutObject(context.Context, sdk.Object) error    { return nil }
func (h nullHost) DeleteObject(context.Context, string) error     { return nil }
func (h nullHost) Count(string, float64, ...string)               {}
func (h nullHost) Streams(context.Context) ([]event.Event, error) { return nil, nil }
func (h nullHost) OpenRecord(_ context.Context, r sdk.RecordRequest) (sdk.RecordPlace, error) {
	alias := filepath.Join(h.DataDir(), kind, r.App, r.Name)
	return sdk.RecordPlace{
		Dir: alias, Name: "s", SessionName: "s", Rel: "hls/" + r.App + "/" + r.Name + "/s",
		URL: "/hls/" + r.App + "/" + r.Name + "/s", Alias: alias,
	}, nil
}

// open begins a stream at a host that keeps nothing.
func open(tb testing.TB, values map[string]any) sdk.Stream {
	tb.Helper()
	return openAt(tb, nullHost{dir: tb.TempDir()}, values)
}

func openAt(tb testing.TB, h sdk.Host, values map[string]any) sdk.Stream {
	tb.Helper()
	for _, d := range []string{h.DataDir() + "/hls/live/cam/s", h.StateDir()} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			tb.Fatal(err)
		}
	}
	p := New().(*Plugin)
	values["min_free"] = "0"
	if problems := p.Configure(sdk.Config{Values: values}); len(problems) > 0 {
		tb.Fatal(problems)
	}
	if err := p.Start(context.Background(), h); err != nil {
		tb.Fatal(err)
	}
	s, err := p.Attach(context.Background(), sdk.Attach{App: "live", Name: "cam", Session: "x", Next: 1})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if _, err := s.Detach(context.Background(), sdk.Detach{Why: sdk.Ended}); err != nil {
			tb.Error(err)
		}
		if err := p.Stop(context.Background()); err != nil {
			tb.Error(err)
		}
	})
	headers := []sdk.Item{plugintest.Header(plugintest.AVCConfig()), plugintest.Header(plugintest.AACConfig())}
	if err := s.Write(headers); err != nil {
		tb.Fatal(err)
	}
	return s
}

// second writes a second of 25 frames a second, and AAC.
func second(tb testing.TB, s sdk.Stream, gop []*media.Frame, n int) (size int64) {
	for i, f := range gop {
		f.DTS = f.DTS%1000 + int64(n)*1000
		size += int64(len(f.Body()))
		it := sdk.Item{Type: sdk.Frame, Seq: uint64(n*len(gop) + i + 1), Frame: f}
		if err := s.Write([]sdk.Item{it}); err != nil {
			tb.Fatal(err)
		}
	}
	return size
}

// BenchmarkStream is a stream of 2 Mbit/s, a second at a time.
func BenchmarkStream(b *testing.B) {
	for name, values := range map[string]map[string]any{
		"ts":          {"window": int64(5)},
		"fmp4":        {"window": int64(5), "format": "fmp4"},
		"ts memory":   {"window": int64(5), "memory": true},
		"ts low":      {"window": int64(5), "low_latency": true, "target": "2s"},
		"fmp4 low":    {"window": int64(5), "low_latency": true, "target": "2s", "format": "fmp4"},
		"encrypted":   {"window": int64(5), "encrypt": true},
		"ts no disk":  {"window": int64(5), "disk": false},
		"ts all kept": {},
	} {
		b.Run(name, func(b *testing.B) {
			s := open(b, values)
			gop := plugintest.GOPs(1, 0, 10000)
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				b.SetBytes(second(b, s, gop, n))
				n++
			}
			b.ReportMetric(float64(len(gop)), "frames/op")
		})
	}
}

// Eleven minutes cost no more memory than one.
func TestMemory(t *testing.T) {
	for name, values := range map[string]map[string]any{"ts": {}, "fmp4": {"format": "fmp4"}, "low": {"low_latency": true, "window": int64(10)}} {
		s := open(t, values)
		gop := plugintest.GOPs(1, 0, 10000)
		heap := func() int64 {
			runtime.GC()
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return int64(m.HeapAlloc)
		}
		for n := range 60 {
			second(t, s, gop, n)
		}
		before := heap()
		for n := 60; n < 660; n++ {
			second(t, s, gop, n)
		}
		grown := heap() - before
		t.Logf("%s: %d KiB, %d KiB more after ten minutes", name, before>>10, grown>>10)
		if grown > 512<<10 {
			t.Errorf("%s: %d bytes more after ten minutes", name, grown)
		}
		runtime.KeepAlive(s)
	}
}
