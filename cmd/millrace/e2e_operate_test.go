package main_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestCommands runs what ends by itself.
func TestCommands(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.toml"), filepath.Join(dir, "bad.toml")
	writeFile(t, good, "[stream]\nmax_lag = \"3s\"\n")
	writeFile(t, bad, "[stream]\nmax_lag = \"5 parsecs\"\nbogus = 1\n[rtmp]\nchunk_size = 7\n[admin]\nlisten = \":8502\"\n")
	shipped, err := filepath.Abs("../../conf/millrace.toml")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		args   []string
		status int
		wants  []string
	}{
		{"version", []string{"version"}, 0, []string{"millrace"}},
		{"check a good file", []string{"check", "-c", good}, 0, nil},
		{"check the shipped file", []string{"check", "-c", shipped}, 0, nil},
		{"check a bad file", []string{"check", "-c", bad}, 1, []string{
			bad + ":2: stream.max_lag", "5 parsecs", bad + ":3: stream.bogus", bad + ":5: rtmp.chunk_size", "admin.token",
		}},
		{"serve a bad file", []string{"serve", "-c", bad}, 1, []string{bad + ":2: stream.max_lag", bad + ":3: stream.bogus"}},
		{"check no file", []string{"check", "-c", filepath.Join(dir, "none.toml")}, 1, []string{"none.toml"}},
		{"unknown command", []string{"sevre"}, 2, []string{"sevre"}},
		{"unknown flag", []string{"check", "-x"}, 2, nil},
		{"too many words", []string{"version", "now"}, 2, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := startCommand(t, patience, serverCommand(c.args...))
			if status := p.wait(t); status != c.status {
				t.Errorf("exit status %d, want %d", status, c.status)
			}
			for _, want := range c.wants {
				if !strings.Contains(p.out.String(), want) {
					t.Errorf("no %q in:\n%s", want, p.out)
				}
			}
		})
	}
}

// rewrite changes a server's configuration file.
func (s *server) rewrite(t *testing.T, from, to string) {
	t.Helper()
	old, err := os.ReadFile(s.config)
	if err != nil || !strings.Contains(string(old), from) {
		t.Fatalf("no %q in the configuration: %v", from, err)
	}
	writeFile(t, s.config, strings.Replace(string(old), from, to, 1))
}

// TestReload changes keys under a running stream.
func TestReload(t *testing.T) {
	t.Parallel()
	srv := startServer(t, conf{"http.list": "true", "stream.play_wait": `"1s"`})
	srv.quiet = false // a file that cannot be loaded is an error
	srv.feed(t, "live/x", sourceTags(t, "small"))
	srv.waitStream(t, "live/x")
	crowd := startCrowd(t, srv, "live/x", 1, digests(t, "small"), nil)
	listed := func() bool { return answer(t, "GET", "http://"+srv.http[0]+"/streams.json").StatusCode == 200 }
	if !listed() {
		t.Fatal("no list at the start")
	}

	srv.rewrite(t, "list = true", "list = false")
	srv.signal(syscall.SIGHUP)
	eventually(t, "SIGHUP takes the list away", func() bool { return !listed() })

	srv.rewrite(t, "list = false", "list = true\nbogus = 1")
	status, body := srv.adminCall(t, http.MethodPost, "/api/v1/config/reload")
	if status != http.StatusUnprocessableEntity || !strings.Contains(body, "http.bogus") || !strings.Contains(body, "problems") {
		t.Errorf("reload of a bad file: %d %s", status, body)
	}
	srv.signal(syscall.SIGHUP)
	eventually(t, "the log names the bad key, twice", func() bool { return strings.Count(srv.log.text(), "bogus") > 1 })
	if listed() {
		t.Error("a bad file changed something")
	}

	srv.rewrite(t, "list = true\nbogus = 1", "list = true")
	srv.rewrite(t, "[rtmp]", "[rtmp]\nchunk_size = 4096")
	wantChanges(t, srv)
	if !listed() {
		t.Error("the reload did not bring the list back")
	}
	crowd.eventually(t, "frames", func(m *member) bool { return m.video > 10 && m.widest < 500 })
}

