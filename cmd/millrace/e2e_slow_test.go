package main_test

import (
	"bufio"
	"io"
	"net"
	"strconv"
	"testing"
	"time"
)

// TestStalledViewers puts many viewers that never read beside some that do.
func TestStalledViewers(t *testing.T) {
	t.Parallel()
	heavy(t)
	const stalled, good = 150, 24
	srv := startServer(t, conf{"stream.stall_timeout": `"8s"`})
	publishLoop(t, srv.rtmpURL("live/x"), source(t, "rate2m"))
	srv.waitStreamThat(t, "live/x", "has a second", func(s *streamInfo) bool { return s.FramesIn > 60 })
	reading := startReaders(t, srv, good)
	before := srv.resident(t)
	addresses := stallAll(t, srv, stalled)
	peak := before
	srv.waitStreamThat(t, "live/x", "has closed the stalled", func(s *streamInfo) bool {
		peak = max(peak, srv.resident(t))
		return s.Viewers == good
	})
	reading.check(t, srv)
	if grown := peak - before; grown > 32<<20 && !raceEnabled {
		t.Errorf("resident memory grew by %d KiB", grown>>10)
	} else {
		t.Logf("resident memory grew by %d KiB", grown>>10)
	}
	for _, addr := range addresses {
		checkEpisode(t, srv, addr)
	}
}

// startReaders starts viewers that read all.
func startReaders(t *testing.T, srv *server, n int) *crowd {
	t.Helper()
	set := digests(t, "rate2m")
	c := startCrowd(t, srv, "live/x", n/len(protocols), set, nil)
	c.eventually(t, "frames", func(m *member) bool { return m.video > 20 })
	return c
}

// check wants every frame at every reader so far.
func (c *crowd) check(t *testing.T, srv *server) {
	t.Helper()
	if late := c.without(t, func(m *member) bool { return m.widest < 200 }); len(late) > 0 {
		t.Errorf("%d of %d readers have gaps; one over %s of %d ms", len(late), len(c.members), late[0].protocol, late[0].widest)
	}
	dropped := int64(0)
	for _, info := range srv.clients(t, "player") {
		dropped += info.DroppedFrames
	}
	if dropped > 0 {
		t.Errorf("readers have dropped %d frames", dropped)
	}
}

// unread is a wrapper that takes what the answer needs and no more.
func unread(conn net.Conn) io.Reader { return bufio.NewReaderSize(conn, 16) }

// stallAll starts viewers that never read after the answer to their request,
// and returns their addresses.
func stallAll(t *testing.T, srv *server, n int) []string {
	t.Helper()
	var addresses []string
	for i := range n {
		v := srv.watch(t, protocols[i%len(protocols)], "live/x", unread)
		addresses = append(addresses, v.(net.Conn).LocalAddr().String())
	}
	return addresses
}

// checkEpisode wants log lines that say what the server did to a slow viewer.
func checkEpisode(t *testing.T, srv *server, addr string) {
	t.Helper()
	lines := srv.log.find(map[string]string{"level": "WARN", "remote_addr": addr})
	if len(lines) == 0 {
		t.Errorf("no log line about %s", addr)
		return
	}
	if len(lines) > 2 {
		t.Errorf("%d log lines about %s", len(lines), addr)
	}
	for _, key := range []string{"stream", "client_id", "protocol", "lag_ms", "socket_queue", "no_progress_for", "action"} {
		if lines[0][key] == "" {
			t.Errorf("no %s in the log line %v", key, lines[0])
		}
	}
	if lag, err := strconv.Atoi(lines[0]["lag_ms"]); err != nil || lag < 1000 {
		t.Errorf("lag_ms is %q", lines[0]["lag_ms"])
	}
}

// TestLaggards do not read for a while: they go on at a keyframe, and what
// they missed is counted.
func TestLaggards(t *testing.T) {
	t.Parallel()
	srv := startServer(t, conf{"stream.max_lag": `"2s"`})
	publishLoop(t, srv.rtmpURL("live/x"), source(t, "rate2m"))
	srv.waitStream(t, "live/x")
	g := together(t)
	defer g.wait()
	for _, protocol := range protocols {
		g.run(protocol, func(t *testing.T) {
			v := srv.watch(t, protocol, "live/x", unread)
			addr := v.(net.Conn).LocalAddr().String()
			tags := readFor(t, v, time.Second)
			time.Sleep(7 * time.Second) // the laggard's own doing
			tags = append(tags, readFor(t, v, 3*time.Second)...)
			checkOrder(t, tags)
			checkSkip(t, tags)
			checkEpisode(t, srv, addr)
			for _, c := range srv.clients(t, "player") {
				if c.RemoteAddr == addr && c.DroppedFrames == 0 {
					t.Error("the API counts no dropped frames")
				}
			}
		})
	}
}

// checkSkip wants a gap in the video that ends with a keyframe.
func checkSkip(t *testing.T, tags []tag) {
	t.Helper()
	var last *tag
	skips := 0
	for _, g := range tags {
		if !g.isVideo() {
			continue
		}
		if last != nil && int32(g.ts-last.ts) > 500 {
			skips++
			if !g.isKeyframe() {
				t.Errorf("after a gap of %d ms comes no keyframe", g.ts-last.ts)
			}
		}
		last = &g
	}
	if skips == 0 {
		t.Error("nothing was skipped")
	}
}
