package host_test

import (
	"cmp"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/plugins/host"
	"github.com/millrace/millrace/plugins/plugintest"
)

// TestAtTheEnd has something happen to a plugin that has not come to the end of a
// session that is over: all of it is recorded, or, where the server has it no
// more, what is missing is told.
func TestAtTheEnd(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name          string
		stop          time.Duration // stop_timeout; 0: as ever
		before, after trouble       // the rest is fed, and the session's end
		gops, size    int           // of the rest
		end           string        // of the journal; "": it is whole
		restarts      int
	}{
		{name: "killed", before: standStill, gops: 1, size: 100, after: killed, restarts: 1},
		{name: "killed, and the media gone", before: standStill, gops: 1, size: 100, after: forgotten, end: "\ngap 76 151\n", restarts: 1},
		{name: "connection broken", before: broken, gops: 8, size: 100},
		{name: "slower than a stop may be", stop: 100 * time.Millisecond, before: slow, gops: 12, size: 200_000},
		{name: "host stopped", gops: 8, size: 100, after: stopped},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := patientRig(t, plugintest.ModeJournal, func(c *host.Config) { c.StopTimeout = cmp.Or(tt.stop, c.StopTimeout) })
			p := begun(r)
			tt.before.happen(t, r, p)
			p.Feed(plugintest.GOPs(tt.gops, 1000, tt.size)...)
			r.End(p)
			tt.after.happen(t, r, p)
			awaitDone(r)
			if text := journal(t, r); tt.end == "" {
				whole(t, text, uint64(1+tt.gops)*75)
			} else if !strings.HasSuffix(text, tt.end) {
				t.Errorf("the journal ends with %q", text[len(text)-40:])
			}
			if s := r.Status("rec"); s.Restarts != tt.restarts {
				t.Errorf("%+v", s)
			}
		})
	}
}

// trouble is what happens to a plugin; nil: nothing.
type trouble func(*testing.T, *plugintest.Rig, *plugintest.Publication)

func (f trouble) happen(t *testing.T, r *plugintest.Rig, p *plugintest.Publication) {
	t.Helper()
	if f != nil {
		f(t, r, p)
	}
}

func standStill(t *testing.T, r *plugintest.Rig, _ *plugintest.Publication) {
	t.Helper()
	stopProcess(t, r)
}

func killed(t *testing.T, r *plugintest.Rig, _ *plugintest.Publication) {
	t.Helper()
	kill(t, r)
}

func forgotten(t *testing.T, r *plugintest.Rig, p *plugintest.Publication) {
	t.Helper()
	p.Forget()
	kill(t, r)
}

func broken(t *testing.T, r *plugintest.Rig, p *plugintest.Publication) {
	t.Helper()
	stall(t, r, 500*time.Millisecond)
	p.Break()
}

func slow(t *testing.T, r *plugintest.Rig, _ *plugintest.Publication) {
	t.Helper()
	if err := r.SlowDisk("rec", 3*time.Second); err != nil {
		t.Fatal(err)
	}
}

func stopped(_ *testing.T, r *plugintest.Rig, _ *plugintest.Publication) { r.Stop() }

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
