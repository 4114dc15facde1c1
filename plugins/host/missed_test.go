package host_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/plugins/host"
	"github.com/millrace/millrace/plugins/plugintest"
)

// lateRig has a plugin whose program is not there until come is called.
func lateRig(t *testing.T) (r *plugintest.Rig, come func()) {
	t.Helper()
	program := copyProgram(t)
	late := program + ".late"
	r = rig(t, plugintest.ModeJournal, func(c *host.Config) { c.Command = late })
	r.AwaitState("rec", host.Waiting)
	return r, func() {
		if err := os.Rename(program, late); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMissedSessions has sessions begin and end while the plugin is down: it
// gets what the server still has, one after the other, before the stream's
// present session.
func TestMissedSessions(t *testing.T) {
	t.Parallel()
	r, come := lateRig(t)
	var sessions []string
	for i := range 3 {
		p := r.Media.Publish("live", "cam", 100)
		p.Headers(plugintest.AVCConfig(), plugintest.AACConfig())
		if i == 2 {
			p.Started = p.Started.Add(time.Hour) // it is young however long the plugin takes to come up
		}
		r.Event(p.Event(event.StreamStart))
		sessions = append(sessions, p.Session)
		p.Feed(plugintest.GOPs(1+i%2, 0, 100)...)
		if i < 2 {
			r.End(p)
		}
	}
	empty, gone := r.Publish("live", "empty", 100), r.Publish("live", "gone", 100)
	gone.Feed(plugintest.GOPs(1, 0, 100)...)
	r.End(empty)
	r.End(gone)
	gone.Forget()
	come()
	awaitJournals(r, 3, "\n75 ")
	r.Await("two records are announced", func() bool { return len(r.Announced()) == 2 })
	var read []string
	for _, target := range r.Media.Reads() {
		_, from, _ := strings.Cut(target, "from=")
		read = append(read, strings.TrimSuffix(from, ":1"))
	}
	if strings.Join(read, " ") != strings.Join(sessions, " ") {
		t.Errorf("read %q, want %q", read, sessions)
	}
	for _, e := range r.Announced() {
		text := r.Journals()[e.File]
		if e.Session == sessions[0] {
			whole(t, text, 75)
		} else if !strings.HasPrefix(text, "gap 1 51\n51 ") || !strings.HasSuffix(text, "\n150 audio 1980\n") {
			t.Errorf("%s: %.20q … %q", e.File, text, text[max(0, len(text)-20):])
		}
	}
}

// awaitJournals waits for n of them that have a text.
func awaitJournals(r *plugintest.Rig, n int, text string) {
	r.Await("the journals are whole", func() bool {
		whole := 0
		for _, j := range r.Journals() {
			if strings.Contains(j, text) {
				whole++
			}
		}
		return whole == n
	})
}

// TestShortSession has a session end before the plugin, which is up, was given
// it, and the host stop at once.
func TestShortSession(t *testing.T) {
	t.Parallel()
	r := patientRig(t, plugintest.ModeJournal)
	r.AwaitState("rec", host.Running)
	p := r.Media.Publish("live", "cam", 10_000)
	p.Feed(plugintest.GOPs(1, 0, 100)...)
	p.End()
	r.Event(p.Event(event.StreamStart))
	r.Event(p.Event(event.Unpublish))
	r.Stop()
	whole(t, journal(t, r), 75)
}

// TestMissedUnwanted has no recording made of a session whose recording was
// stopped before the plugin died.
func TestMissedUnwanted(t *testing.T) {
	t.Parallel()
	r := rig(t, plugintest.ModeJournal)
	p := begun(r)
	if err := r.StopRecording("live", "cam", "rec"); err != nil {
		t.Fatal(err)
	}
	awaitDone(r)
	kill(t, r)
	r.End(p)
	next := r.Publish("live", "cam", 10_000)
	next.Feed(plugintest.GOPs(1, 0, 100)...)
	awaitJournals(r, 2, "\n75 ")
	for _, target := range r.Media.Reads()[1:] {
		if !strings.Contains(target, "from="+next.Session+":") {
			t.Errorf("read %s", target)
		}
	}
}
