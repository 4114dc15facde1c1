package host_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/plugins/host"
	"github.com/millrace/millrace/plugins/host/place"
	"github.com/millrace/millrace/plugins/plugintest"
)

func rig(t *testing.T, mode string, change ...func(*host.Config)) *plugintest.Rig {
	t.Helper()
	c := plugintest.Command(mode)
	for _, f := range change {
		f(&c)
	}
	return plugintest.NewRig(t, map[string]host.Config{"rec": c}, host.Options{})
}

// watchedRig has little patience with a plugin.
func watchedRig(t *testing.T, mode string, change ...func(*host.Config)) *plugintest.Rig {
	t.Helper()
	c := plugintest.Command(mode)
	for _, f := range change {
		f(&c)
	}
	return plugintest.NewRig(t, map[string]host.Config{"rec": c}, host.Options{HealthTimeout: 500 * time.Millisecond})
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

func TestRecords(t *testing.T) {
	t.Parallel()
	r := rig(t, plugintest.ModeJournal)
	p := r.Publish("live/deep", "cam", 10_000)
	p.Feed(plugintest.GOPs(4, 0, 2000)...)
	awaitLast(r, p)
	p.Feed(plugintest.GOPs(4, 4000, 200_000)...)
	r.End(p)
	r.Await("the record is announced", func() bool { return len(r.Announced()) == 1 })
	whole(t, journal(t, r), 600)
	e := r.Announced()[0]
	if e.Event != event.RecordDone || e.ToSeq != 601 || e.Plugin != "rec" || e.StreamID != "live/deep/cam" || e.Session != p.Session {
		t.Errorf("announced %+v", e)
	}
	if !strings.HasPrefix(e.File, "journal/live~deep/cam/") {
		t.Errorf("the file is %s", e.File)
	}
	reads := r.Media.Reads()
	if want := "/live/deep/cam.flv?tracks=all&merge=0s&lag=64MiB&from=" + p.Session + ":1"; len(reads) != 1 || reads[0] != want {
		t.Errorf("read %v, want %s", reads, want)
	}
	r.Stop()
	if n := r.Media.Tokens(); n != 0 {
		t.Errorf("%d tokens are left", n)
	}
}

// TestInfoAfterConfigure has the table say how frames come.
func TestInfoAfterConfigure(t *testing.T) {
	t.Parallel()
	r := rig(t, plugintest.ModeJournal, func(c *host.Config) { c.Values = map[string]any{"merge": "10ms"} })
	p := r.Publish("live", "cam", 100)
	p.Feed(plugintest.GOPs(1, 0, 100)...)
	awaitLast(r, p)
	if reads := r.Media.Reads(); !strings.Contains(reads[0], "merge=10ms") {
		t.Errorf("read %v", reads)
	}
}

// TestSlowDisk has a plugin that runs now and then only lose nothing.
func TestSlowDisk(t *testing.T) {
	t.Parallel()
	r := rig(t, plugintest.ModeJournal)
	r.AwaitState("rec", host.Running)
	if err := r.SlowDisk("rec", 3*time.Second); err != nil {
		t.Fatal(err)
	}
	p := r.Publish("live", "cam", 10_000)
	p.Feed(plugintest.GOPs(8, 0, 2000)...)
	awaitLast(r, p)
	whole(t, journal(t, r), 600)
	if s := r.Status("rec"); s.Restarts != 0 {
		t.Errorf("%+v", s)
	}
}

func TestOnRecord(t *testing.T) {
	t.Parallel()
	asked := make(chan event.Event, 10)
	r := plugintest.NewRig(t, map[string]host.Config{"rec": plugintest.Command(plugintest.ModeJournal)}, host.Options{
		Decide: func(_ context.Context, e event.Event) (place.Verdict, error) {
			asked <- e
			return place.Verdict{Path: "flv/by-hook/deep/{name}"}, nil
		},
	})
	p := r.Media.Publish("live", "cam", 100)
	start := p.Event(event.StreamStart)
	start.Labels, start.Params = map[string]string{"room": "7"}, map[string]string{"token": "x"}
	r.Event(start)
	p.Feed(plugintest.GOPs(1, 0, 100)...)
	awaitLast(r, p)
	r.End(p)
	r.Await("the record is announced", func() bool { return len(r.Announced()) == 1 })
	if e := r.Announced()[0]; e.File != "flv/by-hook/deep/cam.txt" {
		t.Errorf("announced %+v", e)
	}
	if e := <-asked; e.Event != event.Record || e.Plugin != "rec" || e.Params["token"] != "x" || e.Labels["room"] != "7" || e.VideoCodec != "h264" {
		t.Errorf("asked with %+v", e)
	}
}

func TestReconnectsToMedia(t *testing.T) {
	t.Parallel()
	r := rig(t, plugintest.ModeJournal)
	p := r.Publish("live", "cam", 10_000)
	for i := range 5 {
		p.Feed(plugintest.GOPs(1, int64(i)*1000, 5000)...)
		if i%2 == 0 {
			awaitLast(r, p)
		}
		p.Break()
	}
	awaitLast(r, p)
	r.End(p)
	r.Await("the record is announced", func() bool { return len(r.Announced()) == 1 })
	whole(t, journal(t, r), 5*75)
}

func TestGapIsTold(t *testing.T) {
	t.Parallel()
	r := rig(t, plugintest.ModeJournal)
	p := r.Media.Publish("live", "cam", 50)
	p.Feed(plugintest.GOPs(2, 0, 100)...) // 150, of which the last 50 are held
	r.Event(p.Event(event.StreamStart))
	awaitLast(r, p)
	if text := journal(t, r); !strings.HasPrefix(text, "gap 1 101\n101 ") {
		t.Errorf("journal:\n%.100s", text)
	}
}

func TestResumesAfterKill(t *testing.T) {
	t.Parallel()
	r := rig(t, plugintest.ModeCrashOnce)
	p := r.Publish("live", "cam", 10_000)
	p.Feed(plugintest.GOPs(4, 0, 1000)...)
	r.Await("the process was replaced", func() bool { return r.Status("rec").Restarts == 1 })
	awaitLast(r, p)
	if err := r.Kill("rec"); err != nil {
		t.Fatal(err)
	}
	p.Feed(plugintest.GOPs(1, 4000, 1000)...)
	awaitLast(r, p)
	r.End(p)
	r.Await("the record is announced", func() bool { return len(r.Announced()) == 1 })
	whole(t, journal(t, r), 375)
}

// TestResumesAtTheFirst kills a plugin that has nothing on disk yet.
func TestResumesAtTheFirst(t *testing.T) {
	t.Parallel()
	r := rig(t, plugintest.ModeCrashFirst)
	p := r.Publish("live", "cam", 10_000)
	p.Feed(plugintest.GOPs(4, 0, 1000)...)
	awaitLast(r, p)
	r.End(p)
	awaitDone(r)
	whole(t, journal(t, r), 300)
	if s := r.Status("rec"); s.Restarts != 1 {
		t.Errorf("%+v", s)
	}
}

func TestSwapLosesNothing(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{plugintest.ModeJournal, plugintest.ModePlain} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			r := rig(t, mode)
			p := r.Publish("live", "cam", 100_000)
			done := make(chan struct{})
			go func() {
				defer close(done)
				for i := range 40 {
					p.Feed(plugintest.GOPs(1, int64(i)*1000, 1000)...)
					time.Sleep(20 * time.Millisecond)
				}
			}()
			r.AwaitState("rec", host.Running)
			before := r.Status("rec").PID
			for range 3 {
				if err := r.Restart(t.Context(), "rec"); err != nil {
					t.Fatal(err)
				}
			}
			<-done
			if after := r.Status("rec"); after.PID == before || after.Restarts != 3 {
				t.Errorf("process %d, then %+v", before, after)
			}
			awaitLast(r, p)
			r.End(p)
			r.Await("the last record is announced", func() bool {
				all := r.Announced()
				return len(all) > 0 && all[len(all)-1].ToSeq == 3001
			})
			all := r.Journals()
			if mode == plugintest.ModeJournal {
				whole(t, journal(t, r), 3000)
				return
			}
			// A record for each process, one after the other.
			var text string
			for _, e := range r.Announced() {
				text += all[e.File]
			}
			whole(t, text, 3000)
		})
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

