package host

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/millrace/millrace/core/event"
	pluginv1 "github.com/millrace/millrace/plugins/proto/v1"
)

// phase is where an attachment is.
type phase uint8

const (
	idle phase = iota
	attaching
	attached
	detaching
)

// attachment is a stream that a plugin has, or is to have. It belongs to the
// supervisor's goroutine.
type attachment struct {
	e     event.Event // as the stream started
	phase phase
	p     *process // unless idle
	// first is where the session began for the plugin, 0: at the cached GOP.
	first uint64
	// How to attach next.
	from     uint64
	resume   bool
	handover []byte
	after    time.Time // not before
	fails    int
	health   *pluginv1.StreamHealth
	// begun: a process has it, or had, and has not said that it is done with
	// it. refused: the plugin would not begin.
	begun, refused bool
	// offered is when it was taken up, of a session that had ended by then.
	offered time.Time
	// ended is when the session was first found over; zero: it is live.
	ended time.Time
	// late: the process was asked for the end, and had not come to it in time.
	late bool
}

// young is the age in which a session's first frame is asked for: the server
// still has it, or says what is missing. Later ones begin at the cached GOP.
const young = 10 * time.Second

// wants reports whether a stream is to be attached.
func (s *supervisor) wants(e *event.Event) bool {
	if s.cur.info.Media == nil {
		return false
	}
	if want, ok := s.overrides[e.Session]; ok {
		return want
	}
	return s.asksFor(s.cur, e)
}

// asksFor reports whether a hook, or else the plugin by what a process said of
// itself, wants a stream. Any goroutine.
func (s *supervisor) asksFor(p *process, e *event.Event) bool {
	if s.h.o.Wants != nil {
		if want, decided := s.h.o.Wants(s.name, *e); decided {
			return want
		}
	}
	return p.wants(e)
}

// doReconcile brings what is attached into line with what is live.
func (s *supervisor) doReconcile() {
	if s.ctx.Err() != nil {
		return
	}
	if s.cur == nil {
		s.doGiveUp()
		s.doOffers()
		return
	}
	for _, e := range s.h.streams() {
		if s.sessions[e.Session] == nil && s.wants(&e) {
			s.doAdd(&attachment{e: e, first: s.entrance(&e)})
		}
	}
	s.doOffers()
	for _, a := range s.sessions {
		s.doAdvance(a)
	}
	for session := range s.overrides {
		if _, live := s.h.isLive(session); !live && !s.isOffered(session) && s.sessions[session] == nil {
			delete(s.overrides, session)
		}
	}
	s.doSwapped()
}

// entrance is the frame with which a live stream begins for the plugin, 0: the
// cached GOP. Of one without media yet it is the first: the server would let the
// plugin wait for what it can begin with, and Attach with it.
func (s *supervisor) entrance(e *event.Event) uint64 {
	_, byHand := s.overrides[e.Session]
	if silent := e.VideoCodec == "" && e.AudioCodec == ""; silent || !byHand && time.Since(started(e)) < young {
		return 1
	}
	return 0
}

// doAdd has a stream attached, from a.first on.
func (s *supervisor) doAdd(a *attachment) {
	a.from = a.first
	s.sessions[a.e.Session] = a
	s.mu.Lock()
	s.held[a.e.Session] = a.e
	s.mu.Unlock()
	s.h.hold(a.e.Session)
}

func (s *supervisor) doRemove(a *attachment) {
	delete(s.sessions, a.e.Session)
	s.mu.Lock()
	delete(s.held, a.e.Session)
	s.mu.Unlock()
	s.h.release(a.e.Session)
}

