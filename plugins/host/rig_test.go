package host_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/plugins/host"
	"github.com/millrace/millrace/plugins/plugintest"
)

// rig has one plugin, rec, in a mode.
func rig(t *testing.T, mode string, change ...func(*host.Config)) *plugintest.Rig {
	t.Helper()
	return rigWith(t, mode, host.Options{}, change...)
}

// watchedRig has little patience with the plugin.
func watchedRig(t *testing.T, mode string, change ...func(*host.Config)) *plugintest.Rig {
	t.Helper()
	return rigWith(t, mode, host.Options{HealthTimeout: 500 * time.Millisecond}, change...)
}

// patientRig leaves a plugin that stands still alone.
func patientRig(t *testing.T, mode string, change ...func(*host.Config)) *plugintest.Rig {
	t.Helper()
	return rigWith(t, mode, host.Options{HealthInterval: time.Hour}, change...)
}

func rigWith(t *testing.T, mode string, o host.Options, change ...func(*host.Config)) *plugintest.Rig {
	t.Helper()
	c := plugintest.Command(mode)
	for _, f := range change {
		if f != nil {
			f(&c)
		}
	}
	return plugintest.NewRig(t, map[string]host.Config{"rec": c}, o)
}

// upRig is a rig whose plugin is up: of a session that is young by then, it has
// the first frame.
func upRig(t *testing.T, mode string, change ...func(*host.Config)) *plugintest.Rig {
	t.Helper()
	r := rig(t, mode, change...)
	r.AwaitState("rec", host.Running)
	return r
}

// begun is a session of which a journal has the first GOP, 75 frames.
func begun(r *plugintest.Rig) *plugintest.Publication {
	r.AwaitState("rec", host.Running)
	p := r.Publish("live", "cam", 10_000)
	p.Feed(plugintest.GOPs(1, 0, 100)...)
	awaitLast(r, p)
	return p
}

// journal is the only one that there is.
func journal(t *testing.T, r *plugintest.Rig) string {
	t.Helper()
	all := r.Journals()
	if len(all) != 1 {
		t.Fatalf("%d journals: %v", len(all), all)
	}
	for _, text := range all {
		return text
	}
	return ""
}

// whole checks that a journal holds the frames 1 to n in order.
func whole(t *testing.T, text string, n uint64) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i, line := range lines {
		if !strings.HasPrefix(line, fmt.Sprintf("%d ", i+1)) {
			t.Fatalf("line %d of %d is %q", i+1, len(lines), line)
		}
	}
	if uint64(len(lines)) != n {
		t.Fatalf("%d lines, want %d", len(lines), n)
	}
}

func awaitLast(r *plugintest.Rig, p *plugintest.Publication) {
	r.Await("the journal is up to date", func() bool {
		for _, text := range r.Journals() {
			if strings.Contains(text, fmt.Sprintf("\n%d ", p.Next()-1)) {
				return true
			}
		}
		return false
	})
}

// awaitDone waits until a session's record is announced, and the host is done
// with it.
func awaitDone(r *plugintest.Rig) {
	r.Await("the record is announced", func() bool { return len(r.Announced()) == 1 })
	r.Await("the stream is not held any more", func() bool { return len(r.Status("rec").Streams) == 0 })
}

// stall stops the plugin's process for a time.
func stall(t *testing.T, r *plugintest.Rig, d time.Duration) {
	t.Helper()
	if err := r.Stall("rec", d); err != nil {
		t.Fatal(err)
	}
}

// stopProcess has the plugin's process stand still until it is killed.
func stopProcess(t *testing.T, r *plugintest.Rig) {
	t.Helper()
	stall(t, r, time.Hour)
	stat := fmt.Sprintf("/proc/%d/stat", r.Status("rec").PID)
	r.Await("it stands still", func() bool {
		b, err := os.ReadFile(stat)
		return err == nil && strings.Contains(string(b), ") T ")
	})
}

func kill(t *testing.T, r *plugintest.Rig) {
	t.Helper()
	if err := r.Kill("rec"); err != nil {
		t.Fatal(err)
	}
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatal(what + ": not in time")
}

// copyProgram puts this program where everybody may run it.
func copyProgram(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "mr-bin-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	b, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	path := dir + "/plugin"
	for _, err := range []error{os.Chmod(dir, 0o755), os.WriteFile(path, b, 0o755)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func sumOf(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(b))
}
