package hls

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/hls/playlist"
	"github.com/millrace/millrace/plugins/plugintest"
	"github.com/millrace/millrace/plugins/sdk"
)

// long is a stream that has run for hours.
type long struct {
	*stream
	host *growHost
	gop  []*media.Frame
	at   int // seconds fed
	real int // segments that came before those that did not
	fake []playlist.Segment
}

// growHost keeps the newest playlist, in a file: what it has is no part of the
// memory that a test measures. Segments are removed.
type growHost struct {
	nullHost
	tags int
	sent int64 // bytes of playlists
}

func (h *growHost) GrowObject(_ context.Context, o sdk.Object, tag string, keep int64) (string, error) {
	if tag != "" && tag != strconv.Itoa(h.tags) {
		return "", sdk.ErrObjectChanged
	}
	f, err := os.OpenFile(h.playlist(), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if err := f.Truncate(keep); err != nil {
		return "", err
	}
	_, err = f.WriteAt(o.Body, keep)
	h.tags++
	h.sent += int64(len(o.Body))
	return strconv.Itoa(h.tags), err
}

func (h *growHost) playlist() string { return filepath.Join(h.dir, "playlist") }

func (h *growHost) Announce(_ context.Context, e event.Event) error {
	if e.Event == event.Segment {
		return os.Remove(filepath.Join(h.DataDir(), e.File))
	}
	return nil
}

// runLong begins a stream and makes it one with n segments of a second behind
// it, as if they had come.
func runLong(tb testing.TB, n int, values map[string]any) *long {
	values["target"] = "1s"
	h := &growHost{nullHost: nullHost{dir: tb.TempDir()}}
	l := &long{stream: openAt(tb, h, values).(*stream), host: h, gop: plugintest.GOPs(1, 0, 100)}
	for l.number < 10 {
		l.second(tb)
	}
	l.real = len(l.segments(tb))
	like := l.list[len(l.list)-1]
	for i := l.number; i < int64(n); i++ {
		seg := like
		seg.Number, seg.URI, seg.Parts = i, l.paths.uri(fmt.Sprintf("%d.ts", i)), nil
		seg.Started = like.Started.Add(time.Duration(i) * time.Second)
		l.fake = append(l.fake, seg)
	}
	for i := range l.list {
		l.list[i].Parts = nil
	}
	l.list = append(l.list, l.fake...)
	if err := l.settle(); err != nil {
		tb.Fatal(err)
	}
	l.number = int64(n) + 1
	return l
}

// segments are all that the playlist lists, without parts.
func (l *long) segments(tb testing.TB) []playlist.Segment {
	tb.Helper()
	lines, err := readLines[segment](l.j.path("segments.jsonl"))
	if err != nil {
		tb.Fatal(err)
	}
	var all []playlist.Segment
	for i := range lines {
		if i == l.real {
			all = append(all, l.fake...)
		}
		all = append(all, lines[i].Segment)
	}
	return all
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
			all := l.segments(t)
			p := l.stream.playlist(false)
			p.Text, p.Segments, p.PartTarget = playlist.Text{}, all, 0
			if got, want := withoutFilling(string(b)), string(p.Append(nil)); got != want {
				t.Errorf("%d bytes, want %d; it ends with\n%s", len(got), len(want), got[max(0, len(got)-500):])
			}
			got, err := os.ReadFile(l.host.playlist())
			if err != nil {
				t.Fatal(err)
			}
			copy(all[len(all)-len(l.list):], l.list) // with parts
			p = l.stream.playlist(false)
			p.Text, p.Segments = playlist.Text{}, all
			if want := string(p.Append(nil)); string(got) != want {
				t.Errorf("published are %d bytes, want %d", len(got), len(want))
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
		p := playlist.Playlist{Target: l.target, Event: true, Segments: l.segments(t)}
		if got := withoutFilling(string(b)); got != string(p.Append(nil)) {
			t.Errorf("%s:\n%swant\n%s", name, got, p.Append(nil))
		}
	}
}

// Memory does not grow with the playlist of all segments, which lists them all,
// nor does what is sent of it for a segment.
func TestFlat(t *testing.T) {
	const first = 1000
	for name, values := range map[string]map[string]any{"ts": {}, "low": {"format": "fmp4", "low_latency": true, "part": "500ms"}} {
		values["target"], values["checksum"] = "1s", false
		all := map[string]int{"ts": 20_000, "low": 6000}[name]
		h := &growHost{nullHost: nullHost{dir: t.TempDir()}}
		s := openAt(t, h, values)
		n := 0
		feed := func(to int) (heap, sent int64) {
			before := h.sent
			from := n
			for ; n < to; n++ {
				f := plugintest.NALU(media.Keyframe, int64(n)*1000, 50)
				if err := s.Write([]sdk.Item{{Type: sdk.Frame, Seq: uint64(n) + 1, Frame: f}}); err != nil {
					t.Fatal(err)
				}
			}
			runtime.GC()
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return int64(m.HeapAlloc), (h.sent - before) / int64(n-from)
		}
		before, _ := feed(first)
		_, early := feed(2 * first)
		feed(all - first)
		after, late := feed(all)
		t.Logf("%s: heap %d KiB, %d KiB later; %d bytes are sent for a segment, %d later", name, before>>10, after>>10, early, late)
		if grown := after - before; grown > 256<<10 {
			t.Errorf("%s: %d bytes more after %d segments", name, grown, all)
		}
		if late > early+100 { // numbers have more digits
			t.Errorf("%s: %d bytes of playlist are sent for a segment, %d before", name, late, early)
		}
		if _, err := s.Detach(t.Context(), sdk.Detach{Why: sdk.Ended}); err != nil {
			t.Fatal(err)
		}
		checkAll(t, h, all)
	}
}

// checkAll checks that the playlist lists so many segments, on disk too.
func checkAll(t *testing.T, h *growHost, n int) {
	t.Helper()
	b, err := os.ReadFile(h.playlist())
	if err != nil {
		t.Fatal(err)
	}
	disk, err := os.ReadFile(h.DataDir() + "/hls/live/cam/s/" + playlistName)
	if err != nil || withoutParts(string(disk)) != withoutParts(string(b)) {
		t.Errorf("on disk are %d bytes, published %d: %v", len(disk), len(b), err)
	}
	got := check(t, string(disk))
	got.consecutive(t)
	if got.msn != 0 || len(got.uris) != n || !got.ended || len(got.discontinuities) > 0 {
		t.Errorf("%d segments from %d on, %d discontinuities, ended %t", len(got.uris), got.msn, len(got.discontinuities), got.ended)
	}
}

// withoutParts leaves out what low latency adds.
func withoutParts(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#EXT-X-PART") && !strings.HasPrefix(line, "#EXT-X-VERSION") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// What the host lost, or did not take, is sent again with what is new.
func TestPlaylistLost(t *testing.T) {
	t.Parallel()
	for _, low := range []bool{false, true} {
		h, c := plugintest.NewHost(t), newClock()
		p := start(t, h, c, map[string]any{"target": "1s", "low_latency": low})
		s := small(t, h, p, plugintest.GOPs(5, 0, 50))
		for i := range int64(12) {
			switch i {
			case 2:
				if err := h.DeleteObject(t.Context(), "hls/live/cam/index.m3u8"); err != nil {
					t.Fatal(err)
				}
			case 4:
				h.FailPut(sdk.ErrObjectsFull)
			case 6:
				h.FailPut(nil)
			case 8:
				if err := h.PutObject(t.Context(), sdk.Object{Path: "hls/live/cam/index.m3u8", Body: []byte("x")}); err != nil {
					t.Fatal(err)
				}
			}
			s.FeedFrames(plugintest.GOPs(1, 5000+i*1000, 50)...)
			if i == 4 || i == 5 {
				continue
			}
			got := check(t, list(t, h, "live/cam"))
			got.consecutive(t)
			if len(got.uris) != int(i)+5 {
				t.Errorf("low latency %t: %d segments after %d s", low, len(got.uris), i+6)
			}
		}
		s.End()
		if got := check(t, list(t, h, "live/cam")); len(got.uris) != 17 || !got.ended {
			t.Errorf("low latency %t: %d segments in the end", low, len(got.uris))
		}
	}
}

// There are delta updates of a playlist of all segments, which leave out what is
// not in memory any more, and where the target became longer too.
func TestDeltaOfAll(t *testing.T) {
	t.Parallel()
	h, c := plugintest.NewHost(t), newClock()
	p := start(t, h, c, map[string]any{"target": "1s", "low_latency": true, "part": "500ms", "format": "fmp4"})
	s := small(t, h, p, plugintest.GOPs(12, 0, 50))
	for i := range int64(60) {
		gop := plugintest.GOPs(1, 12_000+i*1000, 50)
		if i > 20 && i < 30 && i%2 == 1 { // segments of 2 s
			gop[0].Flags &^= media.Keyframe
		}
		s.FeedFrames(gop...)
		o, ok := h.Object("hls/live/cam/index.m3u8")
		if !ok || o.Delta == nil {
			t.Fatalf("no delta update after %d s", 13+i)
		}
		checkDelta(t, string(o.Delta), string(o.Body))
	}
	s.End()
}

// BenchmarkLong is a second of a stream that has run for a day and longer: a
// segment, and with low latency five parts.
func BenchmarkLong(b *testing.B) {
	for _, n := range []int{100, 10_000, 40_000} {
		for name, values := range map[string]map[string]any{"plain": {}, "low": {"low_latency": true}} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				l := runLong(b, n, values)
				l.second(b)
				l.second(b)
				b.ReportAllocs()
				for b.Loop() {
					l.second(b)
				}
				b.ReportMetric(float64(l.j.past.text.Size()), "playlist-bytes")
			})
		}
	}
}
