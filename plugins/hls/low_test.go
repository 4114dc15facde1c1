package hls

import (
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/plugintest"
)

// Parts appear with the first frame behind them, in playlists that are valid
// at every moment; delta updates and the whole say the same.
func TestLowLatency(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"ts", "fmp4"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			h, c := plugintest.NewHost(t), newClock()
			p := start(t, h, c, map[string]any{"target": "1s", "low_latency": true, "part": "250ms", "format": format, "window": int64(12)})
			s := h.Attach(p, "live", "cam")
			s.Feed(plugintest.Header(plugintest.AVCConfig()), plugintest.Header(plugintest.AACConfig()))
			deltas := 0
			var last checked
			for _, f := range plugintest.GOPs(16, 0, 50) {
				s.FeedFrames(f)
				if f.Kind != media.Video || f.DTS < 300 {
					continue
				}
				o, ok := h.Object("hls/live/cam/index.m3u8")
				if !ok {
					t.Fatalf("no playlist at %d ms", f.DTS)
				}
				last = check(t, string(o.Body))
				checkLive(t, &last, f.DTS)
				checkObjects(t, h, &last)
				if o.Delta != nil {
					deltas++
					checkDelta(t, string(o.Delta), string(o.Body))
				}
				if !o.Blocking || o.Hint != strings.TrimPrefix(last.hint, "/") || o.MSN != last.msn+int64(len(last.uris)) {
					t.Fatalf("blocking %t, hint %s, MSN %d", o.Blocking, o.Hint, o.MSN)
				}
				if t.Failed() {
					t.FailNow()
				}
			}
			if deltas < 20 {
				t.Errorf("%d delta updates", deltas)
			}
			s.End()
			last = check(t, list(t, h, "live/cam"))
			if !last.ended || last.hint != "" {
				t.Error("the end is not told")
			}
		})
	}
}

// checkLive checks that all is listed that came before a part and one frame.
func checkLive(t *testing.T, c *checked, dts int64) {
	t.Helper()
	listed := float64(c.msn) // segments of 1 s left the playlist
	for _, d := range c.durations {
		listed += d
	}
	listed += 0.24 * float64(len(c.parts[c.msn+int64(len(c.uris))]))
	if late := float64(dts)/1000 - listed; late > 0.25+0.001 {
		t.Errorf("at %d ms, %.3f s are not listed", dts, late)
	}
}

// checkObjects checks that what is listed can be had, and what is hinted not
// yet.
func checkObjects(t *testing.T, h *plugintest.Host, c *checked) {
	t.Helper()
	for msn, parts := range c.parts {
		size := 0
		for _, uri := range parts {
			o, ok := h.Object(strings.TrimPrefix(uri, "/"))
			if !ok || len(o.Body) == 0 || o.CacheControl != immutable {
				t.Fatalf("part %s: %t, %q", uri, ok, o.CacheControl)
			}
			size += len(o.Body)
		}
		if i := msn - c.msn; i < int64(len(c.uris)) {
			if o, ok := h.Object(strings.TrimPrefix(c.uris[i], "/")); !ok || len(o.Body) != size {
				t.Fatalf("%s has %d bytes, its parts %d", c.uris[i], len(o.Body), size)
			}
		}
	}
	if _, ok := h.Object(strings.TrimPrefix(c.hint, "/")); ok || c.hint == "" {
		t.Fatalf("%q is hinted", c.hint)
	}
}

// checkDelta puts what a delta update skips back in its place.
func checkDelta(t *testing.T, delta, full string) {
	t.Helper()
	d := check(t, delta)
	head, tail, ok := strings.Cut(delta, "#EXT-X-SKIP:")
	_, tail, _ = strings.Cut(tail, "\n")
	if !ok || d.skipped == 0 || !strings.HasSuffix(full, tail) || !strings.HasPrefix(full, head) {
		t.Fatalf("delta\n%s\nof\n%s", delta, full)
	}
	skipped := full[len(head) : len(full)-len(tail)]
	if n := strings.Count(skipped, "#EXTINF"); n != d.skipped {
		t.Errorf("%d segments are left out, %d are said to be", n, d.skipped)
	}
	kept := 0.0
	for _, s := range d.durations {
		kept += s
	}
	if kept < 5 {
		t.Errorf("only %.3f s are kept", kept)
	}
}

// Parts are as long as they can be within their target, whatever the frame
// rate.
func TestPartDurations(t *testing.T) {
	t.Parallel()
	for _, interval := range []float64{1000. / 60, 1001. / 30, 40, 1000. / 24, 100, 500} {
		h, c := plugintest.NewHost(t), newClock()
		p := start(t, h, c, map[string]any{"target": "2s", "low_latency": true, "part": "200ms"})
		s := h.Attach(p, "live", "cam")
		s.Feed(plugintest.Header(plugintest.AVCConfig()))
		for i := range int(10000 / interval) {
			flags := media.Flags(0)
			if i%int(2000/interval) == 0 {
				flags = media.Keyframe
			}
			s.FeedFrames(plugintest.NALU(flags, int64(float64(i)*interval), 50))
		}
		got := check(t, list(t, h, "live/cam"))
		if longest := max(0.2, interval/1000, 0.17+interval/1000); got.partTarget > longest+0.002 {
			t.Errorf("at %.2f ms a frame parts have up to %.3f s", interval, got.partTarget)
		}
		s.End()
	}
}

// What frames that wait for the other track cost: no more than a second.
func TestProbe(t *testing.T) {
	t.Parallel()
	h, c := plugintest.NewHost(t), newClock()
	p := start(t, h, c, map[string]any{"target": "2s", "low_latency": true})
	s := h.Attach(p, "live", "cam")
	s.Feed(plugintest.Header(plugintest.AVCConfig()))
	for i := range int64(26) {
		flags := media.Flags(0)
		if i == 0 {
			flags = media.Keyframe
		}
		s.FeedFrames(plugintest.NALU(flags, i*40, 50))
	}
	if got := check(t, list(t, h, "live/cam")); len(got.parts[0]) != 5 {
		t.Errorf("parts %v", got.parts)
	}
	s.End()
}

// The wall clock of a segment is that of its frames, over a grace too.
func TestWallclock(t *testing.T) {
	t.Parallel()
	t0 := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		name    string
		at, now time.Duration
		want    time.Duration
	}{
		{"the beginning", 0, 0, 0},
		{"later", 6 * time.Second, 6100 * time.Millisecond, 6 * time.Second},
		{"a slow disk", 10 * time.Second, 14 * time.Second, 10 * time.Second},
		{"a publisher was away", 10040 * time.Millisecond, 20 * time.Second, 20 * time.Second},
		{"the clock was set back", 10 * time.Second, 0, 0},
	} {
		w := wallclock{Anchor: t0}
		if got := w.of(c.at, t0.Add(c.now)); !got.Equal(t0.Add(c.want)) {
			t.Errorf("%s: %v after the start", c.name, got.Sub(t0))
		}
	}
}