func TestRecordingByHand(t *testing.T) {
	t.Parallel()
	r := rig(t, plugintest.ModeJournal)
	p := r.Publish("live", "cam", 10_000)
	p.Feed(plugintest.GOPs(1, 0, 100)...)
	awaitLast(r, p)
	if err := r.StartRecording("live", "cam", "rec"); !errors.Is(err, host.ErrRunning) {
		t.Error(err)
	}
	if err := r.StopRecording("live", "cam", "rec"); err != nil {
		t.Fatal(err)
	}
	r.Await("the record is announced", func() bool { return len(r.Announced()) == 1 })
	p.Feed(plugintest.GOPs(2, 1000, 100)...)
	r.Await("it is detached", func() bool { return len(r.Status("rec").Streams) == 0 })
	if err := r.StopRecording("live", "cam", "rec"); !errors.Is(err, host.ErrNotActive) {
		t.Error(err)
	}
	if err := r.StartRecording("live", "cam", "rec"); err != nil {
		t.Fatal(err)
	}
	r.Await("there is a second record", func() bool { return len(r.Journals()) == 2 })
	for _, err := range []error{
		r.StartRecording("live", "other", "rec"), r.StartRecording("live", "cam", "other"),
	} {
		if !errors.Is(err, host.ErrNoStream) && !errors.Is(err, host.ErrNoPlugin) {
			t.Error(err)
		}
	}
}

