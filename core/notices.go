package core

import (
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/stream"
)

// ended adds up the counters of streams that are no more.
type ended struct {
	framesIn, framesOut, dropped, gaps, skips, corrections, gopDrops, tapGaps, tapMissed atomic.Uint64
	pressureTold                                                                         atomic.Int64 // ns since the start
}

// notice logs what happened to a stream, and tells the loops of new ones. It
// runs with the stream's lock held.
func (s *Server) notice(n stream.Notice) {
	s.tell(n)
	log := s.log.With(event.Stream, n.Stream.Key.String())
	switch n.What {
	case stream.Started:
		log.Info("stream started", "event", event.StreamStart, event.Session, n.Stream.Session)
		s.engine.StreamStarted(n.Stream.Key)
	case stream.Back:
		log.Info("stream goes on", "event", event.StreamBack, event.Session, n.Stream.Session)
	case stream.Lost:
		log.Info("publisher lost, its viewers wait for it", "event", event.StreamLost, event.Reason, n.Reason)
	case stream.EndedNow:
		s.ended.add(n.Stream.Counters())
		log.Info("stream ended", "event", event.Unpublish, event.Session, n.Stream.Session, event.Reason, n.Reason)
	case stream.Settled, stream.Recoded:
		log.Info("stream is ready", slog.String("event", event.Codec), codecAttr(n.Stream))
	case stream.Corrected:
		log.Warn("timestamps corrected; further corrections are only counted", "timestamp", n.TS, "dts", n.DTS)
	case stream.LateTrack:
		log.Warn("a track came late: players that have started may not show it", "kind", n.Kind.String())
	case stream.Pressure:
		s.pressure(log, n.Freed)
	}
}

// pressure tells, at most once a second, that backlogs were let go.
func (s *Server) pressure(log *slog.Logger, freed int64) {
	now := int64(time.Since(s.started))
	last := s.ended.pressureTold.Load()
	if now-last < int64(time.Second) || !s.ended.pressureTold.CompareAndSwap(last, now) {
		return
	}
	log.Warn("rings hold all the memory they may (stream.memory): laggards lose their backlog",
		"freed_bytes", freed, "ring_bytes", s.streams.Bytes())
}

func (e *ended) add(c *stream.Counters) {
	e.framesIn.Add(c.FramesIn.Load())
	e.framesOut.Add(c.FramesOut.Load())
	e.dropped.Add(c.Dropped.Load())
	e.gaps.Add(c.Gaps.Load())
	e.skips.Add(c.Skips.Load())
	e.corrections.Add(c.Corrections.Load())
	e.gopDrops.Add(c.GOPDrops.Load())
	e.tapGaps.Add(c.TapGaps.Load())
	e.tapMissed.Add(c.TapMissed.Load())
}
