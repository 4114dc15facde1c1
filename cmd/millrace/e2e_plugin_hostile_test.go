package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/millrace/millrace/plugins/plugintest"
)

// hostileModes are plugins that misbehave, and what the API says of those that do
// not run.
var hostileModes = []struct {
	mode, reason string
	more         conf
}{
	{mode: plugintest.ModeCrashStart, reason: "exit"},
	{mode: plugintest.ModeHangStart, reason: "timeout", more: conf{"start_timeout": `"1s"`}},
	{mode: plugintest.ModeStartError, reason: "no licence"},
	{mode: plugintest.ModeWrongVersion, reason: "version"},
	{mode: plugintest.ModeCrashAlways}, // at a frame
	{mode: plugintest.ModeStuck},
	{mode: plugintest.ModeDeaf},
	{mode: plugintest.ModeFloodLog, more: conf{"limits.nice": "10"}},
	{mode: plugintest.ModeFloodEvents, more: conf{"limits.nice": "10"}},
}

// hostilePlugins has a table for each, all of them this test's own program.
func hostilePlugins(t *testing.T) conf {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(world.dir, "hostile") // so that one left behind is found
	if err := os.Symlink(self, program); err != nil {
		t.Fatal(err)
	}
	c := conf{}
	for _, h := range hostileModes {
		table := "plugins." + h.mode + "."
		c[table+"command"] = `"` + program + `"`
		c[table+"env"] = fmt.Sprintf("{ MILLRACE_PLUGINTEST = %q }", h.mode)
		c[table+"stop_timeout"] = `"2s"`
		for key, value := range h.more {
			c[table+key] = value
		}
	}
	return c
}

// TestHostilePlugins has plugins that crash, hang and flood beside a recorder
// and viewers: these lose nothing, and the API says how each is.
func TestHostilePlugins(t *testing.T) {
	t.Parallel()
	heavy(t)
	dir := t.TempDir()
	srv := startServer(t, recording(dir, "flv").and(hostilePlugins(t)))
	srv.quiet = false
	srv.waitAttached(t, 0, "flv")
	tags := firstSeconds(sourceTags(t, "small"), 8)
	var captures []*capture
	for i := range 12 {
		captures = append(captures, srv.capturing(t, protocols[i%len(protocols)], "live/x"))
	}
	eventually(t, "the viewers wait", func() bool { return len(srv.allClients(t)) >= len(captures) })
	startFeedOnce(srv.publish(t, "live/x"), tags, 0)()

	for _, c := range captures {
		sameTags(t, c.end(t), tags)
	}
	waitRecords(t, filepath.Join(dir, "data"), "live/x", 1, "flv")[0].check(t, sumsOf(t, tags))
	for _, h := range hostileModes {
		srv.checkHostile(t, h.mode, h.reason)
	}
	srv.checkAttempts(t, plugintest.ModeCrashAlways)
	if n := len(srv.log.lines()); n > 5000 {
		t.Errorf("%d lines in the log", n)
	}
}

// checkHostile wants a reason for each plugin that does not run, and attempts
// that become rare.
func (s *server) checkHostile(t *testing.T, name, reason string) {
	t.Helper()
	if reason == "" {
		s.waitPlugin(t, name, "runs", func(p pluginState) bool { return p.State == "running" })
		return
	}
	s.waitPlugin(t, name, "gives its reason", func(p pluginState) bool {
		return p.State != "running" && strings.Contains(p.Reason, reason)
	})
	s.checkAttempts(t, name)
}

// checkAttempts wants more than one, and not many.
func (s *server) checkAttempts(t *testing.T, name string) {
	t.Helper()
	attempts := func() int {
		return len(s.log.find(map[string]string{"msg": "plugin did not start", "plugin": name})) +
			len(s.log.find(map[string]string{"msg": "plugin's process ended", "plugin": name}))
	}
	eventually(t, name+" is tried again", func() bool { return attempts() > 1 })
	if n := attempts(); n > 12 {
		t.Errorf("%s: %d attempts", name, n)
	}
}
