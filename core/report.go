package core

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/millrace/millrace/core/admin"
	"github.com/millrace/millrace/core/stream"
)

// rates are the streams' bit and frame rates, measured once a second.
type rates struct {
	mu sync.Mutex
	by map[uint64]*rate
}

type rate struct {
	bytes, frames uint64 // totals when last looked at
	at            time.Time
	kbps          int64
	fps           float64
	seen          bool // in the newest look
}

// rateInterval is how often rates are measured.
const rateInterval = time.Second

func (r *rates) kbps(id uint64) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.by[id]; m != nil {
		return m.kbps
	}
	return 0
}

func (r *rates) fps(id uint64) float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.by[id]; m != nil {
		return m.fps
	}
	return 0
}

// measure looks at all streams; what is gone is forgotten.
func (r *rates) measure(streams *stream.Registry, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.by == nil {
		r.by = make(map[uint64]*rate)
	}
	streams.Each(func(s *stream.Stream) bool {
		m := r.by[s.ID]
		if m == nil {
			m = &rate{}
			r.by[s.ID] = m
		}
		m.look(s.Counters(), now)
		return true
	})
	for id, m := range r.by {
		if !m.seen {
			delete(r.by, id)
		}
		m.seen = false
	}
}

func (m *rate) look(c *stream.Counters, now time.Time) {
	bytes, frames := c.BytesIn.Load(), c.VideoFrames.Load()
	if past := now.Sub(m.at).Seconds(); !m.at.IsZero() && past > 0 {
		m.kbps = int64(float64(bytes-m.bytes) * 8 / 1000 / past)
		m.fps = float64(frames-m.frames) / past
	}
	m.bytes, m.frames, m.at, m.seen = bytes, frames, now, true
}

// report measures rates and writes the statistics line, until ctx is done.
func (s *Server) report(ctx context.Context) {
	tick := time.NewTicker(rateInterval)
	defer tick.Stop()
	last := statistics{at: time.Now()}
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			s.rates.measure(s.streams, now)
			if now.Sub(last.at) >= s.live.Load().StatsInterval-rateInterval/10 {
				last = s.statistics(last, now)
			}
		}
	}
}

// statistics are the totals at the time of a statistics line.
type statistics struct {
	at      time.Time
	in, out uint64
	dropped uint64
}

// watchable are the protocols that have viewers.
var watchable = slices.Concat(stream.Protocols[:], []string{admin.ProtocolHLS, admin.ProtocolMP4, admin.ProtocolFLV})

// statistics logs one line about the time since last.
func (s *Server) statistics(last statistics, now time.Time) statistics {
	all := s.Stats()
	next := statistics{at: now, dropped: all.FramesDroppedLag + all.FramesDroppedGap}
	var viewers int64
	attrs := []any{"publishers", all.Publishers, "streams", all.StreamsLive + all.StreamsLost}
	for _, p := range watchable {
		ps := all.Protocols[p]
		viewers += ps.Viewers
		next.in += ps.BytesIn
		next.out += ps.BytesOut
		attrs = append(attrs, "viewers_"+fieldName(p), ps.Viewers)
	}
	past := now.Sub(last.at).Seconds()
	perSecond := func(new, old uint64) int64 { return int64(float64(new-old) * 8 / 1000 / past) }
	s.log.Info("statistics", append(attrs,
		"viewers", viewers, "waiting", all.WaitingViewers,
		"in_kbps", perSecond(next.in, last.in), "out_kbps", perSecond(next.out, last.out),
		"dropped_frames", next.dropped-last.dropped, "ring_bytes", all.RingBytes)...)
	return next
}

// fieldName is a protocol's name as part of a log field.
func fieldName(protocol string) string {
	switch protocol {
	case "http-flv":
		return "http_flv"
	case "ws-flv":
		return "ws_flv"
	}
	return protocol
}
