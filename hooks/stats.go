package hooks

import (
	"errors"
	"sync/atomic"
	"time"
)

// buckets are the upper bounds of the histogram of durations, in seconds.
var buckets = [...]float64{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5}

// stats are the runtime's counters.
type stats struct {
	hooks           [len(hooksInOrder)]hookStats
	shadowSame      atomic.Uint64
	shadowDifferent atomic.Uint64
	shadowErrors    atomic.Uint64
	shadowDropped   atomic.Uint64
	ticking         atomic.Bool // an on_tick waits or runs
}

func (s *stats) of(index int) *hookStats { return &s.hooks[index] }

type hookStats struct {
	calls, refusals, errors, timeouts, memory, overloads, dropped atomic.Uint64
	nanoseconds                                                   atomic.Uint64
	histogram                                                     [len(buckets) + 1]atomic.Uint64
}

func (h *hookStats) add(o outcome) {
	if errors.Is(o.err, ErrOverload) || errors.Is(o.err, ErrClosed) {
		h.overloads.Add(1)
		return
	}
	h.calls.Add(1)
	switch {
	case errors.Is(o.err, ErrTimeout):
		h.timeouts.Add(1)
	case errors.Is(o.err, ErrMemory):
		h.memory.Add(1)
	case o.err != nil:
		h.errors.Add(1)
	case !o.verdict.Allow:
		h.refusals.Add(1)
	}
	h.nanoseconds.Add(uint64(o.took))
	i := 0
	for i < len(buckets) && o.took.Seconds() > buckets[i] {
		i++
	}
	h.histogram[i].Add(1)
}

// HookStats are the counters of one hook since the start.
type HookStats struct {
	Hook     string
	Calls    uint64 // that ran
	Refusals uint64 // by a script
	Errors   uint64 // of scripts, without the next two
	Timeouts uint64
	Memory   uint64 // stopped for their memory
	// Overloads are decisions that no script saw; Dropped such notices.
	Overloads, Dropped uint64
	Duration           time.Duration // of all calls together
	// Histogram counts calls of at most Buckets()[i] seconds, without those
	// below; the last one those above all.
	Histogram []uint64
}

// Stats is a snapshot of the runtime's counters.
type Stats struct {
	Hooks []HookStats // those that were ever called
	// Queue and Notices wait now; Workers run or wait for HTTP, Waiting of
	// them for HTTP; States exist idle.
	Queue, Notices, Workers, Waiting, States int
	// StatesMade and StatesLost count states made, and thrown away after a
	// call that was stopped, of the scripts in force.
	StatesMade, StatesLost                                   uint64
	StoreEntries                                             int
	ShadowSame, ShadowDifferent, ShadowErrors, ShadowDropped uint64
}

// Buckets returns the upper bounds of HookStats.Histogram, in seconds.
func Buckets() []float64 { return buckets[:] }

// Stats takes a snapshot.
func (r *Runtime) Stats() Stats {
	var s Stats
	if r == nil {
		return s
	}
	s.Queue, s.Notices, s.Workers, s.Waiting = r.pool.load()
	if set := r.live.Load(); set != nil {
		s.States, s.StatesMade, s.StatesLost = set.idle(), set.created.Load(), set.lost.Load()
	}
	s.StoreEntries = r.services.store.len()
	s.ShadowSame, s.ShadowDifferent = r.stats.shadowSame.Load(), r.stats.shadowDifferent.Load()
	s.ShadowErrors, s.ShadowDropped = r.stats.shadowErrors.Load(), r.stats.shadowDropped.Load()
	for i, name := range hooksInOrder {
		if h := r.stats.of(i).snapshot(name); h.Calls+h.Overloads+h.Dropped > 0 {
			s.Hooks = append(s.Hooks, h)
		}
	}
	return s
}

func (h *hookStats) snapshot(name string) HookStats {
	out := HookStats{
		Hook: name, Calls: h.calls.Load(), Refusals: h.refusals.Load(), Errors: h.errors.Load(),
		Timeouts: h.timeouts.Load(), Memory: h.memory.Load(), Overloads: h.overloads.Load(),
		Dropped: h.dropped.Load(), Duration: time.Duration(h.nanoseconds.Load()),
	}
	for i := range h.histogram {
		out.Histogram = append(out.Histogram, h.histogram[i].Load())
	}
	return out
}
