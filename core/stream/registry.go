package stream

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/core/media"
)

// ErrBusy is why a publisher was refused: the name is in use. Errors of
// Publish wrap it with a reason fit for the publisher's eyes.
var ErrBusy = errors.New("stream is busy")

// What is a kind of notice.
type What uint8

// Kinds of notices.
const (
	Started   What = iota // the first publisher came
	Back                  // a publisher came back within the grace, or took over
	Lost                  // the publisher went without a word; the grace begins
	EndedNow              // the session is over
	Corrected             // the first timestamp correction
	Settled               // it is known which media a session has
	LateTrack             // a medium came after that
	Pressure              // memory was short; Freed bytes of backlog went
)

// Notice tells of a change in a stream's life.
type Notice struct {
	Stream *Stream
	What   What
	Reason string
	Kind   media.Kind
	TS     uint32
	DTS    int64
	Freed  int64
}

// Registry holds the live streams by key. Its methods may be called from any
// goroutine.
type Registry struct {
	options atomic.Pointer[Options]
	notices func(Notice)
	bytes   atomic.Int64
	nextID  atomic.Uint64

	mu      sync.RWMutex
	streams map[Key]*Stream
}

// NewRegistry returns an empty registry. Notices are handed to notices with
// locks held: it must not block, nor call back.
func NewRegistry(o Options, notices func(Notice)) *Registry {
	r := &Registry{streams: make(map[Key]*Stream), notices: notices}
	r.SetOptions(o)
	return r
}

// SetOptions puts options in force, from the next frame, publish or join on.
func (r *Registry) SetOptions(o Options) { r.options.Store(&o) }

// Options are the options in force. The caller must not change them.
func (r *Registry) Options() *Options { return r.options.Load() }

// Bytes is the memory that all rings hold.
func (r *Registry) Bytes() int64 { return r.bytes.Load() }

func (r *Registry) notify(n Notice) {
	if r.notices != nil {
		r.notices(n)
	}
}

// Lookup returns the live (or briefly lost) stream, or nil.
func (r *Registry) Lookup(k Key) *Stream {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.streams[k]
}

// Each calls f for each stream until it returns false.
func (r *Registry) Each(f func(*Stream) bool) {
	r.mu.RLock()
	all := make([]*Stream, 0, len(r.streams))
	for _, s := range r.streams {
		all = append(all, s)
	}
	r.mu.RUnlock()
	for _, s := range all {
		if !f(s) {
			return
		}
	}
}

// Publish makes pub the publisher of k, or says in an error that wraps
// ErrBusy why not.
func (r *Registry) Publish(k Key, pub Publisher, now int64) (*Publication, error) {
	for {
		s, created := r.getOrCreate(k, now)
		p, err := s.take(pub, now)
		if errors.Is(err, errEnded) {
			continue // it ended between look-up and take; the next is new
		}
		if err == nil {
			r.notify(Notice{Stream: s, What: startedOrBack(created)})
		}
		return p, err
	}
}

func startedOrBack(created bool) What {
	if created {
		return Started
	}
	return Back
}

func (r *Registry) getOrCreate(k Key, now int64) (s *Stream, created bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.streams[k]; s != nil {
		return s, false
	}
	s = &Stream{Key: k, ID: r.nextID.Add(1), Since: now, registry: r}
	s.ring.init()
	s.state.Store(&media.State{})
	r.streams[k] = s
	return s, true
}

var errEnded = errors.New("stream has ended")

// take puts pub in the publisher's place if the policy allows.
func (s *Stream) take(pub Publisher, now int64) (*Publication, error) {
	o := s.registry.Options()
	s.mu.Lock()
	if s.ended.Load() {
		s.mu.Unlock()
		return nil, errEnded
	}
	old := s.pub
	if old != nil {
		if err := s.busy.decide(o, old, pub, now); err != nil {
			s.mu.Unlock()
			return nil, err
		}
	}
	p := s.install(pub, now)
	s.mu.Unlock()
	if old != nil && old.Publisher.Evict != nil {
		old.Publisher.Evict("replaced by another publisher from " + pub.RemoteAddr)
	}
	return p, nil
}