// TestRecordingByHandBeforeMedia starts a recording of a stream that has no
// media yet, however long it has been there: the plugin has it at once.
func TestRecordingByHandBeforeMedia(t *testing.T) {
	t.Parallel()
	c := plugintest.Command(plugintest.ModeJournal)
	c.StartTimeout = time.Hour
	r := plugintest.NewRig(t, map[string]host.Config{"rec": c}, host.Options{
		Wants: func(string, event.Event) (want, decided bool) { return false, true },
	})
	r.AwaitState("rec", host.Running)
	p := r.Media.Publish("live", "cam", 10_000)
	start := p.Event(event.StreamStart)
	start.VideoCodec, start.AudioCodec, start.Started = "", "", time.Now().Add(-time.Minute)
	r.Event(start)
	if err := r.StartRecording("live", "cam", "rec"); err != nil {
		t.Fatal(err)
	}
	r.Await("it is attached", func() bool { s := r.Status("rec").Streams; return len(s) == 1 && s[0].Attached })
	p.Feed(plugintest.GOPs(1, 0, 100)...)
	r.Event(p.Event(event.Codec))
	awaitLast(r, p)
	r.End(p)
	awaitDone(r)
	whole(t, journal(t, r), 75)
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
			r.Await("it is replaced", func() bool { return r.Status("rec").Restarts > 0 })
			if s := r.Status("rec"); s.State == host.Waiting && !strings.Contains(s.Reason, reason) {
				t.Errorf("%+v", s)
			}
		})
	}
	t.Run("stuck", func(t *testing.T) {
		t.Parallel()
		r := watchedRig(t, plugintest.ModeStuck, func(c *host.Config) { c.StuckTimeout = 300 * time.Millisecond })
		p := r.Publish("live", "cam", 10_000)
		p.Feed(plugintest.GOPs(1, 0, 100)...)
		awaitLast(r, p) // by the second process
		whole(t, journal(t, r), 75)
	})
	t.Run("stalled", func(t *testing.T) {
		t.Parallel()
		r := watchedRig(t, plugintest.ModeJournal)
		r.AwaitState("rec", host.Running)
		if err := r.Stall("rec", time.Hour); err != nil {
			t.Fatal(err)
		}
		r.Await("it is replaced", func() bool { s := r.Status("rec"); return s.Restarts > 0 && s.State == host.Running })
	})
	t.Run("a write that fails", func(t *testing.T) {
		t.Parallel()
		r := rig(t, plugintest.ModeWriteError)
		p := r.Publish("live", "cam", 10_000)
		p.Feed(plugintest.GOPs(1, 0, 100)...)
		awaitLast(r, p)
		if s := r.Status("rec"); s.Restarts != 0 {
			t.Errorf("%+v", s)
		}
	})
}

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
			if tt.change == nil {
				tt.change = func(*host.Config) {}
			}
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

