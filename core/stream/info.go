package stream

import "github.com/millrace/millrace/core/media"

// Info is a stream as it is now, for people.
type Info struct {
	Key       Key
	ID        uint64
	Session   string // ULID
	Since     int64  // ns on the clock that the registry was told of
	Lost      bool
	Publisher Publisher // the zero value when lost
	Last      Publisher // the same, or when lost the one before
	State     *media.State
	Viewers   [3]int64 // by Protocols
	BytesIn   uint64
	BytesOut  uint64
	FramesIn  uint64

	Corrections, Dropped             uint64
	RingBytes, RingFrames, GOPFrames int64
}

// Info returns a snapshot. Any goroutine.
func (s *Stream) Info() Info {
	c := &s.counters
	i := Info{
		Key: s.Key, ID: s.ID, Session: s.Session, Since: s.Since, State: s.State(),
		BytesIn: c.BytesIn.Load(), BytesOut: c.BytesOut.Load(), FramesIn: c.FramesIn.Load(),
		Corrections: c.Corrections.Load(), Dropped: c.Dropped.Load(),
	}
	for p := range i.Viewers {
		i.Viewers[p] = c.Viewers[p].Load()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i.Lost, i.Last = s.pub == nil, s.lastPublisher
	if s.pub != nil {
		i.Publisher = s.pub.Publisher
	}
	head := s.ring.head.Load()
	i.RingBytes = s.ring.bytes.Load()
	i.RingFrames = int64(head - s.ring.tail.Load())
	if gop := s.gop.Load(); gop != 0 {
		i.GOPFrames = int64(head - gop)
	}
	return i
}
