package hooks

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/core/event"
)

// BenchmarkHalfRate measures how long calls of an auth hook take with one
// processor, from Decide to the verdict, when they come at half the rate that is
// the least to be managed (60,000 a second), and at half of what is. An iteration
// takes six to eight seconds:
//
//	go test ./hooks -run - -bench HalfRate -benchtime 5x -v
//
// In turn with the calls of a hook, a tenth of a second each, come calls by the
// same queue and workers that compute for as long, but neither run Lua nor
// allocate: "floor" is what the machine and the scheduler make of the same
// arrivals.
func BenchmarkHalfRate(b *testing.B) {
	b.Run("least", func(b *testing.B) { benchmarkRate(b, func(*Runtime) float64 { return 30_000 }) })
	b.Run("most", func(b *testing.B) {
		benchmarkRate(b, func(r *Runtime) float64 { return fullRate(b, r, 2*time.Second) / 2 })
	})
}

func benchmarkRate(b *testing.B, rateOf func(*Runtime) float64) {
	b.Helper()
	// As many places as a server gives Go's scheduler (cmd/millrace).
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(runtime.NumCPU() + 3))
	r := start(b, benchAuth, func(o *Options) { o.Processors = 1 })
	// A server has rings of media: with next to nothing on its heap, the process
	// would collect a hundred times a second.
	rings := make([]byte, 64<<20)
	defer runtime.KeepAlive(rings)
	var hooks, floors, ratios []float64
	for b.Loop() {
		rate := rateOf(r)
		hook, floor := halfRate(b, r, rate, 3*time.Second)
		b.Logf("%.0f calls/s: hook %s", rate, hook)
		b.Logf("%.0f calls/s: floor %s", rate, floor)
		hooks = append(hooks, milliseconds(hook.took, 0.99))
		floors = append(floors, milliseconds(floor.took, 0.99))
		ratios = append(ratios, milliseconds(hook.took, 0.99)/milliseconds(floor.took, 0.99))
		b.ReportMetric(rate, "calls/s")
	}
	b.ReportMetric(quantile(hooks, 0.5), "p99-ms")
	b.ReportMetric(quantile(floors, 0.5), "floor-p99-ms")
	b.ReportMetric(quantile(ratios, 0.5), "ratio")
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

// arrivals are calls that came at a rate.
type arrivals struct {
	took []time.Duration // each, from when it came
	late []time.Duration // how much later than it was due each came
}

// String shows quantiles in milliseconds.
func (a arrivals) String() string {
	return fmt.Sprintf("took p50 %.3f p99 %.3f p99.9 %.3f max %.3f ms; came late p99 %.3f p99.9 %.3f max %.3f ms",
		milliseconds(a.took, 0.5), milliseconds(a.took, 0.99), milliseconds(a.took, 0.999), milliseconds(a.took, 1),
		milliseconds(a.late, 0.99), milliseconds(a.late, 0.999), milliseconds(a.late, 1))
}

func milliseconds(all []time.Duration, q float64) float64 { return quantile(all, q).Seconds() * 1e3 }

func quantile[T time.Duration | float64](all []T, q float64) T {
	all = slices.Sorted(slices.Values(all))
	return all[int(q*float64(len(all)-1))]
}

// halfRate has calls of the hook and calls of the floor come in turn, each for
// span in all.
func halfRate(b *testing.B, r *Runtime, rate float64, span time.Duration) (hook, floor arrivals) {
	b.Helper()
	const turn = 100 * time.Millisecond
	e := benchEvent(signHMAC(benchKey, benchText))
	cost := costOf(r, e)
	pool := newPool(1, func(j job) lane {
		for begin := time.Now(); time.Since(begin) < cost; {
		}
		j.done(Verdict{Allow: true})
		return quick
	})
	pool.limit(1, 4096, 1<<20)
	defer pool.close()
	for range int(span / turn) {
		hook.come(rate, turn, func(done func(Verdict)) { r.Decide(e, done) })
		floor.come(rate, turn, func(done func(Verdict)) { pool.put(job{e: e, done: done}) })
	}
	return hook, floor
}

// costOf is how long a call computes that comes after a rest, as they do at a
// rate: the processor has other things in its caches then.
func costOf(r *Runtime, e *event.Event) time.Duration {
	set, settings := r.live.Load(), r.settings.Load()
	var took []time.Duration
	for range 2000 {
		nap(30 * time.Microsecond)
		begin := time.Now()
		set.call(event.Play, e, callOptions{timeout: settings.Timeout, limit: uint64(settings.Memory)})
		took = append(took, time.Since(begin))
	}
	return quantile(took, 0.5)
}

// nap rests for less than a millisecond, of which time.Sleep knows whole ones
// only: calls would come in crowds. A caller that spins instead would keep a
// processor from everybody.
func nap(d time.Duration) {
	if d <= 0 {
		return
	}
	ts := unix.NsecToTimespec(int64(d))
	_ = unix.Nanosleep(&ts, nil)
}

// come asks at a rate for a while, and waits for the answers. A call that comes
// late, as the machine has it, is timed from when it came: the wait before is
// not the hook's. Those that were due meanwhile come with it, in a crowd.
func (a *arrivals) come(rate float64, span time.Duration, ask func(done func(Verdict))) {
	n := int(rate * span.Seconds())
	took, late := make([]time.Duration, n), make([]time.Duration, n)
	var all sync.WaitGroup
	all.Add(n)
	begin := time.Now()
	for i := range n {
		due := begin.Add(time.Duration(float64(i) / rate * float64(time.Second)))
		nap(time.Until(due))
		asked := time.Now()
		late[i] = max(asked.Sub(due), 0)
		ask(func(Verdict) {
			took[i] = time.Since(asked)
			all.Done()
		})
	}
	all.Wait()
	a.took, a.late = append(a.took, took...), append(a.late, late...)
}
