package stream

import (
	"bytes"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/core/media"
)

// Waker is somebody who wants to know that a stream has something new: a
// frame, a change of its readiness, its end. Wake may be called from any
// goroutine and must not block.
type Waker interface{ Wake(*Stream) }

// Stream is one live stream. Its methods may be called from any goroutine.
//
// What each frame touches comes first: with hundreds of publishers all of it
// has left the caches when a stream's next frame comes.
type Stream struct {
	mu   sync.Mutex
	pub  *Publication // nil while lost
	ring ring
	// gop is the sequence number of the keyframe that newcomers start at, 0
	// for none: they wait for the next.
	gop   atomic.Uint64
	state atomic.Pointer[media.State]
	// ready is set once it is known which media the session has: newcomers
	// wait for it.
	ready    atomic.Bool
	ended    atomic.Bool
	watched  bool   // was ready once: viewers may have started
	key      uint64 // newest keyframe's sequence number
	keyDTS   int64
	keyAt    int64 // when it arrived
	gopBytes int64
	trimmed  int64 // when the oldest frames were looked at, ns
	wakers   atomic.Pointer[[]Waker]
	registry *Registry
	timeline timeline
	counters Counters

	Key Key
	// ID is unique over the life of the process.
	ID uint64
	// Session is the ULID of the publish session, kept over a grace and over
	// a change of publishers.
	Session string
	// Since is when it was first published, in ns; Started is that by the
	// wall clock.
	Since   int64
	Started time.Time
	// first is the sequence number at which the publish session began.
	first atomic.Uint64
	// end is the reason of the end, set before ended.
	end string

	// lastPublisher is pub's, or of the last one; without is since when there
	// is none, in ns.
	lastPublisher Publisher
	without       int64
	session       uint64
	lostAt        int64 // when the newest session that sent media was over
	// keyed tells, for other video tracks, the GOP that had their newest
	// keyframe.
	keyed map[uint8]uint64
	stop  func() // stops the grace timer
	busy  contention
	// claims are those of recorders; recorded: there were some. kept: it has
	// ended, and the ring stays for a recorder that comes back for the rest.
	claims         []*Claim
	recorded, kept bool
}

// Counters are a stream's running totals.
type Counters struct {
	BytesIn, FramesIn, VideoFrames, Corrections, Ignored atomic.Uint64
	// Those of viewers are added up by their writers: Dropped counts frames
	// left out because of lag, Gaps those that had fallen off the ring.
	BytesOut, FramesOut, Dropped, Gaps, Skips, GOPDrops atomic.Uint64
	// TapGaps counts gaps of plugins, TapMissed the frames in them.
	TapGaps, TapMissed atomic.Uint64
	// Viewers by protocol, in the order of [Protocols].
	Viewers [3]atomic.Int64
}

// Protocols are the names of the ways to watch, in the order of
// Counters.Viewers.
var Protocols = [3]string{"rtmp", "http-flv", "ws-flv"}

// Counters returns the stream's totals.
func (s *Stream) Counters() *Counters { return &s.counters }

// State is what decoders need before the next frame.
func (s *Stream) State() *media.State { return s.state.Load() }

// Head is the sequence number that the next frame will get.
func (s *Stream) Head() uint64 { return s.ring.head.Load() }

// At returns frame seq, or nil if the ring does not hold it.
func (s *Stream) At(seq uint64) *media.Frame { return s.ring.at(seq) }

// Ended reports whether nothing will follow what the ring holds, and why.
func (s *Stream) Ended() (reason string, ended bool) {
	if !s.ended.Load() {
		return "", false
	}
	return s.end, true
}

// Subscribe has w woken from now on. A waker subscribes once.
func (s *Stream) Subscribe(w Waker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var next []Waker
	if old := s.wakers.Load(); old != nil {
		next = append(next, *old...)
	}
	next = append(next, w)
	s.wakers.Store(&next)
}

// Unsubscribe ends what Subscribe began. An ended stream's ring counts as
// memory until the last waker has gone.
func (s *Stream) Unsubscribe(w Waker) {
	if s.unsubscribe(w) && s.ended.Load() {
		s.registry.release(s)
	}
}

// unsubscribe reports whether w was the last.
func (s *Stream) unsubscribe(w Waker) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.wakers.Load()
	if old == nil {
		return false
	}
	var next []Waker
	for _, o := range *old {
		if o != w {
			next = append(next, o)
		}
	}
	s.wakers.Store(&next)
	return len(next) == 0
}

// watchers reports whether anybody is subscribed.
func (s *Stream) watchers() bool {
	ws := s.wakers.Load()
	return ws != nil && len(*ws) > 0
}

// Wake tells all wakers of news. A publisher's loop calls it once per batch
// of frames that it read.
func (s *Stream) Wake() {
	if ws := s.wakers.Load(); ws != nil {
		for _, w := range *ws {
			w.Wake(s)
		}
	}
}

// setState puts a changed state in force. Under s.mu.
func (s *Stream) setState(change func(*media.State)) {
	next := *s.state.Load()
	change(&next)
	s.state.Store(&next)
}

