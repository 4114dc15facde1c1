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
	Recoded               // a sequence header changed after that
	LateTrack             // a medium came after that
	Pressure              // memory was short; Freed bytes of backlog went
)

// Notice tells of a change in a stream's life.
type Notice struct {
	Stream *Stream
	What   What
	// Publisher is the one that there is, or was last.
	Publisher Publisher
	Reason    string
	// Gap is how long a stream that is Back had none.
	Gap   time.Duration
	Kind  media.Kind
	TS    uint32
	DTS   int64
	Freed int64
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
	// holders are the streams whose rings count as memory: the live ones, and
	// those that ended and still have viewers.
	holders map[*Stream]struct{}
	// sessions are the live streams, and those whose rings are kept for
	// recorders, by publish session.
	sessions map[string]*Stream
	awaited  func(session string) bool // nil: none is

	budgetsMu sync.Mutex
	budgets   map[string]*Budget
}

// NewRegistry returns an empty registry. Notices are handed to notices with
// the stream's lock held, so that those of one stream come in order: it must
// not block, nor call back.
func NewRegistry(o Options, notices func(Notice)) *Registry {
	r := &Registry{
		streams: make(map[Key]*Stream), holders: make(map[*Stream]struct{}),
		sessions: make(map[string]*Stream), budgets: make(map[string]*Budget),
		notices: notices,
	}
	r.SetOptions(o)
	return r
}

// SetOptions puts options in force, from the next frame, publish or join on.
func (r *Registry) SetOptions(o Options) { r.options.Store(&o) }

// Options are the options in force. The caller must not change them.
func (r *Registry) Options() *Options { return r.options.Load() }

// Bytes is the memory that all rings hold.
func (r *Registry) Bytes() int64 { return r.bytes.Load() }

// notify is called with the stream's lock held.
func (r *Registry) notify(n Notice) {
	if r.notices != nil {
		n.Publisher = n.Stream.lastPublisher
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
		p, err := r.getOrCreate(k, now).take(pub, now)
		if errors.Is(err, errEnded) {
			continue // it ended between look-up and take; the next is new
		}
		return p, err
	}
}

func (r *Registry) getOrCreate(k Key, now int64) *Stream {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.streams[k]; s != nil {
		return s
	}
	s := &Stream{Key: k, ID: r.nextID.Add(1), Since: now, Started: time.Now(), registry: r}
	s.Session = newSession(s.Started)
	s.ring.init()
	s.state.Store(&media.State{})
	r.streams[k] = s
	r.sessions[s.Session] = s
	r.holders[s] = struct{}{}
	return s
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
	s.stopTimer()
	if s.pub != nil && s.pub.sawMedia {
		s.lostAt = now
	}
	s.session++
	p := &Publication{Stream: s, Publisher: pub, session: s.session, gated: true, lastMedia: now, metadata: pub.Metadata}
	s.pub = p
	s.lastPublisher = pub
	n := Notice{Stream: s, What: Started}
	if s.session > 1 {
		n.What = Back
		s.timeline.resume()
	}
	if s.without > 0 {
		n.Gap, s.without = time.Duration(now-s.without), 0
	}
	s.ready.Store(false)
	// Its sequence headers are sent even when they equal the last session's,
	// and what it has is for it to show. Nobody starts in the old GOP.
	s.setState(func(st *media.State) { *st = media.State{Session: s.session, Metadata: st.Metadata} })
	s.key, s.keyDTS = 0, 0
	s.gop.Store(0)
	s.first.Store(s.ring.head.Load())
	s.registry.notify(n)
	return p
}

// stopTimer ends the grace. Under s.mu.
func (s *Stream) stopTimer() {
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
}

// Close ends the publication. A clean end (the publisher said so) ends the
// stream; after any other the stream waits for it to come back.
func (p *Publication) Close(clean bool, reason string, now int64) {
	if !clean && p.lose(reason, now) {
		return
	}
	p.Stream.finish(reason, func() bool { return p.Stream.pub == p })
}

