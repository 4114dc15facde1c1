package node_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/plugins/host"
	"github.com/millrace/millrace/plugins/plugintest"
)

// The modules are those of the lock file; `npm ci` installs them.
func command(t *testing.T) host.Config {
	t.Helper()
	if _, err := os.Stat("node_modules/@grpc/grpc-js"); err != nil {
		t.Fatal("run `npm ci` in examples/plugin-node first, as make test does")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs("plugin.js")
	if err != nil {
		t.Fatal(err)
	}
	c := host.DefaultConfig()
	c.Command, c.Args, c.MTLS = node, []string{script}, false
	c.StartTimeout = time.Minute // Node.js begins slowly on a busy machine
	return c
}

func TestRecords(t *testing.T) {
	t.Parallel()
	r := plugintest.NewRig(t, map[string]host.Config{"node": command(t)}, host.Options{})
	r.AwaitState("node", host.Running)
	headers, frames := plugintest.Clip(t, 3)
	p := r.Media.Publish("live/deep", "cam", 10_000)
	p.Headers(headers...)
	r.Event(p.Event(event.StreamStart))
	p.Feed(frames...)
	r.Await("it is attached", func() bool {
		st := r.Status("node").Streams
		return len(st) == 1 && st[0].Attached
	})
	r.End(p)
	r.Await("the record is announced", func() bool { return len(r.Announced()) == 1 })
	e := r.Announced()[0]
	if e.Event != event.RecordDone || e.Plugin != "node" || !strings.HasPrefix(e.File, "node/live~deep/cam/") {
		t.Errorf("%+v", e)
	}
	pictures(t, filepath.Join(r.DataDir, e.File), "150")
}

// pictures counts what can be decoded.
func pictures(t *testing.T, file, want string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "error", "-count_frames", "-select_streams", "v",
		"-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", file).Output()
	// A section may be printed for the program, too.
	if got, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n"); err != nil || got != want {
		t.Errorf("%s: %q pictures, want %s: %v", file, got, want, err)
	}
}

func TestComesBack(t *testing.T) {
	t.Parallel()
	r := plugintest.NewRig(t, map[string]host.Config{"node": command(t)}, host.Options{})
	r.AwaitState("node", host.Running)
	p := r.Publish("live", "cam", 10_000)
	_, frames := plugintest.Clip(t, 1)
	p.Feed(frames...)
	attached := func() bool {
		st := r.Status("node").Streams
		return len(st) == 1 && st[0].Attached
	}
	r.Await("it is attached", attached)
	if err := r.Kill("node"); err != nil {
		t.Fatal(err)
	}
	r.Await("it is attached again", func() bool { return r.Status("node").Restarts > 0 && attached() })
	if err := r.Restart(t.Context(), "node"); err != nil {
		t.Fatal(err)
	}
	r.Await("it is attached to the third", attached)
	if problems, err := r.Check(t.Context(), "node", func() host.Config {
		c := command(t)
		c.Values = map[string]any{"nonsense": true}
		return c
	}()); err != nil || len(problems) != 1 || problems[0].Key != "nonsense" {
		t.Errorf("%v, %v", problems, err)
	}
}
