package main_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"
)

// TestParkedPlaylists has thousands of players wait for the next segment of a real
// low-latency playlist, weighs them, and sees each answered.
func TestParkedPlaylists(t *testing.T) {
	long(t)
	const players = 4800 // a quarter of the descriptors that test machines give
	srv, _ := startRecorders(t, conf{
		"plugins.hls.low_latency": "true", "plugins.hls.target": `"10s"`, "plugins.hls.part": `"500ms"`, "plugins.hls.window": "4",
	}, "hls")
	srv.feed(t, "live/x", sourceTags(t, "small"))
	first := dialHTTP(t, srv.http[0])
	const list = "/hls/live/x/index.m3u8"
	eventually(t, "the playlist is there", func() bool {
		status, _, err := first.get(list)
		return err == nil && status == http.StatusOK
	})
	before, resident := srv.inUse(t), srv.resident(t)
	all := make([]*client, players)
	for i := range all {
		c, err := net.Dial("tcp", srv.http[0])
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		defer c.Close()
		all[i] = &client{c, bufio.NewReaderSize(c, 16)}
	}
	_, body, err := first.get(list)
	if err != nil {
		t.Fatal(err)
	}
	next := parseParts(body).open + 1 // at least one whole segment away
	for _, c := range all {
		if _, err := fmt.Fprintf(c, "GET %s?_HLS_msn=%d HTTP/1.1\r\nHost: h\r\n\r\n", list, next); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all wait", func() bool {
		return srv.metric(t, "millrace_waiting_viewers") == players
	})
	each := (srv.inUse(t) - before) / players
	t.Logf("%d B in use for each of %d that wait, its connection included; %d B resident", each, players, (srv.resident(t)-resident)/players)
	if each > 4<<10 && !raceEnabled {
		t.Errorf("%d B each", each)
	}
	begin := time.Now()
	for i, c := range all {
		_ = c.SetDeadline(time.Now().Add(patience))
		a, err := http.ReadResponse(c.in, nil)
		if err != nil {
			t.Fatalf("player %d: %v", i, err)
		}
		a.Body.Close()
		if a.StatusCode != http.StatusOK {
			t.Fatalf("player %d: %s", i, a.Status)
		}
	}
	t.Logf("all answered %v after the question", time.Since(begin).Round(time.Millisecond))
}

// inUse is the memory that the server's heap and stacks hold once garbage is
// collected, in bytes.
func (s *server) inUse(t *testing.T) int {
	t.Helper()
	_, text := s.adminCall(t, http.MethodGet, "/debug/pprof/heap?gc=1&debug=1")
	sum := 0
	for _, name := range []string{"# HeapAlloc = ", "# Stack = "} {
		var n int
		if _, err := fmt.Sscan(between(text, name, "\n"), &n); err != nil {
			t.Fatalf("read %q: %v", name, err)
		}
		sum += n
	}
	return sum
}
