package shell_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/plugins/plugintest"
)

func TestRecords(t *testing.T) {
	t.Parallel()
	s := plugintest.NewServer(t)
	dir := t.TempDir()
	cmd := exec.Command("./record.sh", s.Socket, s.IssueToken(), dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
	await(t, "the script listens", func() bool { return s.Listeners() == 1 })
	p := s.Publish("live", "cam", 10_000)
	headers, frames := plugintest.Clip(t, 2)
	p.Headers(headers...)
	s.Emit(p.Event(event.Unpublish)) // not asked for
	s.Emit(p.Event(event.StreamStart))
	await(t, "the script reads", func() bool { return len(s.Reads()) == 1 })
	p.Feed(frames...)
	p.End()
	await(t, "the record is whole", func() bool {
		files, _ := filepath.Glob(dir + "/live~cam_*.flv")
		if len(files) != 1 {
			return false
		}
		out, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "quiet", "-count_frames", "-select_streams", "v",
			"-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", files[0]).Output()
		got, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		return err == nil && got == "100"
	})
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatal(what + ": not in time")
}
