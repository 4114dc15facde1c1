package main_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/millrace/millrace/core"
	"github.com/millrace/millrace/core/netloop"
	"github.com/millrace/millrace/core/object"
	"github.com/millrace/millrace/core/stream"
	"github.com/millrace/millrace/core/web"
)

// TestChromiumObjects plays HLS from memory: segments made by ffmpeg are put
// into the store one by one, at the pace of a live stream, and hls.js asks for
// the next playlist before it is there.
func TestChromiumObjects(t *testing.T) {
	dir := t.TempDir()
	ffmpeg(t, "-f lavfi -i testsrc2=s=320x180:r=25:d=40 -f lavfi -i sine=r=44100:d=40 -c:v libx264 -preset ultrafast -g 25 -keyint_min 25 -sc_threshold 0 "+
		"-c:a aac -f hls -hls_time 1 -hls_list_size 0 "+filepath.Join(dir, "index.m3u8"))
	store, addr, log := startCore(t)
	ctx := startChromium(t)
	go feedHLS(t, store, dir) // for 40 s: not before there is a browser
	eventually(t, "the playlist is there", func() bool { return store.Has("hls/live/x/index.m3u8") })
	page := "http://" + addr + "/?stream=live/x&via=hls"
	if err := chromedp.Run(ctx, chromedp.Navigate(page), chromedp.WaitReady("#video")); err != nil {
		t.Fatalf("open the page: %v", err)
	}
	first := waitPicture(t, ctx, picture0)
	waitPicture(t, ctx, func(p pictureState) bool {
		return p.Time > first.Time+4 && p.Decoded > first.Decoded+75 && p.State == "playing" && p.Width == 320
	})
	if text := log.text(); strings.Contains(text, "panic") {
		t.Errorf("the log has %s", text)
	}
}

// startCore runs a server in this process, with a store to put objects into.
func startCore(t *testing.T) (*object.Store, string, *serverLog) {
	t.Helper()
	log := &serverLog{}
	s, err := core.New(core.Options{
		Logger: slog.New(slog.NewTextHandler(log, nil)), HTTP: []netloop.Address{{Addr: "127.0.0.1:0"}}, ChunkSize: 65536,
		Live: core.Live{
			Net: netloop.Settings{
				Limits: netloop.Limits{
					Waiting: 100, RequestHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, ConnectionBuffer: 1 << 20,
				},
				Viewers:     netloop.Viewers{StallTimeout: 30 * time.Second, MergeWindow: netloop.MergeAuto},
				NamePattern: regexp.MustCompile(`^[a-z]+$`),
			},
			Streams: stream.DefaultOptions(), Web: web.Settings{List: true},
			StatsInterval: time.Minute, Shutdown: 5 * time.Second,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	if err := s.Objects().Grant("test", []string{"hls/"}, 64<<20); err != nil {
		t.Fatal(err)
	}
	listening := log.find(map[string]string{"msg": "listening", "protocol": "http"})
	if len(listening) != 1 {
		t.Fatalf("the server does not say where it listens: %s", log.text())
	}
	return s.Objects(), listening[0]["addr"], log
}

// feedHLS puts the segments in dir, of a second each, into the store as a live
// stream does, until the test ends.
func feedHLS(t *testing.T, store *object.Store, dir string) {
	const window = 6
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for n := 0; ; n++ {
		body, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("index%d.ts", n)))
		if err != nil {
			return
		}
		list := fmt.Sprintf("#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:1\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES\n#EXT-X-MEDIA-SEQUENCE:%d\n", max(0, n-window+1))
		for i := max(0, n-window+1); i <= n; i++ {
			list += fmt.Sprintf("#EXTINF:1.0,\n%d.ts\n", i)
		}
		for _, p := range []object.Put{
			{Path: fmt.Sprintf("hls/live/x/%d.ts", n), Body: body, CacheControl: "max-age=60"},
			{Path: "hls/live/x/index.m3u8", Body: []byte(list), Blocking: true},
		} {
			if err := store.Put("test", p); err != nil {
				t.Errorf("put %s: %v", p.Path, err)
				return
			}
		}
		if n < window {
			continue // what was there before the first viewer
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			return
		}
	}
}

// TestObjectsAndPagesOnOneConnection goes back and forth between the event
// loop and net/http, and waits for an object on the way.
func TestObjectsAndPagesOnOneConnection(t *testing.T) {
	t.Parallel()
	store, addr, _ := startCore(t)
	put := func(body string) {
		if err := store.Put("test", object.Put{Path: "hls/live/x/index.m3u8", Body: []byte(body), Blocking: true}); err != nil {
			t.Error(err)
		}
	}
	list := "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:1,\n0.ts\n"
	put(list)
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	in := bufio.NewReader(c)
	for i, path := range []string{"/streams.json", "/hls/live/x/index.m3u8", "/hls/live/x/absent.ts", "/hls/live/x/index.m3u8?_HLS_msn=1", "/streams.json"} {
		fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path)
		if strings.Contains(path, "_HLS_") {
			list += "#EXTINF:1,\n1.ts\n"
			put(list)
		}
		a, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		body, err := io.ReadAll(a.Body)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		want := []string{"[]\n", "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:1,\n0.ts\n", "", list, "[]\n"}[i]
		if want == "" && a.StatusCode != http.StatusNotFound || want != "" && string(body) != want {
			t.Errorf("%s: %s %q", path, a.Status, body)
		}
		if fromLoop := a.Header.Get("Server") != ""; fromLoop != strings.HasSuffix(strings.Split(path, "?")[0], "m3u8") {
			t.Errorf("%s is answered by the loop: %v", path, fromLoop)
		}
	}
}
