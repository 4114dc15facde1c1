package main_test

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestJoin measures what a newcomer waits for: with the GOP cache the first
// keyframe is there already, however long the GOP.
func TestJoin(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"av", "gop10"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := startServer(t, nil)
			publishLoop(t, srv.rtmpURL("live/x"), source(t, name))
			srv.waitStreamThat(t, "live/x", "has a second", func(s *streamInfo) bool { return s.FramesIn > 60 })
			t.Run("times", func(t *testing.T) { joinTimes(t, srv) })
			t.Run("probe", func(t *testing.T) { probe(t, srv) })
			t.Run("start", func(t *testing.T) { startModes(t, srv) })
			t.Run("lag", func(t *testing.T) { newcomersDoNotLag(t, srv) })
		})
	}
}

// joinTimes joins 100 times, the protocols in turn, spread over the GOP.
func joinTimes(t *testing.T, srv *server) {
	var times []time.Duration
	for i := range 100 {
		protocol := protocols[i%len(protocols)]
		begin := time.Now()
		v := srv.watch(t, protocol, "live/x", nil)
		var o order
		nextThat(t, v, "the first video", func(g tag) bool {
			if err := o.add(g); err != nil {
				t.Errorf("join %d over %s: %v", i, protocol, err)
			}
			return g.isVideo()
		})
		times = append(times, time.Since(begin))
		v.Close()
		time.Sleep(30 * time.Millisecond) // spreads the joins over the GOP
	}
	slices.Sort(times)
	t.Logf("time to the first keyframe: p50 %v, p99 %v, worst %v", times[50], times[98], times[99])
}

// probe lets ffprobe find both tracks at once, and nothing else.
func probe(t *testing.T, srv *server) {
	for _, url := range []string{srv.flvURL("live/x"), srv.rtmpURL("live/x")} {
		begin := time.Now()
		out := mustRun(t, "ffprobe", "-v", "error", "-analyzeduration", "0", "-probesize", "32k",
			"-show_entries", "stream=codec_name", "-of", "csv=p=0", url)
		t.Logf("ffprobe of %s: %v", url, time.Since(begin))
		if tracks := slices.Sorted(slices.Values(strings.Fields(out))); !slices.Equal(tracks, []string{"aac", "h264"}) {
			t.Errorf("ffprobe of %s finds %v", url, tracks)
		}
	}
}

// startModes compares a start at the cached GOP with one at the next keyframe.
func startModes(t *testing.T, srv *server) {
	first := func(query string) tag {
		v := srv.watch(t, "http-flv", "live/x"+query, nil)
		return nextThat(t, v, "the first video", tag.isVideo)
	}
	cached, live := first("?start=gop"), first("?start=live")
	if !live.isKeyframe() {
		t.Error("start=live does not begin with a keyframe")
	}
	if int32(live.ts-cached.ts) <= 0 {
		t.Errorf("start=live begins at %d ms, start=gop at %d ms", live.ts, cached.ts)
	}
}

// newcomersDoNotLag holds cached frames against nobody.
func newcomersDoNotLag(t *testing.T, srv *server) {
	for i := range 30 {
		v := srv.watch(t, protocols[i%len(protocols)], "live/x", nil)
		nextThat(t, v, "the first keyframe", tag.isKeyframe)
		go func() { _, _ = collect(v, time.Now().Add(10*patience)) }()
	}
	for _, c := range srv.clients(t, "player") {
		if c.DroppedFrames != 0 {
			t.Errorf("newcomer %s over %s has dropped %d frames", c.ID, c.Protocol, c.DroppedFrames)
		}
	}
	if info := srv.stream(t, "live/x"); info.DroppedFrames != 0 {
		t.Errorf("%d frames dropped", info.DroppedFrames)
	}
}
