package hooks

import (
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkHalfRate measures how long calls of an auth hook take with one
// processor, from Decide to the verdict, when they come at half the rate that is
// the least to be managed (60,000 a second), and at half of what is. An iteration
// takes three to five seconds:
//
//	go test ./hooks -run - -bench HalfRate -benchtime 3x -v
func BenchmarkHalfRate(b *testing.B) {
	b.Run("least", func(b *testing.B) { benchmarkRate(b, func(*Runtime) float64 { return 30_000 }) })
	b.Run("most", func(b *testing.B) {
		benchmarkRate(b, func(r *Runtime) float64 { return fullRate(b, r, 2*time.Second) / 2 })
	})
}

func benchmarkRate(b *testing.B, rateOf func(*Runtime) float64) {
	b.Helper()
	r := start(b, benchAuth, func(o *Options) { o.Processors = 1 })
	// A server has rings of media: with next to nothing on its heap, the process
	// would collect a hundred times a second.
	rings := make([]byte, 64<<20)
	defer runtime.KeepAlive(rings)
	worst := map[string]float64{}
	for b.Loop() {
		rate := rateOf(r)
		took := atRate(b, r, rate, 3*time.Second)
		slices.Sort(took)
		for name, q := range map[string]float64{"p50-ms": 0.5, "p99-ms": 0.99, "max-ms": 1} {
			ms := took[int(q*float64(len(took)-1))].Seconds() * 1e3
			worst[name] = max(worst[name], ms)
			b.Logf("%.0f calls/s: %s %.3f", rate, name, ms) // each, as the machine may be shared
		}
		b.ReportMetric(rate, "calls/s")
	}
	for name, ms := range worst {
		b.ReportMetric(ms, name)
	}
	b.ReportMetric(0, "ns/op")
}

// fullRate is how many calls a second end when there is always one that waits.
func fullRate(b *testing.B, r *Runtime, span time.Duration) float64 {
	b.Helper()
	e := benchEvent(signHMAC(benchKey, benchText))
	begin := time.Now()
	room := make(chan struct{}, 1000)
	n := 0
	for ; time.Since(begin) < span; n++ {
		room <- struct{}{}
		r.Decide(e, func(v Verdict) {
			if !v.Allow {
				b.Error(verdictText(v))
			}
			<-room
		})
	}
	return float64(n) / time.Since(begin).Seconds()
}

// atRate is how long each call took.
func atRate(b *testing.B, r *Runtime, rate float64, span time.Duration) []time.Duration {
	b.Helper()
	e := benchEvent(signHMAC(benchKey, benchText))
	took := make([]time.Duration, int(rate*span.Seconds()))
	var all sync.WaitGroup
	begin := time.Now()
	for i := range took {
		due := begin.Add(time.Duration(float64(i) / rate * float64(time.Second)))
		if early := time.Until(due); early > 0 {
			// time.Sleep is one of whole milliseconds: calls would come in crowds.
			ts := unix.NsecToTimespec(int64(early))
			_ = unix.Nanosleep(&ts, nil)
		}
		all.Add(1)
		asked := time.Now()
		r.Decide(e, func(Verdict) {
			took[i] = time.Since(asked)
			all.Done()
		})
	}
	all.Wait()
	return took
}