func TestHostileRunning(t *testing.T) {
	t.Parallel()
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		r := rig(t, plugintest.ModeLeak, func(c *host.Config) { c.Limits.Memory = 200 << 20 })
		r.Await("it is replaced", func() bool { return r.Status("rec").Restarts > 0 })
	})
	t.Run("log", func(t *testing.T) {
		t.Parallel()
		r := rig(t, plugintest.ModeFloodLog)
		r.Await("the log is full", func() bool {
			lines, err := r.Logs("rec", 0)
			return err == nil && len(lines) == 1000
		})
		if lines, _ := r.Logs("rec", 3); len(lines) != 3 {
			t.Errorf("%d lines", len(lines))
		}
	})
	t.Run("events", func(t *testing.T) {
		t.Parallel()
		r := rig(t, plugintest.ModeFloodEvents)
		r.Await("events came", func() bool { return len(r.Announced()) > 1000 })
	})
	t.Run("deaf", func(t *testing.T) {
		t.Parallel()
		r := rig(t, plugintest.ModeDeaf)
		r.AwaitState("rec", host.Running)
		for i := range 20_000 {
			r.Event(event.Event{Event: event.ViewerStart, ClientID: fmt.Sprint(i), UserAgent: strings.Repeat("x", 200)})
		}
		r.Await("events are dropped", func() bool { return r.Status("rec").EventsDropped > 0 })
	})
	t.Run("closed pipes", func(t *testing.T) {
		t.Parallel()
		r := rig(t, plugintest.ModeClosedPipes)
		p := r.Publish("live", "cam", 10_000)
		p.Feed(plugintest.GOPs(1, 0, 100)...)
		awaitLast(r, p)
	})
	t.Run("grandchild", func(t *testing.T) {
		t.Parallel()
		r := rig(t, plugintest.ModeGrandchild)
		r.AwaitState("rec", host.Running)
		b, err := os.ReadFile(r.StateDir + "/grandchild")
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Kill("rec"); err != nil {
			t.Fatal(err)
		}
		r.Await("the grandchild is gone", func() bool {
			pid, err := strconv.Atoi(string(b))
			return err == nil && gone(pid)
		})
	})
	t.Run("no stop", func(t *testing.T) {
		t.Parallel()
		r := rig(t, plugintest.ModeNoStop, func(c *host.Config) { c.StopTimeout = 300 * time.Millisecond })
		r.AwaitState("rec", host.Running)
		pid := r.Status("rec").PID
		r.Stop()
		if err := syscall.Kill(pid, 0); err == nil {
			t.Error("the process is alive")
		}
	})
	t.Run("outside", func(t *testing.T) {
		t.Parallel()
		r := rig(t, plugintest.ModeOutside)
		r.AwaitState("rec", host.Running) // its Start fails if it gets what it asks for
	})
	t.Run("crashes always", func(t *testing.T) {
		t.Parallel()
		r := rig(t, plugintest.ModeCrashAlways)
		p := r.Publish("live", "cam", 10_000)
		p.Feed(plugintest.GOPs(1, 0, 100)...)
		r.Await("it was tried again", func() bool { return r.Status("rec").Restarts >= 3 })
	})
}

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
	r := rig(t, plugintest.ModeHangStart, func(c *host.Config) { c.StartTimeout = time.Minute })
	r.Await("it is starting", func() bool { return r.Status("rec").State == host.Starting })
	began := time.Now()
	r.Stop()
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
	if err := r.Restart(context.Background(), "rec"); err == nil {
		t.Error("restarted after the end")
	}
}

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

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatal(what + ": not within 30 s")
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

func sumOf(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(b))
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
