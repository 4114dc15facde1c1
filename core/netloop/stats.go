package netloop

import (
	"sync/atomic"
	"time"
)

// loopStats are a loop's running totals; any goroutine may read them.
type loopStats struct {
	conns, viewers           atomic.Int64
	busy                     atomic.Uint64 // ns in callbacks and passes
	wakeups, writes, partial atomic.Uint64
	in                       atomic.Uint64    // bytes from publishers
	out                      [3]atomic.Uint64 // bytes to viewers, by stream.Protocols
	passes                   histogram
	latency                  histogram
	window                   atomic.Int64 // merge window in force, ns
}

func (s *loopStats) pass(ns int64) { s.passes.observe(ns) }

// histogram counts durations in buckets of powers of two from 16 µs on.
type histogram struct {
	counts [histogramBuckets]atomic.Uint64
	sum    atomic.Int64 // ns
}

const (
	histogramBuckets = 20
	firstBucket      = int64(16 * time.Microsecond)
)

func (h *histogram) observe(ns int64) {
	i := 0
	for limit := firstBucket; ns > limit && i < histogramBuckets-1; limit <<= 1 {
		i++
	}
	h.counts[i].Add(1)
	h.sum.Add(ns)
}

// Histogram is a distribution of durations: Counts[i] were at most Bounds[i]
// seconds and more than the bound before; the last count is of all above.
type Histogram struct {
	Bounds []float64
	Counts []uint64
	Sum    float64 // seconds
}

func (h *histogram) snapshot() Histogram {
	var s Histogram
	limit := firstBucket
	for i := range h.counts {
		if i < histogramBuckets-1 {
			s.Bounds = append(s.Bounds, time.Duration(limit).Seconds())
		}
		s.Counts = append(s.Counts, h.counts[i].Load())
		limit <<= 1
	}
	s.Sum = time.Duration(h.sum.Load()).Seconds()
	return s
}

// totals are the engine's running totals.
type totals struct {
	waiting            atomic.Int64
	panics             atomic.Uint64
	causes             causeCounts
	rtmpOpen, httpOpen atomic.Int64
	rtmpAll, httpAll   atomic.Uint64
	joined             [3]atomic.Uint64 // viewers ever, by stream.Protocols
	// Of plugins: connections, those that take a stream, and what they got.
	pluginOpen, taps    atomic.Int64
	tapBytes, tapFrames atomic.Uint64
}

func (t *totals) opened(p protocol) {
	if p == protocolRTMP {
		t.rtmpOpen.Add(1)
		t.rtmpAll.Add(1)
		return
	}
	if p == protocolPlugin {
		t.pluginOpen.Add(1)
		return
	}
	t.httpOpen.Add(1)
	t.httpAll.Add(1)
}

func (t *totals) closed(p protocol, why cause) {
	t.causes[why].Add(1)
	if p == protocolRTMP {
		t.rtmpOpen.Add(-1)
		return
	}
	if p == protocolPlugin {
		t.pluginOpen.Add(-1)
		return
	}
	t.httpOpen.Add(-1)
}

// LoopStats are one loop's figures.
type LoopStats struct {
	Connections, Viewers           int64
	BusySeconds                    float64
	Wakeups, Writes, PartialWrites uint64
	MergeWindow                    time.Duration
	Passes, Latency                Histogram
}

// Stats are the engine's figures.
type Stats struct {
	Waiting            int64
	Panics             uint64
	OpenRTMP, OpenHTTP int64
	AllRTMP, AllHTTP   uint64
	BytesIn            uint64
	// Bytes to viewers, and viewers since the start, by stream.Protocols.
	BytesOut, Joined              [3]uint64
	Refused, AcceptErrors, Closed map[string]uint64 // by reason
	Loops                         []LoopStats
	// Plugins on the plugin socket: connections, those of them that take a
	// stream, and what these were sent.
	OpenPlugin, Taps    int64
	TapBytes, TapFrames uint64
}

// Stats returns the figures of now. Any goroutine.
func (e *Engine) Stats() Stats {
	t := &e.totals
	s := Stats{
		Waiting: t.waiting.Load(), Panics: t.panics.Load(),
		OpenRTMP: t.rtmpOpen.Load(), OpenHTTP: t.httpOpen.Load(),
		AllRTMP: t.rtmpAll.Load(), AllHTTP: t.httpAll.Load(),
		Closed:     t.causes.snapshot(),
		OpenPlugin: t.pluginOpen.Load(), Taps: t.taps.Load(),
		TapBytes: t.tapBytes.Load(), TapFrames: t.tapFrames.Load(),
	}
	s.Refused, s.AcceptErrors = e.gate.counts()
	for i := range t.joined {
		s.Joined[i] = t.joined[i].Load()
	}
	for _, l := range e.loops {
		s.BytesIn += l.stats.in.Load()
		for i := range l.stats.out {
			s.BytesOut[i] += l.stats.out[i].Load()
		}
		s.Loops = append(s.Loops, l.stats.snapshot())
	}
	return s
}

func (s *loopStats) snapshot() LoopStats {
	return LoopStats{
		Connections: s.conns.Load(), Viewers: s.viewers.Load(),
		BusySeconds: time.Duration(s.busy.Load()).Seconds(),
		Wakeups:     s.wakeups.Load(), Writes: s.writes.Load(), PartialWrites: s.partial.Load(),
		MergeWindow: time.Duration(s.window.Load()),
		Passes:      s.passes.snapshot(), Latency: s.latency.snapshot(),
	}
}
