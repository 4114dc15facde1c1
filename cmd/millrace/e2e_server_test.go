package main_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// conf is configuration by dotted key; values are TOML.
type conf map[string]string

// server is a running millrace.
type server struct {
	*peer
	log    *serverLog
	config string // its configuration file
	rtmp   []string
	http   []string
	admin  string
	token  string // for the admin API
	quiet  bool   // a line of level ERROR fails the test
	killed bool   // by the test
}

// baseConf listens on free loopback ports. Clients on a busy machine start late
// and read late: tests of limits say which they want.
func baseConf() conf {
	return conf{
		"rtmp.listen":             `["127.0.0.1:0"]`,
		"http.listen":             `["127.0.0.1:0"]`,
		"admin.listen":            `"127.0.0.1:0"`,
		"server.shutdown_timeout": `"30s"`,
		"stream.play_wait":        `"1m"`, "stream.max_lag": `"15s"`,
		"limits.handshake_timeout": `"1m"`, "limits.connect_timeout": `"1m"`, "limits.publish_timeout": `"1m"`,
		"limits.request_header_timeout": `"1m"`, "limits.publish_idle_timeout": `"3m"`,
		// Tests of plugins say which they want.
		"plugins.flv.enabled": "false", "plugins.mp4.enabled": "false", "plugins.hls.enabled": "false",
	}
}

// patientWithPlugins has plugins run like everything else, and takes its time
// with them: niced, as they are by default, they would starve behind the tests
// of other packages.
func (c conf) patientWithPlugins() {
	for key := range maps.Clone(c) {
		table, own := strings.CutSuffix(key, ".command")
		if !own {
			table, own = strings.CutSuffix(key, ".enabled")
		}
		if !own || !strings.HasPrefix(table, "plugins.") {
			continue
		}
		for name, value := range (conf{"limits.nice": "0", "start_timeout": `"1m"`, "stop_timeout": `"30s"`}) {
			if key := table + "." + name; c[key] == "" {
				c[key] = value
			}
		}
	}
}

// startServer runs a server with its own configuration until the test's end,
// where it must stop on SIGTERM with exit status 0 and a log without errors.
func startServer(t *testing.T, overrides conf, env ...string) *server {
	t.Helper()
	cmd := serverCommand()
	cmd.Env = append(cmd.Env, env...)
	return startServerAs(t, cmd, overrides)
}

// startServerAs is startServer with a prepared command, to which it adds the
// arguments.
func startServerAs(t *testing.T, cmd *exec.Cmd, overrides conf) *server {
	t.Helper()
	c := baseConf()
	maps.Copy(c, overrides)
	c.patientWithPlugins()
	file := filepath.Join(t.TempDir(), "millrace.toml")
	writeFile(t, file, c.toml())
	cmd.Args = append(cmd.Args, "serve", "-c", file)
	cmd.Dir = filepath.Dir(file)
	log := &serverLog{}
	cmd.Stderr = log
	s := &server{log: log, config: file, quiet: true, token: strings.Trim(c["admin.token"], `"`)}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of the server:\n%s", tail(log.text(), 60))
		}
	})
	s.peer = startCommand(t, lifetime+soakTime(), cmd)
	t.Cleanup(func() { s.stop(t) })
	s.learnAddresses(t, c)
	return s
}

// serverCommand is the program with an environment without any MILLRACE_
// variable, which would be configuration.
func serverCommand(args ...string) *exec.Cmd {
	cmd := exec.Command(world.bin, args...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "MILLRACE_") })
	return cmd
}

// toml renders the keys without a table, then the tables, all sorted.
func (c conf) toml() string {
	tables := map[string][]string{}
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(c)) {
		dot := strings.LastIndexByte(key, '.')
		if dot < 0 {
			b.WriteString(key + " = " + c[key] + "\n")
			continue
		}
		tables[key[:dot]] = append(tables[key[:dot]], key[dot+1:]+" = "+c[key])
	}
	for _, table := range slices.Sorted(maps.Keys(tables)) {
		fmt.Fprintf(&b, "[%s]\n%s\n", table, strings.Join(tables[table], "\n"))
	}
	return b.String()
}

// learnAddresses reads the listening lines; the numbers of listeners follow
// from the addresses with a port in the configuration.
func (s *server) learnAddresses(t *testing.T, c conf) {
	t.Helper()
	rtmp, http := strings.Count(c["rtmp.listen"], ":0\""), strings.Count(c["http.listen"], ":0\"")
	eventually(t, "the server listens", func() bool {
		s.rtmp, s.http = s.addresses("rtmp"), s.addresses("http")
		if admin := s.addresses("admin"); len(admin) > 0 {
			s.admin = admin[0]
		}
		if !s.alive() {
			t.Fatalf("the server ended at its start:\n%s", s.log.text())
		}
		return len(s.rtmp) == rtmp && len(s.http) == http && s.admin != ""
	})
}

func (s *server) addresses(protocol string) []string {
	var addresses []string
	for _, line := range s.log.find(map[string]string{"msg": "listening", "protocol": protocol}) {
		addresses = append(addresses, line["addr"])
	}
	return addresses
}

// rtmpURL is where a stream is published and played.
func (s *server) rtmpURL(path string) string { return "rtmp://" + s.rtmp[0] + "/" + path }

// flvURL is where a stream is watched over HTTP.
func (s *server) flvURL(path string) string { return "http://" + s.http[0] + flvPath(path) }

// flvPath puts .flv before the query.
func flvPath(path string) string {
	name, query, found := strings.Cut(path, "?")
	if found {
		query = "?" + query
	}
	return "/" + name + ".flv" + query
}

// stop ends the server once; later calls only check.
func (s *server) stop(t *testing.T) {
	t.Helper()
	if s.alive() {
		s.signal(syscall.SIGTERM)
	}
	select {
	case <-s.done:
		s.checkEnd(t)
	case <-time.After(2 * patience):
		t.Errorf("the server did not stop on SIGTERM")
		s.signal(syscall.SIGQUIT)
	}
	s.checkLog(t)
}

func (s *server) checkEnd(t *testing.T) {
	t.Helper()
	if code := s.cmd.ProcessState.ExitCode(); code != 0 && !s.killed {
		t.Errorf("the server ended with exit status %d", code)
	}
}

// checkLog refuses what no healthy server writes.
func (s *server) checkLog(t *testing.T) {
	t.Helper()
	bad := []string{"panic", "fatal error:", "DATA RACE"}
	if s.quiet {
		bad = append(bad, "level=ERROR")
	}
	for _, line := range s.log.lines() {
		for _, word := range bad {
			if strings.Contains(line, word) {
				t.Errorf("the log has: %s", line)
			}
		}
	}
}

// resident is the server's resident memory in bytes.
func (s *server) resident(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		t.Fatalf("read memory of the server: %v", err)
	}
	var kib int
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	if _, err := fmt.Sscan(after, &kib); err != nil {
		t.Fatalf("read VmRSS: %v", err)
	}
	return kib << 10
}

func writeFile(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
