package main_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// soakTime is for how long to soak, from MILLRACE_TEST_SOAK; 0: not at all.
func soakTime() time.Duration {
	span, _ := time.ParseDuration(os.Getenv("MILLRACE_TEST_SOAK"))
	return span
}

// soakSeed is the seed of the steps, from MILLRACE_TEST_SOAK_SEED if that is
// set.
func soakSeed(t *testing.T) uint64 {
	t.Helper()
	given := os.Getenv("MILLRACE_TEST_SOAK_SEED")
	if given == "" {
		return rand.Uint64()
	}
	seed, err := strconv.ParseUint(given, 10, 64)
	if err != nil {
		t.Fatalf("MILLRACE_TEST_SOAK_SEED: %v", err)
	}
	return seed
}

const (
	soakStreams = 6
	soakViewers = 150 // at most, at once
)

// TestSoak uses a server at random for MILLRACE_TEST_SOAK: joins, leaves,
// stalls, republishes, kicks and reloads. Every viewer's stream is valid all
// the time, and an idle server holds as much at the end as after the first
// fifth. The steps follow from a seed, which is printed; how they fall in with
// what the server does at the time is up to the machine.
func TestSoak(t *testing.T) {
	span := soakTime()
	if span <= 0 {
		t.Skip("runs with MILLRACE_TEST_SOAK=30m, or make soak")
	}
	seed := soakSeed(t)
	t.Logf("MILLRACE_TEST_SOAK_SEED=%d", seed)
	k := newSoak(t, seed)
	k.run(span / 5)
	warm := k.rest()
	t.Logf("after the first fifth, idle: %v", warm)
	k.run(span - span/5)
	end := k.rest()
	t.Logf("at the end, idle: %v", end)
	t.Logf("steps: %v; valid viewers: %d, with %d tags", k.counts, k.ended, k.tags)
	if end.goroutines > warm.goroutines+10 || end.descriptors > warm.descriptors+4 ||
		end.heap > warm.heap+8<<20 || end.resident > warm.resident+32<<20 && !raceEnabled {
		t.Errorf("not flat: %v after the first fifth, %v at the end", warm, end)
	}
	if n := k.srv.metric(t, "millrace_handler_panics_total"); n != 0 {
		t.Errorf("%v handlers panicked", n)
	}
}

// soak is a run of random use. Its own goroutine does all steps; each viewer
// has one that reads.
type soak struct {
	t       *testing.T
	srv     *server
	steps   *rand.Rand
	tags0   [2][]tag // what publishers send
	feeds   [soakStreams]*feed
	viewers []*soakViewer
	counts  map[string]int
	ended   int // viewers that left or ended as they may
	tags    int // that they had read
	calm    int // descriptors of the server before anybody came
}

func newSoak(t *testing.T, seed uint64) *soak {
	t.Helper()
	srv := startServer(t, conf{
		"stream.reconnect_grace": `"2s"`, "stream.play_wait": `"1s"`, "stream.max_lag": `"2s"`, "stream.stall_timeout": `"10m"`,
		"stream.busy_silence": `"500ms"`, "stream.on_busy": `"replace"`, "http.list": "true", "log.level": `"info"`,
	})
	return &soak{
		t: t, srv: srv, steps: rand.New(rand.NewPCG(seed, 0)), counts: map[string]int{},
		tags0: [2][]tag{sourceTags(t, "small"), sourceTags(t, "other")}, calm: srv.descriptors(t),
	}
}

// step is what the seed says; each has the same number of draws, whatever the
// step makes of them.
type step struct {
	action, stream, protocol, arg int
	pause                         time.Duration
}

func (k *soak) next() step {
	draw := k.steps.IntN
	return step{draw(100), draw(soakStreams), draw(len(protocols)), draw(1 << 20), time.Duration(draw(80)) * time.Millisecond}
}

