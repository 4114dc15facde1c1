package stream

import (
	"crypto/rand"
	"time"

	"github.com/oklog/ulid/v2"
)

// newSession is the name of a publish session that began at t.
func newSession(t time.Time) string {
	return ulid.MustNew(ulid.Timestamp(t), rand.Reader).String() // crypto/rand does not fail
}

// Session returns the stream of a publish session: a live one, or one that
// ended lately and of which a recorder that broke off may want the rest. nil:
// there is none. Any goroutine.
func (r *Registry) Session(id string) *Stream {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.sessions[id]
}

// Await has streams kept when they end, as those are that were recorded, of
// whose sessions awaited says that a recorder may still come. It is called
// before the first Publish; awaited runs with locks held: it must not block, nor
// call back.
func (r *Registry) Await(awaited func(session string) bool) { r.awaited = awaited }

// retire forgets an ended stream's session: at once, or, if it was recorded or a
// recorder may come, when the ring's time is over. Under r.mu and s.mu.
func (r *Registry) retire(s *Stream) {
	keep := r.Options().RingTime
	if keep <= 0 || !s.recorded && (r.awaited == nil || !r.awaited(s.Session)) {
		delete(r.sessions, s.Session)
		return
	}
	s.kept = true
	time.AfterFunc(keep, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.sessions, s.Session)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.kept = false
		r.letGo(s)
	})
}

// Budget is what the rings may keep for an owner. The same name gives the same
// budget. Any goroutine.
func (r *Registry) Budget(owner string) *Budget {
	r.budgetsMu.Lock()
	defer r.budgetsMu.Unlock()
	b := r.budgets[owner]
	if b == nil {
		b = &Budget{}
		r.budgets[owner] = b
	}
	return b
}

// Budgets calls f for each owner.
func (r *Registry) Budgets(f func(owner string, b *Budget)) {
	r.budgetsMu.Lock()
	defer r.budgetsMu.Unlock()
	for owner, b := range r.budgets {
		f(owner, b)
	}
}
