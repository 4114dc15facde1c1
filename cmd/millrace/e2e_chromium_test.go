package main_test

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// TestChromium plays the page in a browser, over HTTP and over WebSocket.
func TestChromium(t *testing.T) {
	if _, err := os.Stat("../../core/web/ui/dist/index.html"); err != nil {
		t.Fatal("the page is not built: run npm ci && npm run build in core/web/ui")
	}
	srv := startServer(t, nil)
	publishLoop(t, srv.rtmpURL("live/x"), source(t, "av"))
	srv.waitStream(t, "live/x")
	for _, via := range []string{"http", "ws"} {
		t.Run(via, func(t *testing.T) {
			ctx := startChromium(t)
			begin := time.Now()
			page := "http://" + srv.http[0] + "/?stream=live/x&via=" + via
			if err := chromedp.Run(ctx, chromedp.Navigate(page), chromedp.WaitReady("#video")); err != nil {
				t.Fatalf("open the page: %v", err)
			}
			first := waitPicture(t, ctx, picture0)
			t.Logf("first frame decoded %v after the start of navigation", time.Since(begin))
			waitPicture(t, ctx, func(p pictureState) bool {
				return p.Time > first.Time+2 && p.Decoded > first.Decoded+40 && p.State == "playing" && p.Width == 480
			})
			srv.waitStreamThat(t, "live/x", "has one viewer", func(s *streamInfo) bool { return s.ViewersByProtocol[via+"-flv"] == 1 })
		})
	}
}

// TestChromiumCatchesUp puts the page behind: it plays faster until it is close
// to the live moment again, and leaps when it is far behind. The latency is
// shown.
func TestChromiumCatchesUp(t *testing.T) {
	srv := startServer(t, nil)
	publishLoop(t, srv.rtmpURL("live/x"), source(t, "av"))
	srv.waitStream(t, "live/x")
	ctx := startChromium(t)
	page := "http://" + srv.http[0] + "/?stream=live/x&via=http"
	if err := chromedp.Run(ctx, chromedp.Navigate(page), chromedp.WaitReady("#video")); err != nil {
		t.Fatalf("open the page: %v", err)
	}
	// The page aims at 1.2 s, and hovers about that.
	near := func(p pictureState) bool { return p.Latency > 0 && p.Latency < 2 }
	waitPicture(t, ctx, func(p pictureState) bool { return p.Time > 10 && near(p) })
	for _, c := range []struct {
		behind float64
		by     string
	}{{3, "fastest > 1 && leaps == 0"}, {8, "leaps > 0"}} {
		// A browser that stands still meanwhile is further behind than it was put.
		if poll(4*patience, func() bool {
			waitPicture(t, ctx, near)
			if err := chromedp.Run(ctx, chromedp.Evaluate(fmt.Sprintf(fallBehind, c.behind), nil)); err != nil {
				t.Fatal(err)
			}
			return poll(patience/3, func() bool { return evaluate[bool](t, ctx, c.by) }) == nil
		}) != nil {
			t.Fatalf("%v s behind, it is never so: %s", c.behind, c.by)
		}
		waitPicture(t, ctx, near)
	}
	var shown string
	if err := chromedp.Run(ctx, chromedp.Text("#latency", &shown)); err != nil || !strings.HasSuffix(shown, " s") {
		t.Errorf("the page shows a latency of %q, %v", shown, err)
	}
}

// fallBehind goes back, and counts what the page does about it.
const fallBehind = `(() => { const v = document.querySelector('#video'), b = v.buffered;
window.leaps = -1; v.onseeking = () => window.leaps++; // the first is this one
window.fastest = 0; v.onratechange = () => window.fastest = Math.max(window.fastest, v.playbackRate);
v.currentTime = b.end(b.length - 1) - %v })()`

// TestChromiumCodecs plays what a browser decodes besides H.264 and AAC. FLAC it
// would, but mpegts.js 1.8 misses the head of its STREAMINFO block, which the
// specification wants.
func TestChromiumCodecs(t *testing.T) {
	srv := startServer(t, nil)
	enhanced := func(codec string) []tag { return makeClip(t, codec).tags(enhancedForm) }
	for name, c := range map[string]struct {
		tags         []tag
		video, audio string
		width        int
	}{
		"av1":  {enhanced("av1"), "av1", "", 160},
		"opus": {interleave(enhanced("h264"), enhanced("opus")), "h264", "opus", 160},
		"both": {interleave(enhanced("av1"), enhanced("opus")), "av1", "opus", 160},
		"mp3":  {sourceTags(t, "mp3"), "h264", "mp3", 480},
	} {
		t.Run(name, func(t *testing.T) {
			srv.feed(t, "live/"+name, c.tags)
			info := srv.waitStreamThat(t, "live/"+name, "is ready", func(s *streamInfo) bool { return s.FramesIn > 20 })
			if info.Video.Codec != c.video || info.Audio.Codec != c.audio {
				t.Errorf("the stream is %q and %q", info.Video.Codec, info.Audio.Codec)
			}
			ctx := startChromium(t)
			page := "http://" + srv.http[0] + "/?stream=live/" + name + "&via=http"
			if err := chromedp.Run(ctx, chromedp.Navigate(page), chromedp.WaitReady("#video")); err != nil {
				t.Fatalf("open the page: %v", err)
			}
			// mpegts.js 1.8 may stop at a later keyframe of AV1, as it does at
			// hidden frames: what counts here is that our tags are read.
			waitPicture(t, ctx, func(p pictureState) bool { return p.Time > 0.3 && p.Decoded > 10 && p.Width == c.width })
		})
	}
}