// soakActions has the share of each action in a hundred steps.
var soakActions = []struct {
	name  string
	share int
	do    func(*soak, step)
}{
	{"publish", 8, (*soak).publish}, {"stop", 3, (*soak).stopCleanly}, {"kill", 4, (*soak).killPublisher},
	{"replace", 2, (*soak).replace}, {"join", 40, (*soak).join}, {"leave", 18, (*soak).leave},
	{"stall", 10, (*soak).stall}, {"kick", 6, (*soak).kick}, {"kick a publisher", 1, (*soak).kickPublisher},
	{"reload", 2, (*soak).reload}, {"absent", 6, (*soak).absent},
}

// run does steps for a while.
func (k *soak) run(span time.Duration) {
	k.t.Helper()
	begin, told := time.Now(), time.Now()
	for time.Since(begin) < span && !k.t.Failed() {
		s := k.next()
		rest := s.action
		for _, a := range soakActions {
			if rest -= a.share; rest < 0 {
				k.counts[a.name]++
				a.do(k, s)
				break
			}
		}
		k.reap()
		if time.Since(told) > 15*time.Second {
			told = time.Now()
			k.t.Logf("%v: %d viewers, %v", time.Since(begin).Round(time.Second), len(k.viewers), k.measure())
		}
		time.Sleep(s.pause)
	}
}

func soakName(stream int) string { return "s" + strconv.Itoa(stream) }

// publish starts a publisher where there is none.
func (k *soak) publish(s step) {
	if f := k.feeds[s.stream]; f != nil && !f.isGone() {
		return
	}
	k.replace(s)
}

// replace starts a publisher, whoever publishes there.
func (k *soak) replace(s step) {
	p, err := tryPublish(k.srv.rtmp[0], fmt.Sprintf("live/%s?key=%d", soakName(s.stream), s.arg%3))
	if no, is := err.(refused); is && no.code == badName {
		k.counts["refused"]++
		return // replaced too often
	}
	if err != nil {
		k.t.Errorf("publish: %v", err)
		return
	}
	if f := k.feeds[s.stream]; f != nil {
		f.cut()
	}
	k.feeds[s.stream] = startFeed(p, k.tags0[s.arg%2], 0)
}

func (k *soak) stopCleanly(s step) {
	if f := k.feeds[s.stream]; f != nil {
		f.halt()
		_ = f.rtmpConn.SetWriteDeadline(time.Now().Add(time.Second))
		_ = f.publisher.stopCleanly(soakName(s.stream))
		f.cut()
		k.feeds[s.stream] = nil
	}
}

// killPublisher cuts a publisher without a word; half of the time another one
// is there at once.
func (k *soak) killPublisher(s step) {
	if f := k.feeds[s.stream]; f != nil {
		f.halt()
		reset(f.publisher)
		k.feeds[s.stream] = nil
		if s.arg%4 > 1 {
			k.replace(s)
		}
	}
}

func (k *soak) join(s step) {
	if len(k.viewers) < soakViewers {
		k.viewers = append(k.viewers, startSoakViewer(k.srv, protocols[s.protocol], "live/"+soakName(s.stream)))
	}
}

// one picks a viewer.
func (k *soak) one(s step) *soakViewer {
	if len(k.viewers) == 0 {
		return nil
	}
	return k.viewers[s.arg%len(k.viewers)]
}

func (k *soak) leave(s step) {
	if v := k.one(s); v != nil {
		v.leave()
	}
}

// stall keeps a viewer from reading for up to 6 s, longer than max_lag.
func (k *soak) stall(s step) {
	if v := k.one(s); v != nil {
		v.stall(time.Duration(s.arg%6000) * time.Millisecond)
	}
}

func (k *soak) kick(s step) {
	v := k.one(s)
	if v == nil {
		return
	}
	addr := v.excuse()
	for _, c := range k.srv.clients(k.t, "player") {
		if addr != "" && c.RemoteAddr == addr {
			k.end("/api/v1/clients/" + c.ID)
		}
	}
}

func (k *soak) kickPublisher(s step) { k.end("/api/v1/streams/live/" + soakName(s.stream)) }

