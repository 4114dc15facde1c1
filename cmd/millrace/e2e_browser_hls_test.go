package main_test

import (
	"testing"
)

// TestChromiumHLSForms plays, by hls.js, what a playlist may have.
func TestChromiumHLSForms(t *testing.T) {
	long(t)
	for _, c := range []struct {
		name, source string
		conf         conf
		width        int
	}{
		{"sliding window", "av", conf{"plugins.hls.window": "3"}, 480},
		{"AES-128 with rotation", "av", conf{"plugins.hls.encrypt": "true", "plugins.hls.key_rotation": "2"}, 480},
		{"AES-128 of fMP4", "av", conf{"plugins.hls.encrypt": "true", "plugins.hls.format": `"fmp4"`}, 480},
		{"audio only", "audio", nil, 0},
		{"audio only, fMP4", "audio", conf{"plugins.hls.format": `"fmp4"`}, 0},
		{"video only", "video", nil, 480},
		{"video only, low latency", "video", conf{"plugins.hls.low_latency": "true", "plugins.hls.part": `"200ms"`}, 480},
		{"from memory", "av", conf{"plugins.hls.disk": "false", "plugins.hls.window": "5"}, 480},
		{"MP3", "mp3", nil, 480},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := conf{"plugins.hls.target": `"2s"`}
			for k, v := range c.conf {
				o[k] = v
			}
			srv, _ := startRecorders(t, o, "hls")
			srv.feed(t, "live/x", sourceTags(t, c.source))
			srv.waitStream(t, "live/x")
			// Before the first segment is there: the page has to wait.
			ctx := openPage(t, srv, "?stream=live/x&via=hls")
			first := waitPicture(t, ctx, func(p pictureState) bool { return p.Time > 0.2 })
			last := waitPicture(t, ctx, func(p pictureState) bool { return p.Time > first.Time+8 })
			if last.State != "playing" || last.Width != c.width || last.Error != "" {
				t.Errorf("%+v", last)
			}
			if shown := last.Decoded - first.Decoded; c.width > 0 && shown < 150 {
				t.Errorf("%d frames in 8 s", shown)
			}
		})
	}
}

// TestChromiumHLSRepublish watches while the publisher goes away: within the
// grace the picture goes on by itself, after it the page plays what comes next.
func TestChromiumHLSRepublish(t *testing.T) {
	long(t)
	for name, more := range map[string]conf{
		"event":       {},
		"window":      {"plugins.hls.window": "4"},
		"low latency": {"plugins.hls.window": "4", "plugins.hls.low_latency": "true", "plugins.hls.part": `"200ms"`},
	} {
		t.Run(name, func(t *testing.T) {
			o := conf{"plugins.hls.target": `"1s"`, "stream.reconnect_grace": `"4s"`}
			for k, v := range more {
				o[k] = v
			}
			srv, _ := startRecorders(t, o, "hls")
			tags := sourceTags(t, "small")
			f := srv.feed(t, "live/x", tags)
			srv.waitStream(t, "live/x")
			ctx := openPage(t, srv, "?stream=live/x&via=hls")
			mustAdvance(t, ctx, 3)

			f.cut() // and back within the grace
			f = srv.feed(t, "live/x", tags)
			mustAdvance(t, ctx, 5)

			f.cut() // and not back within the grace
			srv.waitGone(t, "live/x")
			gone := waitPicture(t, ctx, picture0)
			f = srv.feed(t, "live/x", tags)
			// What was buffered plays to its end; then the page goes on by itself,
			// unless hls.js has gone on in the playlist.
			waitPicture(t, ctx, func(p pictureState) bool { return p.State != "playing" || p.Time > gone.Time+10 })
			waitPicture(t, ctx, func(p pictureState) bool { return p.State == "playing" })
			mustAdvance(t, ctx, 4)
			f.cut()
		})
	}
}
