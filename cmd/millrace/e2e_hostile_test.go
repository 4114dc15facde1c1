package main_test

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// hostileConf has short deadlines, so that those who are to be dropped at one
// are soon, and room for AMF that nests far deeper than is allowed.
var hostileConf = conf{
	"rtmp.listen":                   `["127.0.0.1:0", {addr = "127.0.0.1:0", proxy_protocol = true}]`,
	"http.listen":                   `["127.0.0.1:0", {addr = "127.0.0.1:0", proxy_protocol = true}]`,
	"limits.handshake_timeout":      `"5s"`,
	"limits.connect_timeout":        `"5s"`,
	"limits.publish_timeout":        `"5s"`,
	"limits.request_header_timeout": `"4s"`,
	"limits.idle_timeout":           `"5s"`,
	"limits.publish_idle_timeout":   `"5s"`,
	"limits.command_size":           `"4MiB"`,
	"stream.reconnect_grace":        `"300ms"`,
	"stream.play_wait":              `"1s"`,
}

// site is a server with a stream and its viewers, and what it costs when
// nobody attacks it.
type site struct {
	*server
	crowd *crowd
	calm  cost
}

// cost is what a server holds.
type cost struct {
	descriptors    int
	heap, resident int // bytes, after a garbage collection
}

func (s *server) cost(t *testing.T) cost {
	t.Helper()
	heap := s.heap(t)
	return cost{s.descriptors(t), heap, s.resident(t)}
}

// descriptors counts the open ones of the server.
func (s *server) descriptors(t *testing.T) int {
	t.Helper()
	open, err := os.ReadDir("/proc/" + strconv.Itoa(s.cmd.Process.Pid) + "/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}

// heap makes the server collect its garbage, and returns what is left.
func (s *server) heap(t *testing.T) int {
	t.Helper()
	_, body := s.adminCall(t, "GET", "/debug/pprof/heap?gc=1&debug=1")
	_, after, _ := strings.Cut(body, "# HeapAlloc = ")
	line, _, _ := strings.Cut(after, "\n")
	n, err := strconv.Atoi(line)
	if err != nil {
		t.Fatalf("no HeapAlloc in the profile: %v", err)
	}
	return n
}

// TestHostilePeers attacks one server in turn in every way. After each attack
// the neighbours have lost nothing, and what it took is given back.
func TestHostilePeers(t *testing.T) {
	t.Parallel()
	heavy(t)
	srv := startServer(t, hostileConf)
	srv.feed(t, "live/x", sourceTags(t, "small"))
	srv.waitStream(t, "live/x")
	s := &site{server: srv, crowd: startCrowd(t, srv, "live/x", 2, digests(t, "small"), nil)}
	s.crowd.eventually(t, "frames", func(m *member) bool { return m.video > 20 })
	s.calm = s.cost(t)
	s.calm = s.cost(t) // with the connection of the admin client itself
	for _, group := range [][]attack{silentAttacks, messageAttacks, amfAttacks, httpAttacks, resetAttacks, noiseAttacks} {
		for _, a := range group {
			t.Run(a.name, func(t *testing.T) {
				a.run(t, srv)
				s.check(t)
			})
		}
	}
}

// attack is something that a hostile peer does; it returns when the server has
// got rid of the peer, or when the peer has left.
type attack struct {
	name string
	run  func(*testing.T, *server)
}

// Margins of what a server holds over what it held when it was calm: a ring
// that fills, and the heap's own reserves.
const (
	heapMargin     = 12 << 20
	residentMargin = 96 << 20
	openMargin     = 2 // connections of the admin client
)

// check wants everybody else undisturbed, and nothing kept.
func (s *site) check(t *testing.T) {
	t.Helper()
	s.flows(t)
	var now cost
	err := poll(patience, func() bool {
		now = s.cost(t)
		return now.descriptors <= s.calm.descriptors+openMargin && now.heap <= s.calm.heap+heapMargin &&
			(raceEnabled || now.resident <= s.calm.resident+residentMargin)
	})
	if err != nil {
		t.Errorf("the server holds %+v, and held %+v when it was calm", now, s.calm)
	}
	t.Logf("heap %d KiB, resident %d KiB, %d descriptors", now.heap>>10, now.resident>>10, now.descriptors)
	if n := s.metric(t, "millrace_handler_panics_total"); n != 0 {
		t.Errorf("%v handlers panicked", n)
	}
}

// flows wants more frames at every viewer, none of them missing.
func (s *site) flows(t *testing.T) {
	t.Helper()
	seen := map[*member]int{}
	for _, m := range s.crowd.without(t, func(*member) bool { return false }) {
		seen[m] = m.video
	}
	s.crowd.eventually(t, "more frames", func(m *member) bool { return m.video > seen[m]+5 && m.widest < 200 })
}

// waitReason waits for a log line that says why a connection was closed.
func (s *server) waitReason(t *testing.T, part string) {
	t.Helper()
	eventually(t, "a reason with "+part, func() bool {
		for _, line := range s.log.find(nil) {
			if strings.Contains(line["reason"], part) {
				return true
			}
		}
		return false
	})
}

// waitFewer waits until the server has no more than some descriptors open.
func (s *server) waitFewer(t *testing.T, most int) {
	t.Helper()
	begin := time.Now()
	eventually(t, "the connections are gone", func() bool { return s.descriptors(t) <= most })
	t.Logf("gone after %v", time.Since(begin).Round(10*time.Millisecond))
}
