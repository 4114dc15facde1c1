package host_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/plugins/host"
	"github.com/millrace/millrace/plugins/plugintest"
)

func TestSwapLosesNothing(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{plugintest.ModeJournal, plugintest.ModePlain} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			r := upRig(t, mode)
			p := r.Publish("live", "cam", 100_000)
			swapped, fed := make(chan struct{}), make(chan int)
			go func() { fed <- feedUntil(swapped, p) }()
			before := r.Status("rec").PID
			for range 3 {
				if err := r.Restart(t.Context(), "rec"); err != nil {
					t.Error(err)
				}
			}
			close(swapped)
			gops := <-fed
			if after := r.Status("rec"); after.PID == before || after.Restarts != 3 {
				t.Errorf("process %d, then %+v", before, after)
			}
			awaitLast(r, p)
			r.End(p)
			r.Await("the last record is announced", func() bool {
				all := r.Announced()
				return len(all) > 0 && all[len(all)-1].ToSeq == p.Next()
			})
			all := r.Journals()
			if mode == plugintest.ModeJournal {
				whole(t, journal(t, r), uint64(gops)*75)
				return
			}
			// A record for each process, one after the other.
			var text string
			for _, e := range r.Announced() {
				text += all[e.File]
			}
			whole(t, text, uint64(gops)*75)
		})
	}
}

// feedUntil feeds GOPs, at a pace, and says how many.
func feedUntil(done chan struct{}, p *plugintest.Publication) (gops int) {
	for {
		p.Feed(plugintest.GOPs(1, int64(gops)*1000, 1000)...)
		gops++
		select {
		case <-done:
			return gops
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func TestConfigChangeSwaps(t *testing.T) {
	t.Parallel()
	r := rig(t, plugintest.ModeJournal)
	r.AwaitState("rec", host.Running)
	before := r.Status("rec").PID
	c := plugintest.Command(plugintest.ModeJournal)
	c.Values = map[string]any{"kind": "other"}
	r.Apply(map[string]host.Config{"rec": c})
	r.Await("the process was replaced", func() bool {
		s := r.Status("rec")
		return s.PID != before && s.State == host.Running
	})
	c.Values = map[string]any{"knid": "other"}
	before = r.Status("rec").PID
	r.Apply(map[string]host.Config{"rec": c})
	r.Await("the refusal is told", func() bool { return strings.Contains(r.Status("rec").Reason, "knid: is unknown") })
	if s := r.Status("rec"); s.PID != before || s.State != host.Running {
		t.Errorf("after a bad configuration: %+v", s)
	}
	r.Apply(nil)
	r.Await("the plugin is gone", func() bool { return len(r.List()) == 0 })
}

func TestProgramChangeSwaps(t *testing.T) {
	t.Parallel()
	path := copyProgram(t)
	r := rig(t, plugintest.ModeJournal, func(c *host.Config) { c.Command = path })
	r.AwaitState("rec", host.Running)
	before := r.Status("rec").PID
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", b, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	r.Await("the process was replaced", func() bool {
		s := r.Status("rec")
		return s.PID != before && s.State == host.Running
	})
}