// streams are the live ones, and those that have ended and that the plugin has
// not come to the end of.
func (s *supervisor) streams() []event.Event {
	all := s.h.streams()
	live := make(map[string]bool, len(all))
	for i := range all {
		live[all[i].Session] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for session, e := range s.held {
		if !live[session] {
			all = append(all, e)
		}
	}
	return all
}

// doAdvance takes the next step for one stream.
func (s *supervisor) doAdvance(a *attachment) {
	e, live := s.h.isLive(a.e.Session)
	want := live && s.wants(&e)
	switch {
	case a.phase == idle && live && !want && !a.resume && a.handover == nil, a.phase == idle && !live && !s.doOwed(a):
		s.doRemove(a)
	case a.phase == idle && s.waits(a):
	case a.phase == idle:
		s.doAttach(a) // perhaps only to come to an end
	case a.phase == attached && !live:
		s.doDetach(a, pluginv1.DetachReason_DETACH_REASON_ENDED, streamEnded)
	case a.phase == attached && (!want || a.late):
		s.doDetach(a, pluginv1.DetachReason_DETACH_REASON_STOPPED, "the recording was stopped")
	case a.phase == attached && a.p != s.cur:
		s.doHandover(a)
	}
}

func (s *supervisor) doAttach(a *attachment) {
	if wait := time.Until(a.after); wait > 0 {
		time.AfterFunc(wait, s.poke)
		return
	}
	a.phase, a.p = attaching, s.cur
	p, e := a.p, a.e
	q := &pluginv1.AttachRequest{FromSeq: a.from, Resume: a.resume, Handover: a.handover}
	if a.resume {
		q.FirstSeq = a.first
	}
	s.background.Go(func() {
		err := p.attach(p.ctx, &e, q)
		s.post(func() { s.doAttached(a, p, err) })
	})
}

// Delays between attempts to attach a stream.
const (
	leastRetry = 200 * time.Millisecond
	mostRetry  = 30 * time.Second
)

func (s *supervisor) doAttached(a *attachment, p *process, err error) {
	if a.p != p || a.phase != attaching {
		return // the process ended meanwhile
	}
	if err == nil {
		a.phase, a.from, a.resume, a.handover, a.begun = attached, 0, false, nil, true
		return
	}
	if _, live := s.h.isLive(a.e.Session); live {
		s.logger.Warn("plugin did not take a stream", "stream_id", a.e.StreamID, "session", a.e.Session, "error", err)
	}
	s.doIdle(a)
	a.refused = a.handover == nil && status.Code(err) == codes.Unknown // the plugin's own error: it has not begun
	if !a.refused {
		a.resume, a.handover, a.from, a.begun = true, nil, 0, true
	}
	s.doBackOff(a)
}

// doIdle lets an attachment be attached again.
func (s *supervisor) doIdle(a *attachment) { a.phase, a.p, a.health, a.late = idle, nil, nil, false }

func (s *supervisor) doBackOff(a *attachment) {
	delay := min(leastRetry<<min(a.fails, 10), mostRetry)
	a.fails++
	a.after = time.Now().Add(delay)
	time.AfterFunc(delay, s.poke)
}

const streamEnded = "the stream ended"

func (s *supervisor) doDetach(a *attachment, why pluginv1.DetachReason, message string) {
	a.phase = detaching
	p, q := a.p, &pluginv1.DetachRequest{Session: a.e.Session, Reason: why, Message: message}
	if why == pluginv1.DetachReason_DETACH_REASON_ENDED {
		q.EndSeq = s.h.endOf(a.e.Session)
	}
	s.background.Go(func() {
		_, err := p.detach(context.WithoutCancel(p.ctx), q)
		s.post(func() { s.doDetached(a, p, why, err) })
	})
}

func (s *supervisor) doDetached(a *attachment, p *process, why pluginv1.DetachReason, err error) {
	if a.p != p || a.phase != detaching {
		return // the process ended, and another one will come to the end
	}
	if err != nil && !a.late { // once
		s.logger.Warn("plugin did not end a stream in order", "stream_id", a.e.StreamID, "session", a.e.Session, "error", err)
	}
	switch code := status.Code(err); {
	case code == codes.Unavailable, code == codes.NotFound && !a.late:
		// The process died, or gave the stream up just before.
		s.doIdle(a)
		a.resume = true
		s.doBackOff(a)
		return
	case code == codes.DeadlineExceeded && p != s.cur:
		s.doKill(p, "slow to end session "+a.e.Session) // nobody else looks after it
		return
	case code == codes.DeadlineExceeded && (a.ended.IsZero() || s.doOwed(a)):
		a.phase, a.late = attached, true // ask once more
		return
	}
	if why == pluginv1.DetachReason_DETACH_REASON_STOPPED {
		s.h.namer.Finish(s.name, a.e.Session)
	}
	s.doRemove(a)
}

// doHandover moves a stream to the present process: with what is open, if the
// plugin can, otherwise at a keyframe, where its next file begins.
func (s *supervisor) doHandover(a *attachment) {
	a.phase = detaching
	p, q := a.p, &pluginv1.DetachRequest{
		Session: a.e.Session, Reason: pluginv1.DetachReason_DETACH_REASON_HANDOVER, Message: "another process goes on",
	}
	able := p.info.Handover && s.cur.info.Handover
	if !able {
		q.Reason, q.AtKeyframe = pluginv1.DetachReason_DETACH_REASON_STOPPED, true
	}
	s.background.Go(func() {
		answer, err := p.detach(context.WithoutCancel(p.ctx), q)
		s.post(func() { s.doHandedOver(a, p, able, answer, err) })
	})
}

func (s *supervisor) doHandedOver(a *attachment, p *process, able bool, answer *pluginv1.DetachResponse, err error) {
	if a.p != p || a.phase != detaching {
		return
	}
	s.doIdle(a)
	switch {
	case err != nil:
		s.logger.Warn("plugin did not hand a stream over", "stream_id", a.e.StreamID, "session", a.e.Session, "error", err)
		a.resume = true
	case able:
		a.from, a.handover = answer.GetAtSeq(), answer.GetHandover()
		if a.handover == nil {
			a.handover = []byte{}
		}
	default:
		s.h.namer.Finish(s.name, a.e.Session)
		a.from, a.first = answer.GetAtSeq(), answer.GetAtSeq() // of another record
	}
}

// doOrphans has the streams of a process that ended attached again.
func (s *supervisor) doOrphans(p *process) {
	for _, a := range s.sessions {
		if a.p != p {
			continue
		}
		s.doIdle(a)
		a.resume, a.handover, a.from, a.after, a.begun = true, nil, 0, time.Time{}, true
	}
}

// doStreamFailed has a stream attached again whose plugin gave it up.
func (s *supervisor) doStreamFailed(session, reason string) {
	a := s.sessions[session]
	if a == nil || a.phase != attached {
		return
	}
	s.logger.Warn("plugin gave a stream up", "stream_id", a.e.StreamID, "session", session, "reason", reason)
	s.doIdle(a)
	a.resume = true
	s.doBackOff(a)
}
