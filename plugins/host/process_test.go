package host_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/plugins/host"
	"github.com/millrace/millrace/plugins/plugintest"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	r := rig(t, plugintest.ModeJournal)
	c := plugintest.Command(plugintest.ModeJournal)
	c.Values = map[string]any{"kind": int64(3), "more": true}
	problems, err := r.Check(t.Context(), "rec", c)
	if err != nil || len(problems) != 2 {
		t.Errorf("%v, %v", problems, err)
	}
	c.Command = "no-such-program"
	if _, err := r.Check(t.Context(), "rec", c); err == nil {
		t.Error("a program that is not there was checked")
	}
}

func TestEnvironmentAndLimits(t *testing.T) {
	t.Setenv("MILLRACE_SECRET", "s3cret")
	r := rig(t, plugintest.ModeJournal, func(c *host.Config) { c.Limits = host.Limits{Nice: 5, Files: 200, Memory: 1 << 30} })
	r.AwaitState("rec", host.Running)
	pid := r.Status("rec").PID
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil || strings.Contains(string(env), "s3cret") || !strings.Contains(string(env), "GOMEMLIMIT=") {
		t.Errorf("%v, environment:\n%s", err, strings.ReplaceAll(string(env), "\x00", "\n"))
	}
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil || !slices.ContainsFunc(strings.Split(string(limits), "\n"), func(l string) bool {
		return strings.HasPrefix(l, "Max open files") && strings.Contains(l, " 200 ")
	}) {
		t.Errorf("%v, limits:\n%s", err, limits)
	}
	if group, err := syscall.Getpgid(pid); err != nil || group != pid {
		t.Errorf("the process is in group %d: %v", group, err)
	}
}

func TestRunEndsWithContext(t *testing.T) {
	t.Parallel()
	r := rig(t, plugintest.ModeHangStart, func(c *host.Config) { c.StartTimeout = time.Hour })
	r.Await("it is starting", func() bool { return r.Status("rec").State == host.Starting })
	r.Stop() // does not wait for that hour
	if err := r.Restart(context.Background(), "rec"); err == nil {
		t.Error("restarted after the end")
	}
}

func TestOtherUser(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root may start processes of other users")
	}
	path := copyProgram(t)
	for _, sum := range []string{"", sumOf(t, path)} {
		r := rig(t, plugintest.ModeJournal, func(c *host.Config) { c.Command, c.Limits.User, c.SHA256 = path, "nobody", sum })
		r.AwaitState("rec", host.Running)
		info, err := os.Stat(fmt.Sprintf("/proc/%d", r.Status("rec").PID))
		if err != nil || info.Sys().(*syscall.Stat_t).Uid == 0 {
			t.Errorf("%v, %v", info, err)
		}
	}
}

// TestChecksum runs a program whose sum is given: it has its own name, and
// another one that takes its place is noticed, and refused.
func TestChecksum(t *testing.T) {
	t.Parallel()
	path := copyProgram(t)
	r := rig(t, plugintest.ModeJournal, func(c *host.Config) { c.Command, c.SHA256 = path, sumOf(t, path) })
	r.AwaitState("rec", host.Running)
	s := r.Status("rec")
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", s.PID))
	if s.Command != path || err != nil || !strings.HasPrefix(string(line), path+"\x00") {
		t.Errorf("%+v, command line %q, %v", s, line, err)
	}
	if comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", s.PID)); err != nil || string(comm) != "plugin\n" {
		t.Errorf("the process is called %q, %v", comm, err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	r.Await("the other program is refused", func() bool { return strings.Contains(r.Status("rec").Reason, "SHA-256") })
	if now := r.Status("rec"); now.PID != s.PID || now.State != host.Running {
		t.Errorf("%+v", now)
	}
}

// TestStopWhileItStarts stops the host when a process has come up and its
// supervisor does not know yet: it is stopped as well.
func TestStopWhileItStarts(t *testing.T) {
	t.Parallel()
	for range 5 { // it may look at either first
		r := rig(t, plugintest.ModeJournal)
		var waits func() int
		var release func()
		r.Await("there is a supervisor", func() bool {
			waits, release = r.Host.Hold("rec")
			return release != nil
		})
		r.Await("the process is up", func() bool { return waits() > 0 })
		stopped := make(chan struct{})
		go func() { r.Stop(); close(stopped) }()
		r.Await("it is asked to stop", func() bool { return r.Host.Stopping() })
		release()
		select {
		case <-stopped:
		case <-time.After(time.Minute):
			t.Fatal("the host does not stop")
		}
	}
}
