package host

import (
	"maps"
	"slices"
	"time"

	"github.com/millrace/millrace/core/event"
	pluginv1 "github.com/millrace/millrace/plugins/proto/v1"
)

// offer has the plugin take a session that has ended and that it does not have:
// it was down while that was live, or had no time for it. It reports whether
// there is something to take. Any goroutine.
func (s *supervisor) offer(e event.Event) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, held := s.held[e.Session]; held || s.h.o.Kept == nil || e.ToSeq == 1 {
		return false
	}
	s.offered[e.Session] = e
	return true
}

func (s *supervisor) offers() []event.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.offered))
}

func (s *supervisor) isOffered(session string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.offered[session]
	return ok
}

// drop ends an offer.
func (s *supervisor) drop(session string) {
	s.mu.Lock()
	delete(s.offered, session)
	s.mu.Unlock()
	s.h.release(session)
}

// doOffers takes up the offers that the plugin wants. Without a process they
// stay for as long as the server has the media.
func (s *supervisor) doOffers() {
	for _, e := range s.offers() {
		kept := s.h.o.Kept(e.Session)
		if s.cur == nil && kept {
			continue
		}
		if kept && s.sessions[e.Session] == nil && s.wants(&e) {
			s.doAdd(&attachment{e: e, first: 1, offered: time.Now()})
			time.AfterFunc(orderly, s.poke)
		}
		s.drop(e.Session)
	}
}

// orderly is how long a session waits for an earlier one of the same stream
// that the plugin is late with, so that records come one after the other.
const orderly = 5 * time.Second

// waits reports whether an earlier session comes first.
func (s *supervisor) waits(a *attachment) bool {
	for _, o := range s.sessions {
		if o != a && o.e.StreamID == a.e.StreamID && started(&o.e).Before(started(&a.e)) && time.Since(o.offered) < orderly {
			return true
		}
	}
	return false
}

// Awaits reports whether a plugin may still come for the media of a live
// session: it wants that, or was never up to say so. Any goroutine; it does not
// block.
func (h *Host) Awaits(session string) bool {
	e, live := h.isLive(session)
	return live && slices.ContainsFunc(*h.list.Load(), func(s *supervisor) bool {
		p := s.newest.Load()
		return p == nil || p.info.Media != nil && s.asksFor(p, &e)
	})
}

// restFor is how long a session that has ended waits for a plugin that had begun
// with it and did not come to its end. What the server has still is sent; of
// what it has not the plugin is told that it is missing.
const restFor = 10 * time.Minute

// doOwed reports whether a plugin is to get the rest of a session that has
// ended: one with which it had not begun only as long as the server has it.
func (s *supervisor) doOwed(a *attachment) bool {
	if a.ended.IsZero() {
		a.ended = time.Now()
	}
	if !a.begun {
		return !a.refused && s.h.o.Kept != nil && s.h.o.Kept(a.e.Session)
	}
	return time.Since(a.ended) < restFor
}

// doGiveUp forgets what no process came for.
func (s *supervisor) doGiveUp() {
	for _, a := range s.sessions {
		if _, live := s.h.isLive(a.e.Session); !live && !s.doOwed(a) {
			s.doRemove(a)
		}
	}
}

// doWindUp has the plugin get all of the sessions that have ended, and lets what
// is on its way from one process to the next arrive, before they are stopped. It
// takes no longer than a plugin may take to end a stream.
func (s *supervisor) doWindUp() {
	patience := time.NewTimer(s.config.StopTimeout + detachSlack)
	defer patience.Stop()
	for s.doFinish() {
		select {
		case <-s.wake:
			s.doPosts()
		case <-patience.C:
			return
		}
	}
}

// doFinish takes the next step for each stream that is not to be stopped as it
// is, and reports whether there is one.
func (s *supervisor) doFinish() (more bool) {
	able := s.cur != nil && !s.cur.child.hasExited()
	if able {
		s.doOffers()
	}
	for _, a := range s.sessions {
		_, live := s.h.isLive(a.e.Session)
		switch {
		case live && a.handover == nil && a.phase != detaching, a.late && a.phase == attached:
			continue // to be stopped; or asked for its end already
		case a.phase == idle && (!able || !live && !s.doOwed(a)):
			continue
		case a.phase == idle && s.waits(a):
		case a.phase == idle:
			s.doAttach(a)
		case a.phase == attached:
			s.doDetach(a, pluginv1.DetachReason_DETACH_REASON_ENDED, streamEnded)
		}
		more = true
	}
	return more
}