// install starts a session. Under s.mu.
func (s *Stream) install(pub Publisher, now int64) *Publication {
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
	s.session++
	p := &Publication{Stream: s, Publisher: pub, session: s.session, gated: true, lastMedia: now, metadata: pub.Metadata}
	s.pub = p
	if s.session > 1 {
		s.timeline.resume()
	}
	s.ready.Store(false)
	// Its sequence headers are sent even when they equal the last session's,
	// and what it has is for it to show.
	s.setState(func(st *media.State) { *st = media.State{Session: s.session, Metadata: st.Metadata} })
	return p
}

// Close ends the publication. A clean end (the publisher said so) ends the
// stream; after any other the stream waits for it to come back.
func (p *Publication) Close(clean bool, reason string, now int64) {
	s := p.Stream
	s.mu.Lock()
	if s.pub != p {
		s.mu.Unlock()
		return
	}
	s.pub = nil
	grace := s.registry.Options().ReconnectGrace
	if clean || grace <= 0 || !p.sawMedia {
		s.mu.Unlock()
		s.finish(reason)
		return
	}
	s.lostAt = now
	session := s.session
	timer := time.AfterFunc(grace, func() { s.expire(session, reason) })
	s.stop = func() { timer.Stop() }
	s.mu.Unlock()
	s.registry.notify(Notice{Stream: s, What: Lost, Reason: reason})
}

func (s *Stream) expire(session uint64, reason string) {
	s.mu.Lock()
	due := s.pub == nil && s.session == session
	s.mu.Unlock()
	if due {
		s.finish(reason + fmt.Sprintf("; nobody came back within %v", s.registry.Options().ReconnectGrace))
	}
}

// finish ends the stream, once: nobody finds it any more, its viewers get
// what the ring holds and then their end.
func (s *Stream) finish(reason string) {
	r := s.registry
	r.mu.Lock()
	s.mu.Lock()
	if s.ended.Load() || s.pub != nil {
		s.mu.Unlock()
		r.mu.Unlock()
		return
	}
	if r.streams[s.Key] == s {
		delete(r.streams, s.Key)
	}
	s.end = reason
	s.ended.Store(true)
	r.bytes.Add(-s.ring.bytes.Load())
	s.mu.Unlock()
	r.mu.Unlock()
	r.notify(Notice{Stream: s, What: EndedNow, Reason: reason})
	s.Wake()
}

// Kick ends the stream at once and its publisher's connection with it. It
// reports whether there was something to end.
func (s *Stream) Kick(reason string) bool {
	s.mu.Lock()
	if s.ended.Load() {
		s.mu.Unlock()
		return false
	}
	old := s.pub
	s.pub = nil
	s.mu.Unlock()
	if old != nil && old.Publisher.Evict != nil {
		old.Publisher.Evict(reason)
	}
	s.finish(reason)
	return true
}

// enforce frees backlog when all rings together pass their cap: the largest
// backlog first, cached GOPs last. Under s.mu; other streams are tried, not
// waited for.
func (r *Registry) enforce(s *Stream) {
	limit := r.Options().Memory
	if limit <= 0 || r.bytes.Load() <= limit {
		return
	}
	freed := s.shed(false)
	for _, all := range []bool{false, true} {
		for r.bytes.Load() > limit {
			victim := r.largest(s, all)
			if victim == nil {
				break
			}
			n := victim.shed(all)
			if victim != s {
				victim.mu.Unlock()
			}
			freed += n
			if n == 0 {
				break
			}
		}
	}
	r.notify(Notice{Stream: s, What: Pressure, Freed: freed})
}

// largest returns the stream with the most to shed, locked unless it is self.
// Under self.mu, so the registry's lock, which comes first, is only tried.
func (r *Registry) largest(self *Stream, all bool) *Stream {
	if !r.mu.TryRLock() {
		return nil
	}
	defer r.mu.RUnlock()
	var best *Stream
	var most int64
	for _, s := range r.streams {
		if s != self && !s.mu.TryLock() {
			continue
		}
		n := s.backlog()
		if all {
			n = s.ring.bytes.Load()
		}
		if n <= most {
			s.unlockOther(self)
			continue
		}
		if best != nil {
			best.unlockOther(self)
		}
		best, most = s, n
	}
	return best
}

func (s *Stream) unlockOther(self *Stream) {
	if s != self {
		s.mu.Unlock()
	}
}
