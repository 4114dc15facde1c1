package host_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/plugins/host"
	"github.com/millrace/millrace/plugins/plugintest"
)

func TestBadStarts(t *testing.T) {
	t.Parallel()
	sum := strings.Repeat("ab", 32)
	for _, tt := range []struct {
		name, mode, reason string
		change             func(*host.Config)
		state              host.State
	}{
		{name: "crash", mode: plugintest.ModeCrashStart, reason: "exit status 3"},
		{name: "handshake", mode: plugintest.ModeBadHandshake, reason: "hello|there"},
		{name: "version", mode: plugintest.ModeWrongVersion, reason: "99"},
		{name: "hang", mode: plugintest.ModeHangStart, reason: "timeout", change: func(c *host.Config) { c.StartTimeout = 500 * time.Millisecond }},
		{name: "error", mode: plugintest.ModeStartError, reason: "no licence"},
		{name: "no program", mode: plugintest.ModeJournal, reason: "executable file not found", change: func(c *host.Config) { c.Command = "no-such-program" }},
		{name: "checksum", mode: plugintest.ModeJournal, reason: "SHA-256", change: func(c *host.Config) { c.SHA256 = sum }},
		{name: "no user", mode: plugintest.ModeJournal, reason: "limits.user", change: func(c *host.Config) { c.Limits.User = "nobody-has-this" }},
		{name: "configuration", mode: plugintest.ModeJournal, reason: "x: is unknown", state: host.Failed, change: func(c *host.Config) { c.Values = map[string]any{"x": int64(1)} }},
		{name: "never again", mode: plugintest.ModeCrashStart, reason: "exit status 3", state: host.Failed, change: func(c *host.Config) { c.Restart = "never" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.state == "" {
				tt.state = host.Waiting
			}
			r := rig(t, tt.mode, tt.change)
			r.Await("the start failed", func() bool {
				s := r.Status("rec")
				return s.State == tt.state && strings.Contains(s.Reason, tt.reason)
			})
		})
	}
}

func TestSlowHealthAndStuck(t *testing.T) {
	t.Parallel()
	for mode, reason := range map[string]string{
		plugintest.ModeIll:  "the disk is on fire",
		plugintest.ModeHang: "killed: unwell",
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			r := watchedRig(t, mode)
			awaitReplaced(t, r)
			if s := r.Status("rec"); s.State == host.Waiting && !strings.Contains(s.Reason, reason) {
				t.Errorf("%+v", s)
			}
		})
	}
	t.Run("stuck", func(t *testing.T) {
		t.Parallel()
		r := watchedRig(t, plugintest.ModeStuck, func(c *host.Config) { c.StuckTimeout = 300 * time.Millisecond })
		begun(r) // for the second process
		whole(t, journal(t, r), 75)
	})
	t.Run("stalled", func(t *testing.T) {
		t.Parallel()
		r := watchedRig(t, plugintest.ModeJournal)
		r.AwaitState("rec", host.Running)
		stall(t, r, time.Hour)
		r.Await("it is replaced", func() bool { s := r.Status("rec"); return s.Restarts > 0 && s.State == host.Running })
	})
	t.Run("a write that fails", func(t *testing.T) {
		t.Parallel()
		r := rig(t, plugintest.ModeWriteError)
		begun(r)
		if s := r.Status("rec"); s.Restarts != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestHostileRunning has plugins misbehave when they are up.
func TestHostileRunning(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, mode string
		change     func(*host.Config)
		check      func(*testing.T, *plugintest.Rig)
	}{
		{"memory", plugintest.ModeLeak, func(c *host.Config) { c.Limits.Memory = 200 << 20 }, awaitReplaced},
		{"log", plugintest.ModeFloodLog, nil, checkLog},
		{"events", plugintest.ModeFloodEvents, nil, func(_ *testing.T, r *plugintest.Rig) {
			r.Await("events came", func() bool { return len(r.Announced()) > 1000 })
		}},
		{"deaf", plugintest.ModeDeaf, nil, checkDropped},
		{"closed pipes", plugintest.ModeClosedPipes, nil, func(_ *testing.T, r *plugintest.Rig) { begun(r) }},
		{"grandchild", plugintest.ModeGrandchild, nil, checkGrandchild},
		{"no stop", plugintest.ModeNoStop, func(c *host.Config) { c.StopTimeout = 300 * time.Millisecond }, checkEnds},
		{"outside", plugintest.ModeOutside, nil, func(_ *testing.T, r *plugintest.Rig) {
			r.AwaitState("rec", host.Running) // its Start fails if it gets what it asks for
		}},
		{"crashes always", plugintest.ModeCrashAlways, nil, func(_ *testing.T, r *plugintest.Rig) {
			r.Publish("live", "cam", 10_000).Feed(plugintest.GOPs(1, 0, 100)...)
			r.Await("it was tried again", func() bool { return r.Status("rec").Restarts >= 3 })
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.check(t, rig(t, tt.mode, tt.change))
		})
	}
}

func awaitReplaced(_ *testing.T, r *plugintest.Rig) {
	r.Await("it is replaced", func() bool { return r.Status("rec").Restarts > 0 })
}

func checkLog(t *testing.T, r *plugintest.Rig) {
	r.Await("the log is full", func() bool {
		lines, err := r.Logs("rec", 0)
		return err == nil && len(lines) == 1000
	})
	if lines, _ := r.Logs("rec", 3); len(lines) != 3 {
		t.Errorf("%d lines", len(lines))
	}
}

func checkDropped(_ *testing.T, r *plugintest.Rig) {
	r.AwaitState("rec", host.Running)
	for i := range 20_000 {
		r.Event(event.Event{Event: event.ViewerStart, ClientID: fmt.Sprint(i), UserAgent: strings.Repeat("x", 200)})
	}
	r.Await("events are dropped", func() bool { return r.Status("rec").EventsDropped > 0 })
}

func checkGrandchild(t *testing.T, r *plugintest.Rig) {
	r.AwaitState("rec", host.Running)
	b, err := os.ReadFile(r.StateDir + "/grandchild")
	if err != nil {
		t.Fatal(err)
	}
	kill(t, r)
	r.Await("the grandchild is gone", func() bool {
		pid, err := strconv.Atoi(string(b))
		return err == nil && gone(pid)
	})
}

func checkEnds(t *testing.T, r *plugintest.Rig) {
	r.AwaitState("rec", host.Running)
	pid := r.Status("rec").PID
	r.Stop()
	if err := syscall.Kill(pid, 0); err == nil {
		t.Error("the process is alive")
	}
}
