package gate

import (
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/web"
)

const (
	// defaultTarget stands for the target duration of what has none.
	defaultTarget = 6 * time.Second
	// pastAge is how long an ended session can be gone on with: for a player
	// that was paused.
	pastAge = 30 * time.Minute
	// maxSessions and maxPast bound what is kept; over maxSessions newcomers
	// are refused.
	maxSessions = 100_000
	maxPast     = 10_000
)

// maxParams is how much of a query is kept for on_stop, in bytes; of a longer
// one, nothing.
const maxParams = 4 << 10

// maxPath bounds a path, in bytes: no file has a longer one.
const maxPath = 4096

// session is one viewer of one stream's files.
type session struct {
	id, identity string
	place
	asked event.Event // on_play's
	// decided is closed when on_play has been, refusal and what follows it set.
	decided chan struct{}
	refusal web.Decision
	limiter *rate.Limiter // nil: as fast as can be
	until   time.Time     // zero: as long as it likes
	// instead is the folder that is served in place of its own; "": its own.
	instead string
	since   time.Time

	bytes atomic.Uint64 // sent
	// over is set when it may not go on, to the reason.
	over atomic.Pointer[string]

	// Under the Gate's mu:
	active int       // requests that are being answered
	last   time.Time // the begin or end of the newest of them
	target time.Duration
	ended  time.Time // when it came among those of the past
}

// enter finds the session that a request is part of, or begins it; nil if it
// may not.
func (g *Gate) enter(r *http.Request, p place, ev event.Event) (*session, web.Decision) {
	id := g.verify(r.URL.Query().Get(idParameter), p.prefix)
	who := ""
	if id == "" {
		who = identity(r, ev.RemoteAddr, p)
	}
	g.mu.Lock()
	s := g.find(id, who)
	if s == nil {
		if len(g.sessions) >= maxSessions {
			g.mu.Unlock()
			return nil, web.Decision{Status: http.StatusServiceUnavailable, Reason: "too many viewers"}
		}
		s = g.add(id, who, p, ev)
		g.mu.Unlock()
		g.decide(s)
		g.mu.Lock()
	}
	s.active++
	s.last = g.options.Now()
	g.mu.Unlock()
	select {
	case <-s.decided:
	case <-r.Context().Done():
		g.leave(s)
		return nil, gone
	}
	if d, ok := s.barred(); ok {
		g.leave(s)
		return nil, d
	}
	return s, web.Decision{}
}

// barred is the answer to one who may not go on.
func (s *session) barred() (web.Decision, bool) {
	if s.refusal.Status != 0 || s.refusal.Redirect != "" {
		return s.refusal, true
	}
	if reason := s.over.Load(); reason != nil {
		return web.Decision{Status: http.StatusForbidden, Reason: *reason}, true
	}
	return web.Decision{}, false
}

// find looks for a session by its id, else by who watches. One that was told
// to end is found by its id only: who comes anew is asked about anew.
func (g *Gate) find(id, who string) *session {
	if id == "" {
		return g.by[who]
	}
	if s := g.sessions[id]; s != nil {
		return s
	}
	if s := g.past[id]; s != nil && s.over.Load() != nil {
		return s
	}
	return nil
}

// add puts a new session in the table, or one that goes on after it ended: that
// keeps its id, and is asked about as it was at its begin.
func (g *Gate) add(id, who string, p place, ev event.Event) *session {
	now := g.options.Now()
	s := &session{
		id: id, identity: who, place: p, asked: ev, decided: make(chan struct{}),
		since: now, last: now, target: defaultTarget,
	}
	if old := g.past[id]; old != nil && id != "" {
		delete(g.past, id)
		s.asked, s.identity, s.until, s.target = old.asked, old.identity, old.until, old.target
		s.asked.RemoteAddr, s.asked.Headers, s.asked.Time = ev.RemoteAddr, ev.Headers, now
	}
	if s.id == "" {
		s.id = newID()
	}
	p.describe(&s.asked)
	s.asked.ClientID, s.asked.Event = s.id, event.Play
	g.sessions[s.id] = s
	if s.identity != "" {
		g.by[s.identity] = s
	}
	s.active++ // until it is decided
	return s
}