// TestChromiumClick plays a stream from the page's list.
func TestChromiumClick(t *testing.T) {
	srv := startServer(t, nil)
	publishLoop(t, srv.rtmpURL("live/x"), source(t, "gop10"))
	srv.waitStream(t, "live/x")
	ctx := startChromium(t)
	button := `li[data-stream="live/x"] button`
	if err := chromedp.Run(ctx, chromedp.Navigate("http://"+srv.http[0]+"/"), chromedp.WaitVisible(button)); err != nil {
		t.Fatalf("the page does not list the stream: %v", err)
	}
	var waited float64
	err := chromedp.Run(ctx, chromedp.Evaluate(clickAndWait, &waited, func(p *runtime.EvaluateParams) *runtime.EvaluateParams {
		return p.WithAwaitPromise(true)
	}))
	if err != nil {
		t.Fatalf("play from the list: %v", err)
	}
	t.Logf("first frame shown %.0f ms after the click", waited)
	waitPicture(t, ctx, func(p pictureState) bool { return p.State == "playing" && p.Time > 0.5 })
}

// clickAndWait gives the ms from the click to the first frame on the screen.
const clickAndWait = `new Promise((done) => { const begin = performance.now();
document.querySelector('#video').requestVideoFrameCallback(() => done(performance.now() - begin));
document.querySelector('li[data-stream="live/x"] button').click() })`

// pictureState is what the page's video element shows.
type pictureState struct {
	State   string
	Time    float64 // seconds
	Decoded int
	Dropped int
	Width   int
	Latency float64 // seconds, as the page has it; 0 when it does not know
	Rate    float64 // of playing
	Error   string
}

const readPicture = `(() => { const v = document.querySelector('#video'), q = v.getVideoPlaybackQuality();
return {State: document.body.dataset.state || '', Time: v.currentTime, Decoded: q.totalVideoFrames,
Dropped: q.droppedVideoFrames, Width: v.videoWidth,
Latency: Number(document.body.dataset.latency || 0), Rate: v.playbackRate, Error: v.error ? v.error.message : ''} })()`

func picture0(p pictureState) bool { return p.Decoded > 0 }

// waitPicture polls the video element.
func waitPicture(t *testing.T, ctx context.Context, ok func(pictureState) bool) pictureState {
	t.Helper()
	var now pictureState
	err := pollEvery(100*time.Millisecond, 2*patience, func() bool { // each time takes some of the browser's
		if err := chromedp.Run(ctx, chromedp.Evaluate(readPicture, &now)); err != nil {
			t.Fatalf("read the video: %v", err)
		}
		return ok(now)
	})
	if err != nil {
		t.Fatalf("the video does not come: %+v", now)
	}
	return now
}

// startChromium starts a browser of its own; all of it is gone at the test's end.
func startChromium(t *testing.T, more ...string) context.Context {
	t.Helper()
	profile, err := os.MkdirTemp(world.dir, "chromium-")
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-breakpad",
		"--autoplay-policy=no-user-gesture-required", "--remote-debugging-port=0", "--user-data-dir=" + profile}, more...)
	const limit = 10 * patience
	p := startPeer(t, limit, "chromium", append(args, "about:blank")...)
	address := regexp.MustCompile(`ws://127\.0\.0\.1:\S+`)
	if poll(2*patience, func() bool { return address.MatchString(p.out.String()) }) != nil {
		t.Fatal("the browser does not listen")
	}
	allocator, stop := chromedp.NewRemoteAllocator(t.Context(), address.FindString(p.out.String()))
	ctx, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(t.Logf), chromedp.WithBrowserOption(chromedp.WithDialTimeout(patience)))
	ctx, timeout := context.WithTimeout(ctx, limit)
	t.Cleanup(func() { timeout(); cancel(); stop() })
	return ctx
}
