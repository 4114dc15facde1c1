package host_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/millrace/millrace/plugins/host"
	"github.com/millrace/millrace/plugins/plugintest"
)

// TestOrphanHelper is the server that TestNoOrphans kills.
func TestOrphanHelper(t *testing.T) {
	report := os.Getenv("MILLRACE_TEST_ORPHANS")
	if report == "" {
		t.Skip("run by TestNoOrphans")
	}
	c := plugintest.Command(plugintest.ModeJournal)
	c.SHA256 = sumOf(t, c.Command)
	hung := plugintest.Command(plugintest.ModeGrandchild)
	hung.Values = map[string]any{"kind": "hung"}
	r := plugintest.NewRig(t, map[string]host.Config{"rec": c, "hung": hung}, host.Options{})
	p := r.Publish("live", "cam", 10_000)
	p.Feed(plugintest.GOPs(1, 0, 100)...)
	r.AwaitState("rec", host.Running)
	r.AwaitState("hung", host.Running)
	r.Await("both journals are up to date", func() bool {
		whole := 0
		for _, text := range r.Journals() {
			whole += strings.Count(text, "\n75 ")
		}
		return whole == 2
	})
	grandchild, err := os.ReadFile(r.StateDir + "/grandchild")
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("%d %d %s %s", r.Status("rec").PID, r.Status("hung").PID, grandchild, r.DataDir)
	if err := os.WriteFile(report+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(report+".new", report); err != nil {
		t.Fatal(err)
	}
	select {}
}

func TestNoOrphans(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "mr-") // for all that the server cannot remove
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	report := dir + "/report"
	server := exec.Command(os.Args[0], "-test.run=^TestOrphanHelper$")
	server.Env = append(os.Environ(), "MILLRACE_TEST_ORPHANS="+report, "TMPDIR="+dir)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	var first, second, grandchild int
	var data string
	await(t, "the server is up", func() bool {
		b, err := os.ReadFile(report)
		if err != nil {
			return false
		}
		n, _ := fmt.Sscan(string(b), &first, &second, &grandchild, &data)
		return n == 4
	})
	if err := server.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = server.Wait()
	await(t, "the plugins are gone", func() bool {
		return gone(first) && gone(second) && gone(grandchild)
	})
	files, _ := filepath.Glob(data + "/*/*/*/*.txt")
	if len(files) != 2 {
		t.Fatalf("journals: %v", files)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil || !strings.HasSuffix(string(b), "\nlost 76 76\n") {
			t.Errorf("%v, journal ends with %q", err, b[max(0, len(b)-40):])
		}
	}
}

// gone reports whether a process has ended; nobody may have waited for it.
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(stat), ") Z ")
}