// wantChanges reloads and reads what has changed: a live key and one that
// waits for a restart.
func wantChanges(t *testing.T, srv *server) {
	t.Helper()
	status, body := srv.adminCall(t, http.MethodPost, "/api/v1/config/reload")
	var result struct {
		Changed []struct {
			Key, Old, New string
			Live          bool
		}
	}
	if err := json.Unmarshal([]byte(body), &result); err != nil || status != http.StatusOK {
		t.Fatalf("reload: %d %s, %v", status, body, err)
	}
	live := map[string]bool{}
	for _, c := range result.Changed {
		live[c.Key] = c.Live
	}
	if got := fmt.Sprint(live); got != "map[http.list:true rtmp.chunk_size:false]" {
		t.Errorf("changed: %s", got)
	}
}

// TestKick ends a viewer, then the publisher, by the API.
func TestKick(t *testing.T) {
	t.Parallel()
	srv := startServer(t, nil)
	f := srv.feed(t, "live/x", sourceTags(t, "small"))
	srv.waitStream(t, "live/x")
	viewers := map[string]viewer{}
	for _, protocol := range protocols {
		viewers[protocol] = srv.watch(t, protocol, "live/x", nil)
		nextThat(t, viewers[protocol], "a keyframe", tag.isKeyframe)
	}
	stays := srv.watch(t, "http-flv", "live/x", nil)
	for _, c := range srv.clients(t, "player") {
		v, is := viewers[c.Protocol]
		if is && c.RemoteAddr == v.(net.Conn).LocalAddr().String() {
			wantNoContent(t, srv, "/api/v1/clients/"+c.ID)
		}
	}
	for protocol, v := range viewers {
		if _, err := collect(v, time.Now().Add(patience)); err == nil || strings.Contains(err.Error(), "timeout") {
			t.Errorf("%s was not ended: %v", protocol, err)
		}
	}
	nextThat(t, stays, "more frames", tag.isVideo)
	wantNoContent(t, srv, "/api/v1/streams/live/x")
	eventually(t, "the publisher is closed", f.isGone)
	if len(f.said) == 0 || f.said[0].level != "error" {
		t.Errorf("the publisher was told %v", f.said)
	}
	readToEnd(t, stays, patience)
	srv.waitGone(t, "live/x")
	if status, _ := srv.adminCall(t, http.MethodDelete, "/api/v1/streams/live/x"); status != http.StatusNotFound {
		t.Errorf("a second DELETE: %d", status)
	}
	if status, _ := srv.adminCall(t, http.MethodDelete, "/api/v1/clients/none"); status != http.StatusNotFound {
		t.Errorf("DELETE of nobody: %d", status)
	}
}

func wantNoContent(t *testing.T, srv *server, path string) {
	t.Helper()
	if status, body := srv.adminCall(t, http.MethodDelete, path); status != http.StatusNoContent {
		t.Errorf("DELETE %s: %d %s", path, status, body)
	}
}

// TestFigures reads metrics, health, profiles and the log's statistics.
func TestFigures(t *testing.T) {
	t.Parallel()
	srv := startServer(t, conf{"server.stats_interval": `"500ms"`})
	srv.feed(t, "live/x", sourceTags(t, "small"))
	srv.waitStream(t, "live/x")
	crowd := startCrowd(t, srv, "live/x", 2, digests(t, "small"), nil)
	crowd.eventually(t, "frames", func(m *member) bool { return m.video > 10 })
	for name, want := range map[string]float64{
		"millrace_publishers": 1, "millrace_viewers": 6, "millrace_streams": 1,
		"millrace_frames_dropped_total": 0, "millrace_handler_panics_total": 0,
	} {
		if got := srv.metric(t, name); got != want {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
	}
	for _, name := range []string{
		"millrace_bytes_in_total", "millrace_bytes_out_total", "millrace_frames_in_total", "millrace_frames_out_total",
		"millrace_ring_bytes", "millrace_loop_writev_calls_total", "millrace_memory_limit_bytes",
	} {
		if srv.metric(t, name) <= 0 {
			t.Errorf("%s is 0", name)
		}
	}
	noViewerInLabels(t, srv)
	if status, _ := srv.adminCall(t, "GET", "/healthz"); status != 200 {
		t.Errorf("healthz: %d", status)
	}
	if status, body := srv.adminCall(t, "GET", "/debug/pprof/goroutine?debug=1"); status != 200 || !strings.Contains(body, "goroutine profile") {
		t.Errorf("pprof: %d", status)
	}
	stats := regexp.MustCompile(`level=INFO .*publishers=1 .*viewers.*=2`)
	eventually(t, "a line of statistics", func() bool { return stats.MatchString(srv.log.text()) })
}

// noViewerInLabels refuses a label that grows with the audience.
func noViewerInLabels(t *testing.T, srv *server) {
	t.Helper()
	_, body := srv.adminCall(t, "GET", "/metrics")
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, "millrace_") && (strings.Contains(line, "127.0.0.1:") || strings.Contains(line, "live")) &&
			!strings.Contains(line, `state="live"`) {
			t.Errorf("a metric per stream or viewer: %s", line)
		}
	}
}

