package main_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// openPage starts a browser and opens a page of the server.
func openPage(t *testing.T, srv *server, page string) context.Context {
	t.Helper()
	ctx := startChromium(t)
	if err := chromedp.Run(ctx, chromedp.Navigate("http://"+srv.http[0]+"/"+page), chromedp.WaitReady("#video")); err != nil {
		t.Fatalf("open the page: %v", err)
	}
	return ctx
}

// mustAdvance waits until the picture has moved on by some seconds.
func mustAdvance(t *testing.T, ctx context.Context, by float64) pictureState {
	t.Helper()
	first := waitPicture(t, ctx, picture0)
	return waitPicture(t, ctx, func(p pictureState) bool {
		return p.Time > first.Time+by && p.Decoded > first.Decoded+int(by*15)
	})
}

// evaluate is a JavaScript expression's value.
func evaluate[T any](t *testing.T, ctx context.Context, expression string) T {
	t.Helper()
	var v T
	if err := chromedp.Run(ctx, chromedp.Evaluate(expression, &v)); err != nil {
		t.Fatalf("evaluate %s: %v", expression, err)
	}
	return v
}

// TestChromiumRecorders watches each output of the real recorders in a browser:
// while the stream is live, and after its end.
func TestChromiumRecorders(t *testing.T) {
	srv, _ := startRecorders(t, conf{"plugins.hls.target": `"2s"`, "plugins.mp4.segment": `"2s"`}, "flv", "mp4", "hls")
	f := srv.feed(t, "live/x", sourceTags(t, "av"))
	srv.waitStream(t, "live/x")
	t.Run("live", func(t *testing.T) {
		for _, c := range []struct{ name, page string }{
			{"HLS from the first page", "?stream=live/x&via=hls"},
			{"HLS from the list", "play.html?stream=live/x"},
			{"fMP4", "play_merge.html?stream=live/x"},
			{"FLV that grows", "video.html?stream=live/x"},
		} {
			t.Run(c.name, func(t *testing.T) {
				ctx := openPage(t, srv, c.page)
				if p := mustAdvance(t, ctx, 6); p.Width != 480 || p.Error != "" {
					t.Errorf("%+v", p)
				}
			})
		}
	})
	f.halt()
	if err := f.stopCleanly("x"); err != nil {
		t.Fatal(err)
	}
	srv.waitGone(t, "live/x")
	for _, c := range []struct{ name, page string }{
		{"HLS", "play.html?stream=live/x"},
		{"fMP4", "play_merge.html?stream=live/x"},
		{"MP4", "mp4.html?stream=live/x"},
		{"FLV", "video.html?stream=live/x"},
	} {
		t.Run("after the end "+c.name, func(t *testing.T) {
			ctx := openPage(t, srv, c.page)
			mustAdvance(t, ctx, 1)
			seekPicture(t, ctx, 12)
			seekPicture(t, ctx, 3)
		})
	}
}

// TestChromiumLowLatency plays low-latency HLS and measures, by the wall clock
// in the playlist, how far behind it is.
func TestChromiumLowLatency(t *testing.T) {
	long(t)
	for _, format := range []string{"ts", "fmp4"} {
		t.Run(format, func(t *testing.T) {
			srv, _ := startRecorders(t, conf{
				"plugins.hls.low_latency": "true", "plugins.hls.target": `"2s"`, "plugins.hls.part": `"200ms"`,
				"plugins.hls.window": "6", "plugins.hls.format": `"` + format + `"`,
			}, "hls")
			srv.feed(t, "live/x", sourceTags(t, "av"))
			srv.waitStream(t, "live/x")
			ctx := openPage(t, srv, "?stream=live/x&via=hls")
			begin := time.Now()
			mustAdvance(t, ctx, 8)
			t.Logf("%s: 8 s shown in %v; behind %.2f s, the page says %s s", format, time.Since(begin).Round(time.Millisecond),
				evaluate[float64](t, ctx, behindScript), evaluate[string](t, ctx, `document.body.dataset.latency`))
			for range 5 {
				if behind := evaluate[float64](t, ctx, behindScript); !raceEnabled && behind > 3 {
					t.Errorf("%.2f s behind", behind)
				}
			}
		})
	}
}

// behindScript is how many seconds ago what is shown was ingested.
var behindScript = fmt.Sprintf(`(() => { const at = window.millrace.player.engine?.shownAt?.(); return at ? (Date.now() - at) / 1000 : %d })()`, 1000)

// TestChromiumGrowingFLV opens a recording while it is short and goes on
// watching: what is recorded meanwhile is played, through the end of the
// stream, where the head of the file is another.
func TestChromiumGrowingFLV(t *testing.T) {
	long(t)
	srv, _ := startRecorders(t, nil, "flv")
	f := srv.feed(t, "live/x", sourceTags(t, "small"))
	srv.waitStream(t, "live/x")
	// Opened before there is a recording: the page lists it when it is there.
	ctx := openPage(t, srv, "video.html")
	if err := chromedp.Run(ctx, chromedp.Click(`#sessions button`, chromedp.NodeVisible)); err != nil {
		t.Fatalf("the page does not list the recording: %v", err)
	}
	opened := waitPicture(t, ctx, picture0)
	waitPicture(t, ctx, func(p pictureState) bool { return p.Time > opened.Time+10 })
	f.halt()
	if err := f.stopCleanly("x"); err != nil {
		t.Fatal(err)
	}
	srv.waitGone(t, "live/x")
	eventually(t, "the picture comes to its end", func() bool {
		return evaluate[bool](t, ctx, `document.querySelector('#video').ended`)
	})
	if p := waitPicture(t, ctx, picture0); p.Error != "" || p.Time < opened.Time+10 {
		t.Errorf("%+v", p)
	}
}

// TestChromiumFileToCome asks for the MP4 file of a stream that is still live:
// the page waits for it.
func TestChromiumFileToCome(t *testing.T) {
	srv, _ := startRecorders(t, nil, "mp4")
	f := srv.feed(t, "live/x", sourceTags(t, "small"))
	srv.waitStream(t, "live/x")
	ctx := openPage(t, srv, "mp4.html?stream=live/x")
	eventually(t, "the page says that it waits", func() bool {
		return strings.Contains(evaluate[string](t, ctx, `document.querySelector('#status').textContent`), "at the end of the stream")
	})
	f.halt()
	if err := f.stopCleanly("x"); err != nil {
		t.Fatal(err)
	}
	// It may be a short one.
	waitPicture(t, ctx, func(p pictureState) bool { return p.Time > 0.2 && p.Decoded > 4 })
}