// end asks the API to end what may be gone by now.
func (k *soak) end(path string) {
	if status, body := k.srv.adminCall(k.t, "DELETE", path); status != 204 && status != 404 {
		k.t.Errorf("DELETE %s: %d %s", path, status, body)
	}
}

// reload changes live keys and sends SIGHUP.
func (k *soak) reload(s step) {
	old, err := os.ReadFile(k.srv.config)
	if err != nil {
		k.t.Fatal(err)
	}
	lines := strings.Split(string(old), "\n")
	for i, line := range lines {
		switch key, _, _ := strings.Cut(line, " = "); key {
		case "max_lag":
			lines[i] = fmt.Sprintf(`max_lag = "%dms"`, 2000+s.arg%2000)
		case "list":
			lines[i] = fmt.Sprintf("list = %v", s.arg%2 == 0)
		case "level":
			lines[i] = fmt.Sprintf(`level = "%s"`, []string{"info", "warn", "debug"}[s.arg%3])
		}
	}
	// Whole at once: the server may still read for the last SIGHUP.
	writeFile(k.t, k.srv.config+".new", strings.Join(lines, "\n"))
	if err := os.Rename(k.srv.config+".new", k.srv.config); err != nil {
		k.t.Fatal(err)
	}
	_ = syscall.Kill(k.srv.cmd.Process.Pid, syscall.SIGHUP)
}

// absent asks for a stream that is not there, and half of the time does not
// wait for the answer.
func (k *soak) absent(s step) {
	path := fmt.Sprintf("live/absent%d?wait=0", s.arg%1000)
	if s.arg%2 == 0 {
		k.viewers = append(k.viewers, startSoakViewer(k.srv, protocols[s.protocol], strings.TrimSuffix(path, "?wait=0")))
		return
	}
	h, err := watchHTTP(k.srv.http[0], flvPath(path), nil)
	if no, is := err.(refusedHTTP); !is || no.status != 404 {
		k.t.Errorf("GET %s: %v", path, err)
	}
	if err == nil {
		h.Close()
	}
}

// reap takes viewers out that have ended.
func (k *soak) reap() {
	var left []*soakViewer
	for _, v := range k.viewers {
		select {
		case <-v.done:
			if v.err != nil {
				k.t.Errorf("%s over %s, after %d tags: %v", v.path, v.protocol, v.tags, v.err)
				continue
			}
			k.ended, k.tags = k.ended+1, k.tags+v.tags
		default:
			left = append(left, v)
		}
	}
	k.viewers = left
}

// usage is what a server holds.
type usage struct {
	cost
	goroutines int
}

func (u usage) String() string {
	return fmt.Sprintf("%d goroutines, %d descriptors, heap %d KiB, resident %d KiB",
		u.goroutines, u.descriptors, u.heap>>10, u.resident>>10)
}

func (k *soak) measure() usage {
	_, body := k.srv.adminCall(k.t, "GET", "/debug/pprof/goroutine?debug=1")
	_, after, _ := strings.Cut(body, "total ")
	line, _, _ := strings.Cut(after, "\n")
	n, err := strconv.Atoi(line)
	if err != nil {
		k.t.Errorf("no total in the profile: %v", err)
	}
	return usage{k.srv.cost(k.t), n}
}

// rest ends all use and returns what the idle server holds.
func (k *soak) rest() usage {
	k.t.Helper()
	for stream := range soakStreams {
		k.stopCleanly(step{stream: stream})
	}
	for _, v := range k.viewers {
		v.leave()
	}
	eventually(k.t, "the viewers have ended", func() bool { k.reap(); return len(k.viewers) == 0 })
	eventually(k.t, "the server is idle", func() bool { return len(k.srv.allClients(k.t)) == 0 })
	for stream := range soakStreams {
		k.srv.waitGone(k.t, "live/"+soakName(stream))
	}
	eventually(k.t, "ends that linger are over", func() bool { return k.srv.descriptors(k.t) <= k.calm+openMargin })
	k.measure() // collects what they held
	return k.measure()
}
