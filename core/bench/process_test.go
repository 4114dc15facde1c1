package bench

import (
	"math"
	"os"
	"strings"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, stat   string
		user, system time.Duration
		bad          bool
	}{
		{name: "plain", stat: "42 (millrace) S 1 42 42 0 -1 4194560 2093 0 0 0 150 250 0 0 20 0 9 0 1", user: 1500 * time.Millisecond, system: 2500 * time.Millisecond},
		{name: "odd name", stat: "42 (a) b (c) S 1 42 42 0 -1 4194560 2093 0 0 0 1 2 0", user: 10 * time.Millisecond, system: 20 * time.Millisecond},
		{name: "cut", stat: "42 (millrace) S 1 42", bad: true},
		{name: "empty", bad: true},
		{name: "no number", stat: "42 (m) S 1 42 42 0 -1 4194560 2093 0 0 0 x 2 0", bad: true},
	}
	for _, tt := range tests {
		got, err := parseStat([]byte(tt.stat))
		if got.user != tt.user || got.system != tt.system || (err != nil) != tt.bad {
			t.Errorf("%s: %+v %v", tt.name, got, err)
		}
	}
}

func TestParseMachine(t *testing.T) {
	t.Parallel()
	tests := []struct {
		stat       string
		busy, idle int
	}{
		{"cpu  10 1 20 400 5 2 3 4 50 0\ncpu0 1 1 1 1", 40, 405},
		{"cpu  10", 10, 0},
		{"", 0, 0},
	}
	for _, tt := range tests {
		got := parseMachine([]byte(tt.stat))
		if got.busy != time.Duration(tt.busy)*clockTick || got.idle != time.Duration(tt.idle)*clockTick {
			t.Errorf("%q: %+v", tt.stat, got)
		}
	}
}

func TestOwnProcess(t *testing.T) {
	t.Parallel()
	now, most, err := resident(os.Getpid())
	if err != nil || now < 1<<20 || most < now/2 {
		t.Errorf("memory %d, at most %d: %v", now, most, err)
	}
	if _, err := processCPU(os.Getpid()); err != nil {
		t.Error(err)
	}
	if _, _, err := resident(-1); err == nil {
		t.Error("memory of no process")
	}
	if statusKB([]byte("VmHWM:\t   12 kB\nVmRSS:\t 10 kB\n"), "VmRSS:") != 10<<10 {
		t.Error("VmRSS")
	}
}

const metricsText = `# HELP millrace_frames_out_total x
millrace_frames_out_total %F
millrace_loop_writev_calls_total{loop="0"} 10
millrace_loop_writev_calls_total{loop="1"} %W
millrace_loop_merge_window_seconds{loop="0"} 0.05
millrace_loop_merge_window_seconds{loop="1"} 0.1
millrace_loop_busy_seconds_total{loop="0"} %B
go_goroutines 5
nonsense
`

func TestMetrics(t *testing.T) {
	t.Parallel()
	parse := func(frames, writes, busy string) *metrics {
		m, err := parseMetrics(strings.NewReader(strings.NewReplacer("%F", frames, "%W", writes, "%B", busy).Replace(metricsText)))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	before, after := parse("100", "20", "1"), parse("1.1e+03", "220", "3")
	after.at = before.at.Add(2 * time.Second)
	got := before.until(after)
	if got.FramesPerWrite != 5 || got.Writes != 200 || got.MergeWindowMS != 100 || math.Abs(got.LoopsBusy-0.5) > 1e-9 {
		t.Errorf("%+v", got)
	}
	if (*metrics)(nil).until(after) != nil {
		t.Error("from nothing")
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	well := Usage{MachineIdle: 0.5, PID: 1, UserSeconds: 1, SysSeconds: 1}
	tests := []struct {
		name     string
		change   func(*Usage)
		wanted   string
		doubtful bool
	}{
		{"well", func(*Usage) {}, "", false},
		{"no idle", func(u *Usage) { u.MachineIdle = 0.01 }, "the machine was saturated", true},
		{"client", func(u *Usage) { u.BusiestLoop = 0.95 }, "the client was saturated", true},
		{"others", func(u *Usage) { u.OthersShare = 0.3 }, "other programs took 30%", true},
		{"short", func(u *Usage) { u.UserSeconds, u.SysSeconds = 0.1, 0.1 }, "0.20 s of CPU", false},
		{"gone", func(u *Usage) { u.MissedServer = "no such process" }, "no such process", false},
	}
	for _, tt := range tests {
		u := well
		tt.change(&u)
		got := strings.Join(u.warnings(), "\n")
		if !strings.Contains(got, tt.wanted) || tt.wanted == "" && got != "" || u.doubtful() != tt.doubtful {
			t.Errorf("%s: %q %v", tt.name, got, u.doubtful())
		}
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{3, 1}, 2}, {[]float64{5, 1, 2}, 2}} {
		if got := median(tt.values); got != tt.want {
			t.Errorf("%v: %v", tt.values, got)
		}
	}
}
