package bench

import (
	"context"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// startServer starts a millrace with a window, which ends with the test.
func startServer(t *testing.T, window string) *subject {
	t.Helper()
	s, err := startMillrace(t.Context(), program(t), window)
	t.Cleanup(s.stop)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// publishing publishes to s; the report comes when end is called.
func publishing(t *testing.T, s *subject, o PublishOptions) (end func() PublishReport) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ready, done := make(chan struct{}), make(chan struct{})
	o.URL, o.Settle, o.Ready = s.url(RTMP), time.Millisecond, func() { close(ready) }
	var r PublishReport
	var err error
	go func() {
		defer close(done)
		r, err = Publish(ctx, o)
	}()
	end = func() PublishReport {
		cancel()
		<-done
		if err != nil {
			t.Errorf("publish: %v", err)
		}
		return r
	}
	t.Cleanup(func() { cancel(); <-done })
	select {
	case <-ready:
	case <-done:
		t.Fatalf("publish: %v", err)
	}
	return end
}

// small are viewers enough to see that all is there.
func small(s *subject, p Protocol) PlayOptions {
	return PlayOptions{URL: s.url(p), Viewers: 12, Sample: 5, Stalled: 2, Settle: 100 * time.Millisecond,
		Duration: time.Second, PID: s.pid(), Metrics: s.metrics()}
}

func TestPublishAndPlay(t *testing.T) {
	t.Parallel()
	s := startServer(t, "0s")
	end := publishing(t, s, PublishOptions{PID: s.pid()})
	// Together, but not by t.Parallel: the publisher would publish while they
	// wait for other tests.
	var all sync.WaitGroup
	for _, protocol := range []Protocol{RTMP, HTTPFLV, WSFLV, RTMPS, HTTPSFLV, WSSFLV} {
		all.Go(func() {
			t.Run(string(protocol), func(t *testing.T) {
				r, err := Play(t.Context(), small(s, protocol))
				if err != nil {
					t.Fatal(err)
				}
				wantWhole(t, r, 12)
			})
		})
	}
	all.Wait()
	r := end()
	if r.Started != 1 || r.Refused+r.Ended > 0 || r.Tags == 0 || r.Bytes == 0 || r.Usage.CPUSeconds() == 0 {
		t.Errorf("published: %+v", r)
	}
}

// wantWhole wants n viewers that got all.
func wantWhole(t *testing.T, r PlayReport, n int64) {
	t.Helper()
	if r.Usage.MachineIdle < 0.5 {
		r.Starved = 0 // a busy machine feeds nobody in time
	}
	if !r.Sound() || r.Connected != n {
		t.Errorf("not sound: %+v", r)
	}
	if !r.Stamped || r.LatencyMS.Count == 0 || r.LatencyMS.Max <= 0 || r.FirstKeyMS.Count == 0 || r.Bytes == 0 || r.Frames == 0 {
		t.Errorf("not measured: %+v", r)
	}
	if r.Server != nil && r.Server.FramesPerWrite < 0.5 {
		t.Errorf("metrics: %+v", *r.Server)
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil || !strings.Contains(text.String(), "0 lost") {
		t.Errorf("report: %v\n%s", err, &text)
	}
	t.Log("\n" + text.String())
}

func TestSeveralStreams(t *testing.T) {
	t.Parallel()
	s := startServer(t, "auto")
	end := publishing(t, s, PublishOptions{Streams: 5, Threads: 2})
	o := small(s, RTMP)
	o.Streams, o.Stalled, o.Sample = 5, 0, 12
	r, err := Play(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	wantWhole(t, r, 12)
	if r := end(); r.Started != 5 || !r.Sound() && r.Usage.MachineIdle > 0.5 {
		t.Errorf("published: %+v", r)
	}
}

func TestPlayRefused(t *testing.T) {
	t.Parallel()
	s := startServer(t, "auto")
	for _, url := range []string{s.url(RTMP), s.url(HTTPFLV) + "?wait=0", s.url(WSFLV) + "?wait=0", "http://127.0.0.1:1/live/x.flv"} {
		if _, err := Play(t.Context(), PlayOptions{URL: url, Viewers: 2, Ramp: 1000}); err == nil || !strings.Contains(err.Error(), ErrNobody.Error()) {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestFloor(t *testing.T) {
	t.Parallel()
	for _, w := range []WriterOptions{{PerWrite: 1}, {PerWrite: 6}, {PerWrite: 6, TLS: true}} {
		o := FloorOptions{Play: PlayOptions{Viewers: 10, Sample: 5, Settle: 300 * time.Millisecond, Duration: time.Second},
			Writer: w, Command: []string{program(t), "bench", "floor-writer"}}
		r, err := Floor(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		wantWhole(t, r.PlayReport, 10)
		if r.Writer.Calls == 0 || r.Writer.FramesPerWrite < 0.7*w.PerWrite {
			t.Errorf("writer: %+v", r.Writer)
		}
	}
}

func TestIngestFloor(t *testing.T) {
	t.Parallel()
	o := IngestFloorOptions{Publish: PublishOptions{Streams: 10, Settle: 100 * time.Millisecond, Duration: time.Second},
		Command: []string{program(t), "bench", "floor-writer"}}
	r, err := IngestFloor(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Started != 10 || r.Refused+r.Ended > 0 || r.Reader.Bytes < r.Bytes/2 || r.Reader.Calls == 0 {
		t.Errorf("%+v", r)
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), program(t), "bench", "compare", "-viewers", "5", "-protocols", "wsflv",
		"-duration", "500ms", "-publishers", "5", "-nginx=false")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, wanted := range []string{"| 5 | wsflv | auto |", "Publishers without viewers"} {
		if !strings.Contains(string(out), wanted) {
			t.Errorf("no %q in\n%s", wanted, out)
		}
	}
}

// TestDecodes has ffmpeg decode what a publisher sends.
func TestDecodes(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("no ffmpeg")
	}
	s := startServer(t, "0s")
	publishing(t, s, PublishOptions{})
	out, err := exec.CommandContext(t.Context(), "timeout", "-k", "1", "60", "ffmpeg", "-nostdin", "-v", "warning", "-xerror", "-err_detect", "explode",
		"-i", s.url(HTTPFLV), "-t", "1", "-f", "null", "-").CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("ffmpeg: %v\n%s", err, out)
	}
}
