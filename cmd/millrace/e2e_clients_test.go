package main_test

import (
	"syscall"
	"testing"
)

// TestClients publishes with two programs and plays with four.
func TestClients(t *testing.T) {
	t.Parallel()
	for name, publish := range map[string]func(t *testing.T, url string) *peer{
		"ffmpeg": func(t *testing.T, url string) *peer {
			return publishOnce(t, url, source(t, "av"), nil, nil)
		},
		"rtmp2sink": func(t *testing.T, url string) *peer { return gstPublish(t, url, source(t, "av")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := startServer(t, nil)
			file := source(t, "av")
			pub := publish(t, srv.rtmpURL("live/x"))
			srv.waitStream(t, "live/x")
			players := map[string]recorder{"curl": curl(t, srv.flvURL("live/x")), "curl -0": curl(t, srv.flvURL("live/x"), "-0")}
			for name, start := range recorders {
				players[name] = start(t, srv.rtmpURL("live/x"))
			}
			pub.succeed(t)
			want := decoded(t, file, "va")
			for name, r := range players {
				t.Run(name, func(t *testing.T) {
					r.succeed(t)
					wantPart(t, decoded(t, r.file, "va"), want)
				})
			}
		})
	}
}

// wantPart wants frames that are all of the source, one after the other.
func wantPart(t *testing.T, got, want sums) {
	t.Helper()
	place := map[string]int{}
	for i, f := range readSums(t, want.video) {
		place[f.hash] = i
	}
	frames := readSums(t, got.video)
	if len(frames) < 150 {
		t.Errorf("%d video frames", len(frames))
	}
	for i, f := range frames[:max(0, len(frames)-3)] { // the cut may have left the last ones without what they refer to
		at, known := place[f.hash]
		if !known || i > 0 && at != place[frames[i-1].hash]+1 {
			t.Fatalf("frame %d of %d is not the next one of the source", i, len(frames))
		}
	}
	if n := len(readSums(t, got.audio)); n < 300 {
		t.Errorf("%d audio frames", n)
	}
}

// TestRtmpsrcReconnects plays with librtmp inside GStreamer, which asks again at
// once after the end of a stream: it waits, and goes on when there is a stream
// again; when none comes it is told so.
func TestRtmpsrcReconnects(t *testing.T) {
	t.Parallel()
	srv := startServer(t, conf{"stream.play_wait": `"15s"`})
	file := source(t, "other")
	first := publishLoop(t, srv.rtmpURL("live/x"), file) // GStreamer may begin slowly
	srv.waitStream(t, "live/x")
	r := record(t, "gst-launch-1.0", func(file string) []string {
		return []string{"-q", "rtmpsrc", "location=" + srv.rtmpURL("live/x") + " live=1", "!", "filesink", "location=" + file}
	})
	r.waitSize(t, 60_000)
	first.signal(syscall.SIGTERM)
	srv.waitGone(t, "live/x")
	eventually(t, "it asks again", func() bool { return len(srv.allClients(t)) > 0 })
	had := r.size()
	publishOnce(t, srv.rtmpURL("live/x"), file, []string{"-t", "4"}, nil)
	r.waitSize(t, had+60_000)
	srv.waitGone(t, "live/x")
	srv.waitLog(t, map[string]string{"msg": "play refused", "stream": "live/x"})
}
