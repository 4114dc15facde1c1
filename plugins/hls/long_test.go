package hls

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/hls/playlist"
	"github.com/millrace/millrace/plugins/plugintest"
)

// long is a stream that has run for hours.
type long struct {
	*stream
	gop []*media.Frame
	at  int // seconds fed
}

// runLong begins a stream and makes it one with n segments of a second behind
// it, as if they had come.
func runLong(tb testing.TB, n int, values map[string]any) *long {
	values["target"] = "1s"
	l := &long{stream: open(tb, values).(*stream), gop: plugintest.GOPs(1, 0, 100)}
	for l.number < 10 {
		l.second(tb)
	}
	first := l.list[0]
	for i := l.number; i < int64(n); i++ {
		seg := first
		seg.Number, seg.URI, seg.Parts = i, l.paths.uri(fmt.Sprintf("%d.ts", i)), nil
		seg.Started = first.Started.Add(time.Duration(i) * time.Second)
		l.list = append(l.list, seg)
	}
	for i := range l.list {
		l.list[i].Parts = nil
	}
	l.number = int64(n) + 1
	return l
}

// second feeds a second, which is a segment.
func (l *long) second(tb testing.TB) {
	second(tb, l.stream, l.gop, l.at)
	l.at++
}

// A playlist of all segments grows by their lines, on disk too: nothing is
// written anew for a segment but what is new, and it reads as one that is.
func TestLongSession(t *testing.T) {
	t.Parallel()
	for name, values := range map[string]map[string]any{"ts": {}, "low": {"low_latency": true, "part": "500ms"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := runLong(t, 40_000, values)
			l.second(t)
			l.second(t) // the first is whole now, and all is written once
			before, err := os.Stat(l.playlistPath())
			if err != nil {
				t.Fatal(err)
			}
			for range 100 {
				l.second(t)
			}
			after, err := os.Stat(l.playlistPath())
			if err != nil {
				t.Fatal(err)
			}
			if !os.SameFile(before, after) {
				t.Error("the playlist was replaced")
			}
			if n := len(l.manifest.Parts); n > 0 {
				t.Errorf("%d parts of the manifest are held in memory", n)
			}
			if grown := after.Size() - before.Size(); grown > 100*200+10*4096 {
				t.Errorf("it grew by %d bytes in 100 segments", grown)
			}
			b, err := os.ReadFile(l.playlistPath())
			if err != nil {
				t.Fatal(err)
			}
			want := l.stream.playlist(false)
			want.PartTarget, want.Text = 0, nil
			if got := withoutFilling(string(b)); got != string(want.Append(nil)) {
				t.Errorf("%d bytes, want %d; it ends with\n%s", len(got), len(want.Append(nil)), got[max(0, len(got)-500):])
			}
			p := l.stream.playlist(false)
			quick := string(p.Append(nil))
			p.Text = nil
			if whole := string(p.Append(nil)); quick != whole {
				t.Errorf("published are %d bytes, want %d", len(quick), len(whole))
			}
		})
	}
}

// withoutFilling leaves out the comments that fill pages.
func withoutFilling(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.Trim(line, "#\n") != "" {
			b.WriteString(line)
		}
	}
	return b.String()
}

// The playlist is written anew where its head changes, and where it is gone.
func TestPlaylistWrittenAnew(t *testing.T) {
	t.Parallel()
	l := runLong(t, 20, map[string]any{})
	l.second(t)
	l.second(t)
	for name, change := range map[string]func() error{
		"longer target": func() error { l.target += 3; return nil },
		"removed":       func() error { return os.Remove(l.playlistPath()) },
		"cut short":     func() error { l.written = written{}; return os.Truncate(l.playlistPath(), 100) }, // as after a crash
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		l.second(t)
		l.second(t)
		b, err := os.ReadFile(l.playlistPath())
		if err != nil {
			t.Fatal(err)
		}
		p := playlist.Playlist{Target: l.target, Event: true, Segments: l.list}
		if got := withoutFilling(string(b)); got != string(p.Append(nil)) {
			t.Errorf("%s:\n%swant\n%s", name, got, p.Append(nil))
		}
	}
}

// BenchmarkLong is a second of a stream that has run for a day and longer: a
// segment, and with low latency five parts.
func BenchmarkLong(b *testing.B) {
	for _, n := range []int{600, 14_400, 40_000} {
		for name, values := range map[string]map[string]any{"plain": {}, "low": {"low_latency": true}} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				l := runLong(b, n, values)
				l.second(b)
				l.second(b)
				b.ReportAllocs()
				for b.Loop() {
					l.second(b)
				}
				b.ReportMetric(float64(l.rendered), "playlist-bytes")
			})
		}
	}
}