// TestAdminToken asks without, with a wrong and with the right token.
func TestAdminToken(t *testing.T) {
	t.Parallel()
	srv := startServer(t, conf{"admin.token": `"0123456789abcdef0123456789abcdef"`})
	right := srv.token
	for token, want := range map[string]int{"": 401, "wrong": 401, right: 200} {
		srv.token = token
		for _, path := range []string{"/api/v1/streams", "/metrics", "/debug/pprof/"} {
			if status, _ := srv.adminCall(t, "GET", path); status != want {
				t.Errorf("%s with token %q: %d, want %d", path, token, status, want)
			}
		}
	}
	if srv.token = right; strings.Contains(srv.log.text(), right) {
		t.Error("the token is in the log")
	}
}

// TestShutdown stops a server with an audience: everybody gets a clean end.
func TestShutdown(t *testing.T) {
	t.Parallel()
	srv := startServer(t, nil)
	pub := publishLoop(t, srv.rtmpURL("live/x"), source(t, "small"))
	srv.waitStream(t, "live/x")
	crowd := startCrowd(t, srv, "live/x", 10, digests(t, "small"), nil)
	crowd.eventually(t, "frames", func(m *member) bool { return m.video > 10 })
	players := map[string]recorder{"curl": curl(t, srv.flvURL("live/x"))}
	for name, start := range recorders {
		players[name] = start(t, srv.rtmpURL("live/x"))
	}
	for _, r := range players {
		r.waitSize(t, 60_000)
	}
	idle := dialTCP(t, srv.http[0])
	srv.startWaiting(t, "/live/none.flv")
	srv.stop(t)
	crowd.end(t, wsGoingAway, wsNormal)
	for _, r := range players {
		r.succeed(t)
	}
	waitClosed(t, idle)
	if pub.wait(t) == 0 {
		t.Error("the publisher's ffmpeg did not notice")
	}
}

// TestShutdownInGrace stops a server whose publisher is away.
func TestShutdownInGrace(t *testing.T) {
	t.Parallel()
	srv := startServer(t, conf{"stream.reconnect_grace": `"10m"`})
	f := srv.feed(t, "live/x", sourceTags(t, "small"))
	crowd := startCrowd(t, srv, "live/x", 2, digests(t, "small"), nil)
	crowd.eventually(t, "frames", func(m *member) bool { return m.video > 10 })
	f.cut()
	srv.waitStreamThat(t, "live/x", "is lost", func(s *streamInfo) bool { return s.State == "lost" })
	srv.stop(t)
	crowd.end(t, wsGoingAway, wsNormal)
}

// TestShutdownOfIdleServer stops an empty server at once.
func TestShutdownOfIdleServer(t *testing.T) {
	t.Parallel()
	srv := startServer(t, conf{"server.shutdown_timeout": `"10m"`})
	srv.stop(t)
}

// TestEnvironment overrides the file.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	srv := startServer(t, conf{"http.list": "true"}, "MILLRACE_HTTP_LIST=false")
	wantStatus(t, answer(t, "GET", "http://"+srv.http[0]+"/streams.json"), 404)
}
