package core

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/netloop"
)

var _ netloop.Events = (*hub)(nil)

// hub hands events to sinks. Its methods may be called from any goroutine;
// telling takes no lock, and without sinks it is the load of a pointer.
type hub struct {
	mu    sync.Mutex // held to change sinks
	sinks atomic.Pointer[[]*sink]
}

// sink is who wants to be told.
type sink struct {
	tell  func(event.Event)
	names []string // none: all
}

func (k *sink) wants(name string) bool {
	return len(k.names) == 0 || slices.Contains(k.names, name)
}

// subscribe has tell called with each event of the names given, or all if none
// are, until cancel is called: after that it may still be called once more. It
// must not block, and may run with a stream's lock held.
func (h *hub) subscribe(tell func(event.Event), names ...string) (cancel func()) {
	k := &sink{tell: tell, names: names}
	h.change(func(all []*sink) []*sink { return append(all, k) })
	return func() {
		h.change(func(all []*sink) []*sink {
			return slices.DeleteFunc(all, func(o *sink) bool { return o == k })
		})
	}
}

func (h *hub) change(f func([]*sink) []*sink) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var old []*sink
	if p := h.sinks.Load(); p != nil {
		old = *p
	}
	next := f(slices.Clone(old))
	h.sinks.Store(&next)
}

// Wanted reports whether anybody wants events of a name: else there is no need
// to make one.
func (h *hub) Wanted(name string) bool {
	all := h.sinks.Load()
	return all != nil && slices.ContainsFunc(*all, func(k *sink) bool { return k.wants(name) })
}

// Tell hands e to all who want it.
func (h *hub) Tell(e event.Event) {
	all := h.sinks.Load()
	if all == nil {
		return
	}
	for _, k := range *all {
		if k.wants(e.Event) {
			k.tell(e)
		}
	}
}

// Subscribe has tell called with each event of the names given, or all if none
// are, until cancel is called. It is called on the goroutine where the thing
// happens, an event loop's or one that holds a stream's lock: it must not
// block, nor call the server.
func (s *Server) Subscribe(tell func(event.Event), names ...string) (cancel func()) {
	return s.hub.subscribe(tell, names...)
}
