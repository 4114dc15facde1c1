package host_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/plugins/host"
	"github.com/millrace/millrace/plugins/plugintest"
)

// patientRig leaves a plugin that stands still alone.
func patientRig(t *testing.T, mode string) *plugintest.Rig {
	t.Helper()
	return plugintest.NewRig(t, map[string]host.Config{"rec": plugintest.Command(mode)}, host.Options{HealthInterval: 20 * time.Second})
}

// standStill stops the plugin's process until it is killed.
func standStill(t *testing.T, r *plugintest.Rig) {
	t.Helper()
	if err := r.Stall("rec", time.Hour); err != nil {
		t.Fatal(err)
	}
	stat := fmt.Sprintf("/proc/%d/stat", r.Status("rec").PID)
	r.Await("it stands still", func() bool {
		b, err := os.ReadFile(stat)
		return err == nil && strings.Contains(string(b), ") T ")
	})
}

// awaitDone waits until a session's record is announced, and the host is done
// with it.
func awaitDone(r *plugintest.Rig) {
	r.Await("the record is announced", func() bool { return len(r.Announced()) == 1 })
	r.Await("the stream is not held any more", func() bool { return len(r.Status("rec").Streams) == 0 })
}

// TestKilledAtTheEnd kills a plugin that has not come to the end of a session
// that is over: the next process gets the rest, or is told that it is missing.
func TestKilledAtTheEnd(t *testing.T) {
	t.Parallel()
	for name, gone := range map[string]bool{"kept": false, "gone": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := patientRig(t, plugintest.ModeJournal)
			p := r.Publish("live", "cam", 10_000)
			p.Feed(plugintest.GOPs(1, 0, 100)...)
			awaitLast(r, p)
			standStill(t, r)
			p.Feed(plugintest.GOPs(1, 1000, 100)...)
			r.End(p)
			if gone {
				p.Forget()
			}
			if err := r.Kill("rec"); err != nil {
				t.Fatal(err)
			}
			awaitDone(r)
			text := journal(t, r)
			if !gone {
				whole(t, text, 150)
			} else if !strings.HasSuffix(text, "\ngap 76 151\n") {
				t.Errorf("the journal ends with %q", text[len(text)-40:])
			}
			if s := r.Status("rec"); s.Restarts != 1 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestBrokenAtTheEnd breaks the media connection of a plugin that is asked to
// come to the end: it reads the rest over another.
func TestBrokenAtTheEnd(t *testing.T) {
	t.Parallel()
	r := patientRig(t, plugintest.ModeJournal)
	p := r.Publish("live", "cam", 10_000)
	p.Feed(plugintest.GOPs(1, 0, 100)...)
	awaitLast(r, p)
	if err := r.Stall("rec", 500*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	p.Break()
	p.Feed(plugintest.GOPs(8, 1000, 100)...)
	r.End(p)
	awaitDone(r)
	whole(t, journal(t, r), 9*75)
}

// TestSlowAtTheEnd has a plugin that is slow take longer for the rest of a
// session than a stop may take: it gets all of it.
func TestSlowAtTheEnd(t *testing.T) {
	t.Parallel()
	c := plugintest.Command(plugintest.ModeJournal)
	c.StopTimeout = 100 * time.Millisecond
	r := plugintest.NewRig(t, map[string]host.Config{"rec": c}, host.Options{HealthInterval: 20 * time.Second})
	p := r.Publish("live", "cam", 10_000)
	p.Feed(plugintest.GOPs(1, 0, 100)...)
	awaitLast(r, p)
	if err := r.SlowDisk("rec", 3*time.Second); err != nil {
		t.Fatal(err)
	}
	p.Feed(plugintest.GOPs(12, 1000, 200_000)...)
	r.End(p)
	awaitDone(r)
	whole(t, journal(t, r), 13*75)
}

// TestStoppedAtTheEnd stops the host when a session has just ended.
func TestStoppedAtTheEnd(t *testing.T) {
	t.Parallel()
	for range 5 {
		r := patientRig(t, plugintest.ModeJournal)
		p := r.Publish("live", "cam", 10_000)
		p.Feed(plugintest.GOPs(1, 0, 100)...)
		awaitLast(r, p)
		p.Feed(plugintest.GOPs(8, 1000, 100)...)
		r.End(p)
		r.Stop()
		whole(t, journal(t, r), 9*75)
	}
}

// TestStoppedInAttach stops the host when a session has ended that the plugin is
// only just taking: it gets all of it before it is stopped.
func TestStoppedInAttach(t *testing.T) {
	t.Parallel()
	r := patientRig(t, plugintest.ModeSlowAttach)
	r.AwaitState("rec", host.Running)
	p := r.Publish("live", "cam", 10_000)
	r.Await("it is being attached", func() bool { return len(r.Status("rec").Streams) == 1 })
	p.Feed(plugintest.GOPs(1, 0, 100)...)
	r.End(p)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		r.Stop()
	}()
	r.AwaitState("rec", host.Stopping)
	letGo(t, r)
	<-stopped
	whole(t, journal(t, r), 75)
}

// letGo has plugins of ModeSlowAttach go on.
func letGo(t *testing.T, r *plugintest.Rig) {
	t.Helper()
	if err := os.WriteFile(r.StateDir+"/go", nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestStopRecordingOfKilled has a plugin die that is asked to end a recording:
// the next process ends it.
func TestStopRecordingOfKilled(t *testing.T) {
	t.Parallel()
	r := patientRig(t, plugintest.ModeJournal)
	p := r.Publish("live", "cam", 10_000)
	p.Feed(plugintest.GOPs(1, 0, 100)...)
	awaitLast(r, p)
	standStill(t, r)
	if err := r.StopRecording("live", "cam", "rec"); err != nil {
		t.Fatal(err)
	}
	if err := r.Kill("rec"); err != nil {
		t.Fatal(err)
	}
	awaitDone(r)
	if err := r.StopRecording("live", "cam", "rec"); err == nil {
		t.Error("stopped twice")
	}
}

// TestSilentSession ends a session that had no media: nothing is amiss.
func TestSilentSession(t *testing.T) {
	t.Parallel()
	r := patientRig(t, plugintest.ModeJournal)
	p := r.Publish("live", "cam", 100)
	r.Await("the plugin reads", func() bool { return r.Media.Open() == 1 })
	p.End()
	r.Await("it has read the end", func() bool { return r.Media.Open() == 0 })
	r.End(p)
	awaitDone(r)
	lines, err := r.Logs("rec", 0)
	if err != nil || strings.Contains(strings.Join(lines, "\n"), "media connection failed") {
		t.Errorf("%v, %q", err, lines)
	}
	if reads := r.Media.Reads(); len(reads) != 1 {
		t.Errorf("read %q", reads)
	}
}