// lose begins the grace, or goes on with it if the session has sent no media.
// It reports false if there is none.
func (p *Publication) lose(reason string, now int64) bool {
	s := p.Stream
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pub != p {
		return true // another's by now
	}
	if p.sawMedia {
		s.lostAt = now
	}
	grace := s.registry.Options().ReconnectGrace
	rest := grace - time.Duration(now-s.lostAt)
	if s.lostAt == 0 || rest <= 0 {
		return false
	}
	s.pub, s.without = nil, now
	timer := time.AfterFunc(rest, func() {
		s.finish(fmt.Sprintf("%s; nobody came back within %v", reason, grace),
			func() bool { return s.pub == nil && s.session == p.session })
	})
	s.stop = func() { timer.Stop() }
	s.registry.notify(Notice{Stream: s, What: Lost, Reason: reason})
	return true
}

// finish ends the stream, once and if it is due: nobody finds it any more, its
// viewers get what the ring holds and then their end. It returns the
// publication that fed it, if any, and whether it did end it.
func (s *Stream) finish(reason string, due func() bool) (old *Publication, done bool) {
	r := s.registry
	r.mu.Lock()
	s.mu.Lock()
	if s.ended.Load() || !due() {
		s.mu.Unlock()
		r.mu.Unlock()
		return nil, false
	}
	delete(r.streams, s.Key)
	old, s.pub = s.pub, nil
	s.stopTimer()
	s.end = reason
	s.ended.Store(true)
	r.retire(s)
	r.letGo(s)
	r.mu.Unlock()
	r.notify(Notice{Stream: s, What: EndedNow, Reason: reason})
	s.mu.Unlock()
	s.Wake()
	return old, true
}

// release is called when an ended stream has lost a viewer.
func (r *Registry) release(s *Stream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	r.letGo(s)
}

// letGo counts an ended stream's ring no more, unless viewers keep it, or it is
// kept for a recorder. Under r.mu and s.mu.
func (r *Registry) letGo(s *Stream) {
	if _, held := r.holders[s]; held && !s.watchers() && !s.kept {
		delete(r.holders, s)
		r.bytes.Add(-s.ring.bytes.Load())
	}
}

// Kick ends the stream at once and its publisher's connection with it. It
// reports whether there was something to end.
func (s *Stream) Kick(reason string) bool {
	old, done := s.finish(reason, func() bool { return true })
	if old != nil && old.Publisher.Evict != nil {
		old.Publisher.Evict(reason)
	}
	return done
}

// Forsake ends the streams, but that of except, that wait for a publisher that
// asked for the same as pub, from the same peer with the same query: it is
// known not to come back to them.
func (r *Registry) Forsake(pub Publisher, except Key, reason string) {
	r.Each(func(s *Stream) bool {
		if s.Key != except {
			s.finish(reason, func() bool {
				last := &s.lastPublisher
				return s.pub == nil && last.Asked == pub.Asked && last.Peer == pub.Peer && last.Query == pub.Query
			})
		}
		return true
	})
}

// Kick ends the stream at once if p feeds it still. It reports whether it did.
func (p *Publication) Kick(reason string) bool {
	old, done := p.Stream.finish(reason, func() bool { return p.Stream.pub == p })
	if old != nil && old.Publisher.Evict != nil {
		old.Publisher.Evict(reason)
	}
	return done
}

// enforce frees backlog when all rings together pass their cap: the largest
// backlog first, then cached GOPs, what recorders wait for last. Under s.mu;
// other streams are tried, not waited for.
func (r *Registry) enforce(s *Stream) {
	limit := r.Options().Memory
	if limit <= 0 || r.bytes.Load() <= limit {
		return
	}
	// Some more than must be goes at once, else each frame would have to look
	// for a victim.
	goal := limit - limit/32
	var freed int64
	for _, how := range []severity{laggards, gops, recorders} {
		for r.bytes.Load() > goal {
			victim := r.largest(s, how)
			if victim == nil {
				break
			}
			freed += victim.shed(how, r.bytes.Load()-goal)
			victim.unlockOther(s)
		}
		goal = limit // GOPs: no more than must be
	}
	if freed > 0 {
		r.notify(Notice{Stream: s, What: Pressure, Freed: freed})
	}
}

// largest returns the stream with the most to shed, locked unless it is self,
// or nil if none has anything. Under self.mu, so the registry's lock, which
// comes first, is only tried.
func (r *Registry) largest(self *Stream, how severity) (best *Stream) {
	if !r.mu.TryRLock() {
		return nil
	}
	defer r.mu.RUnlock()
	var most int64
	for s := range r.holders {
		if s != self && !s.mu.TryLock() {
			continue
		}
		n := s.backlog(how)
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