// decide has on_play run, and tells of the viewer if it may watch.
func (g *Gate) decide(s *session) {
	defer g.leave(s)
	defer close(s.decided)
	v := event.Verdict{Allow: true}
	if g.decides(event.Play) {
		v = g.ask(s.asked)
	}
	s.refusal = g.refusal(s.asked, v)
	if s.refusal.Status != 0 || s.refusal.Redirect != "" {
		g.forget(s)
		return
	}
	if v.Rate > 0 {
		s.limiter = web.NewLimiter(v.Rate)
	}
	if until := s.since.Add(v.Limit); v.Limit > 0 && (s.until.IsZero() || until.Before(s.until)) {
		s.until = until
	}
	if i := strings.LastIndexByte(v.Stream, '/'); i > 0 {
		s.instead = folder(s.protocol, v.Stream[:i], v.Stream[i+1:])
		s.asked.App, s.asked.Name, s.asked.StreamID = v.Stream[:i], v.Stream[i+1:], v.Stream
	}
	s.trim()
	g.began(s)
}

// trim lets go of what need not be kept as long as somebody watches, and could
// be as large as a request's head.
func (s *session) trim() {
	a := &s.asked
	a.Headers = nil
	a.UserAgent, a.PageURL, a.Path = clip(a.UserAgent), clip(a.PageURL), strings.Clone(a.Path)
	kept, size := make(map[string]string, len(a.Params)), 0
	for name, value := range a.Params {
		size += len(name) + len(value)
		kept[strings.Clone(name)] = strings.Clone(value) // they are parts of the request line
	}
	if a.Params = kept; size > maxParams {
		a.Params = nil
	}
}

// pathOf is what is served for a path; "" for itself.
func (s *session) pathOf(path string) string {
	if rest, ok := strings.CutPrefix(path, s.prefix); ok && s.instead != "" {
		return s.instead + rest
	}
	return ""
}

// leave is the end of a request.
func (g *Gate) leave(s *session) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s.active--
	s.last = g.options.Now()
}

// forget takes a session out of the table, as if it had never been.
func (g *Gate) forget(s *session) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.drop(s)
}

func (g *Gate) drop(s *session) {
	if g.sessions[s.id] == s {
		delete(g.sessions, s.id)
	}
	if g.by[s.identity] == s {
		delete(g.by, s.identity)
	}
}

// Sweep ends the sessions whose time is over or that have sent no request for
// three target durations. To be called about once a second.
func (g *Gate) Sweep() {
	now := g.options.Now()
	var ends []end
	g.mu.Lock()
	for _, s := range g.sessions {
		switch over := s.over.Load(); {
		case !s.isDecided():
		case over != nil:
			ends = append(ends, s.end(*over))
		case !s.until.IsZero() && !now.Before(s.until):
			s.finish("the time to watch is over")
			ends = append(ends, s.end(*s.over.Load()))
		case s.active == 0 && now.Sub(s.last) > 3*s.target:
			ends = append(ends, s.end("no request for three target durations"))
		}
	}
	for _, e := range ends {
		g.drop(e.session)
		g.retire(e.session, now)
	}
	g.expire(now)
	g.mu.Unlock()
	for _, e := range ends {
		g.tellEnd(e)
	}
}

// end is how a session has ended.
type end struct {
	session *session
	reason  string
	took    time.Duration // from its first request to the end of its last
}

// end is called under the Gate's mu.
func (s *session) end(reason string) end {
	return end{s, reason, s.last.Sub(s.since).Round(time.Millisecond)}
}

// End ends all sessions for reason.
func (g *Gate) End(reason string) {
	g.mu.Lock()
	for _, s := range g.sessions {
		s.finish(reason)
	}
	g.mu.Unlock()
	g.Sweep()
}

func (s *session) isDecided() bool {
	select {
	case <-s.decided:
		return true
	default:
		return false
	}
}

// finish has the session's answers end, and refuses further requests.
func (s *session) finish(reason string) { s.over.CompareAndSwap(nil, &reason) }

// retire keeps an ended session for a player that comes back.
func (g *Gate) retire(s *session, now time.Time) {
	g.bytes[s.protocol] += s.bytes.Load()
	s.ended = now
	if len(g.past) < maxPast {
		g.past[s.id] = s
	}
}

func (g *Gate) expire(now time.Time) {
	for id, s := range g.past {
		if now.Sub(s.ended) > pastAge {
			delete(g.past, id)
		}
	}
	maps.DeleteFunc(g.lists, func(_ string, l listed) bool { return now.After(l.until) })
}

// Kick ends the session with an id for reason, and reports whether there was
// one.
func (g *Gate) Kick(id, reason string) bool {
	g.mu.Lock()
	s := g.sessions[id]
	g.mu.Unlock()
	if s == nil || !s.isDecided() {
		return false
	}
	s.finish(reason)
	g.Sweep() // it is told of at once
	return true
}
