package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// recorderNames are the tables of the plugins that record.
var recorderNames = []string{"flv", "mp4", "hls"}

// programOf are their programs.
var programOf = map[string]string{"flv": "millrace-flv-recorder", "mp4": "millrace-fmp4", "hls": "millrace-hls"}

// pluginState is a plugin as the admin API gives it.
type pluginState struct {
	Name, State, Reason string
	PID, Restarts       int
	Streams             []struct {
		StreamID string `json:"stream_id"`
		Attached bool
		Missed   int
	}
}

// recording is a configuration with recorders that keep what they make in
// dir, in segments of 2 s.
func recording(dir string, names ...string) conf {
	c := conf{
		"server.data_dir":  `"` + filepath.Join(dir, "data") + `"`,
		"server.state_dir": `"` + filepath.Join(dir, "state") + `"`,
	}
	own := map[string]conf{"mp4": {"segment": `"2s"`}, "hls": {"target": `"2s"`}}
	for _, name := range names {
		table := "plugins." + name + "."
		c[table+"enabled"], c[table+"min_free"] = "true", `"0"`
		for key, value := range own[name] {
			c[table+key] = value
		}
	}
	return c
}

// and is a configuration with more keys.
func (c conf) and(more conf) conf {
	all := maps.Clone(c)
	maps.Copy(all, more)
	return all
}

// startRecording runs a server whose plugins are up. The end of a plugin is an error in the log, and not one of the test.
func startRecording(t *testing.T, c conf) *server {
	t.Helper()
	srv := startServer(t, c)
	srv.quiet = false
	eventually(t, "the plugins run", func() bool {
		for _, p := range srv.plugins(t) {
			if p.State != "running" {
				return false
			}
		}
		return len(srv.plugins(t)) > 0
	})
	return srv
}

// TestLongTempFolder runs plugins where the system's folder for temporary files
// has a path that is too long for sockets.
func TestLongTempFolder(t *testing.T) {
	t.Parallel()
	temp := filepath.Join(t.TempDir(), strings.Repeat("x", 60))
	if err := os.Mkdir(temp, 0o700); err != nil {
		t.Fatal(err)
	}
	srv := startServer(t, recording(t.TempDir(), recorderNames...), "TMPDIR="+temp)
	srv.waitAttached(t, 0, recorderNames...)
}

// plugins are those that are enabled, by name.
func (s *server) plugins(t *testing.T) map[string]pluginState {
	t.Helper()
	var all struct{ Plugins []pluginState }
	s.adminJSON(t, "/api/v1/plugins", &all)
	named := map[string]pluginState{}
	for _, p := range all.Plugins {
		named[p.Name] = p
	}
	return named
}

// waitPlugin waits until ok holds for a plugin.
func (s *server) waitPlugin(t *testing.T, name, what string, ok func(pluginState) bool) pluginState {
	t.Helper()
	var p pluginState
	if err := poll(patience, func() bool { p = s.plugins(t)[name]; return ok(p) }); err != nil {
		t.Fatalf("no plugin %s that %s: %+v", name, what, p)
	}
	return p
}

// has tells that the plugin runs and is attached to n streams.
func (p pluginState) has(n int) bool {
	attached := 0
	for _, s := range p.Streams {
		if s.Attached {
			attached++
		}
	}
	return p.State == "running" && attached == n
}

// waitAttached waits until recorders have n streams.
func (s *server) waitAttached(t *testing.T, n int, names ...string) {
	t.Helper()
	for _, name := range names {
		s.waitPlugin(t, name, fmt.Sprintf("has %d streams", n), func(p pluginState) bool { return p.has(n) })
	}
}

// swap replaces a plugin's process by the API.
func (s *server) swap(t *testing.T, name string) {
	t.Helper()
	if status, body := s.adminCall(t, http.MethodPost, "/api/v1/plugins/"+name+"/restart"); status/100 != 2 {
		t.Fatalf("swap %s: %d %s", name, status, body)
	}
}

// processGone tells that there is no process of that number, or only what its
// parent has not reaped.
func processGone(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(stat), ") Z ")
}

// manifest is what the tests want of a record's manifest.
type manifest struct {
	Complete bool
	Parts    []struct {
		File, Tracks string
	}
	Gaps []struct{ From, To int }
	file string
}

// manifests are those of a kind of record of a stream, in the order of their
// names.
func manifests(t *testing.T, data, kind, path string) []manifest {
	t.Helper()
	pattern := filepath.Join(data, kind, path, "2*", "manifest.json")
	if kind == "flv" {
		pattern = filepath.Join(data, kind, path, "2*.flv.json")
	}
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	all := make([]manifest, len(files))
	for i, file := range files {
		b, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(b, &all[i])
		}
		if err != nil {
			t.Fatalf("manifest %s: %v", file, err)
		}
		all[i].file = file
	}
	return all
}

// waitRecords waits until n records of each kind are complete, and returns
// what holds each.
func waitRecords(t *testing.T, data, path string, n int, kinds ...string) []records {
	t.Helper()
	all := make([]records, n)
	for _, kind := range kinds {
		var found []manifest
		if err := poll(patience, func() bool {
			found = manifests(t, data, kind, path)
			return len(found) == n && allComplete(found)
		}); err != nil {
			t.Fatalf("%s: %d records that are complete wanted: %+v", kind, n, found)
		}
		for i, m := range found {
			all[i].add(kind, m)
		}
	}
	return all
}

func allComplete(all []manifest) bool {
	for _, m := range all {
		if !m.Complete {
			return false
		}
	}
	return true
}