// introduce puts f in force, which changes the state, and in the ring if it
// has viewers. Under s.mu.
func (s *Stream) introduce(f *media.Frame, change func(*media.State), o *Options) {
	next := *s.state.Load()
	change(&next)
	f.State, f.Next = s.state.Load(), &next
	f.Seal()
	if f.Kind != media.Data || s.watched {
		s.append(f, o)
	}
	// Last: from here on others see f, and it must not change any more.
	s.state.Store(&next)
}

// append numbers f and puts it into the ring. Under s.mu.
func (s *Stream) append(f *media.Frame, o *Options) {
	if f.Kind == media.Video && f.Is(media.Keyframe) && f.IsMedia() && !f.Is(media.Other) {
		f.Key = keyIsSelf
		s.startGOP(f, o)
	} else {
		f.Key = s.key
		if s.early(f) {
			f.Flags |= media.Early
		}
	}
	s.ring.push(f)
	s.registry.bytes.Add(int64(f.Size()))
	s.gopBytes += int64(f.Size())
	s.trim(f.Arrived, o)
}

// early reports whether who starts at the GOP's keyframe does without f: audio
// from before it, and other video tracks' frames from before their own.
func (s *Stream) early(f *media.Frame) bool {
	switch {
	case !f.IsMedia() || s.key == 0:
		return false
	case f.Kind == media.Audio:
		return f.DTS < s.keyDTS
	case f.Is(media.Keyframe):
		if s.keyed == nil {
			s.keyed = make(map[uint8]uint64)
		}
		s.keyed[f.Track] = s.key
		return false
	}
	return f.Is(media.Other) && s.keyed[f.Track] != s.key
}

func (s *Stream) startGOP(f *media.Frame, o *Options) {
	s.key = s.ring.head.Load()
	s.keyDTS = f.DTS
	s.keyAt = f.Arrived
	s.gopBytes = 0
	if o.GOPCache {
		s.gop.Store(s.key)
	} else {
		s.gop.Store(0)
	}
}

// trimSteps is in how many steps a ring's time is trimmed: the oldest frames
// have left the caches long ago, and several at once cost hardly more than one.
const trimSteps = 64

// trim lets the oldest frames go that the caps do not allow. Under s.mu.
func (s *Stream) trim(now int64, o *Options) {
	if s.gop.Load() != 0 && (s.gopBytes > o.GOPMaxBytes || now-s.keyAt > int64(o.GOPMaxAge)) {
		s.dropGOP()
	}
	r := &s.ring
	if now-s.trimmed >= int64(o.RingTime)/trimSteps || r.bytes.Load() > o.RingBytes {
		s.trimmed = now
		s.dropOld(now, o)
	}
	s.registry.enforce(s)
}

func (s *Stream) dropOld(now int64, o *Options) {
	r := &s.ring
	keep := s.keep()
	dropped := int64(0)
	for tail := r.tail.Load(); tail < keep; tail++ {
		f := r.at(tail)
		if r.bytes.Load() <= o.RingBytes && now-f.Arrived <= int64(o.RingTime) || s.claimed(f, now) {
			break
		}
		dropped += r.drop()
	}
	s.registry.bytes.Add(-dropped)
}

func (s *Stream) dropGOP() {
	s.gop.Store(0)
	s.counters.GOPDrops.Add(1)
}

// keep is the oldest sequence number that must stay: the cached GOP's first,
// or the newest frame.
func (s *Stream) keep() uint64 {
	if gop := s.gop.Load(); gop != 0 {
		return gop
	}
	return s.ring.head.Load() - 1
}

// severity says what goes when memory is short, each with those before it.
type severity uint8

const (
	laggards  severity = iota // what slow viewers have not got yet
	gops                      // cached GOPs
	recorders                 // what recorders have not got yet
)

// shed drops the oldest frames until want bytes are free, or all that may go
// have gone. It returns the bytes freed. Under s.mu.
func (s *Stream) shed(how severity, want int64) (freed int64) {
	if how >= gops && s.gop.Load() != 0 {
		s.dropGOP()
	}
	for stay := s.stay(how); freed < want && s.ring.tail.Load() < stay; {
		freed += s.ring.drop()
	}
	s.registry.bytes.Add(-freed)
	return freed
}

// stay is the oldest frame that shed leaves. Under s.mu.
func (s *Stream) stay(how severity) uint64 {
	stay := s.ring.head.Load() - 1
	if gop := s.gop.Load(); gop != 0 && how < gops {
		stay = gop
	}
	if how < recorders {
		stay = s.wanted(stay)
	}
	return stay
}

// backlog is how many bytes shed could free. Under s.mu.
func (s *Stream) backlog(how severity) int64 {
	oldest, first := s.ring.at(s.ring.tail.Load()), s.ring.at(s.stay(how))
	if oldest == nil || first == nil || first.Seq <= oldest.Seq {
		return 0
	}
	return first.Total - int64(first.Size()) - (oldest.Total - int64(oldest.Size()))
}

func sameData(a, b *media.Frame) bool {
	return a != nil && b != nil && bytes.Equal(a.Payload(), b.Payload())
}
