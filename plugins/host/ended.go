package host

import (
	"time"

	pluginv1 "github.com/millrace/millrace/plugins/proto/v1"
)

// restFor is how long a session that has ended waits for a plugin that had begun
// with it and did not come to its end. What the server has still is sent; of
// what it has not the plugin is told that it is missing.
const restFor = 10 * time.Minute

// doOwed reports whether a plugin is to get the rest of a session that has
// ended.
func (s *supervisor) doOwed(a *attachment) bool {
	if a.ended.IsZero() {
		a.ended = time.Now()
	}
	return a.begun && time.Since(a.ended) < restFor
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
	for _, a := range s.sessions {
		_, live := s.h.isLive(a.e.Session)
		switch {
		case live && a.handover == nil && a.phase != detaching, a.late && a.phase == attached:
			continue // to be stopped; or asked for its end already
		case a.phase == idle && (!able || !live && !s.doOwed(a)):
			continue
		case a.phase == idle:
			s.doAttach(a)
		case a.phase == attached:
			s.doDetach(a, pluginv1.DetachReason_DETACH_REASON_ENDED, streamEnded)
		}
		more = true
	}
	return more
}
