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
	wants func(name string) bool
	tell  func(event.Event)
}

// subscribe has tell called with each event whose name is wanted, until cancel
// is called: meanwhile it may be called once more. Neither function may block,
// and both may run with a stream's lock held.
func (h *hub) subscribe(wants func(name string) bool, tell func(event.Event)) (cancel func()) {
	k := &sink{wants, tell}
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

// Wants reports whether anybody wants events of a name: else there is no need
// to make one.
func (h *hub) Wants(name string) bool {
	all := h.sinks.Load()
	return all != nil && slices.ContainsFunc(*all, func(k *sink) bool { return k.wants(name) })
}

// Notify hands e to all who want it.
func (h *hub) Notify(e *event.Event) {
	all := h.sinks.Load()
	if all == nil {
		return
	}
	for _, k := range *all {
		if k.wants(e.Event) {
			k.tell(*e)
		}
	}
}

// named wants events of the names given, or all if none are.
func named(names []string) func(string) bool {
	return func(name string) bool { return len(names) == 0 || slices.Contains(names, name) }
}

// Subscribe has tell called with each event of the names given, or all if none
// are, until cancel is called. It is called on the goroutine where the thing
// happens, an event loop's or one that holds a stream's lock: it must not
// block, nor call the server.
func (s *Server) Subscribe(tell func(event.Event), names ...string) (cancel func()) {
	return s.hub.subscribe(named(names), tell)
}

// SubscribeWanted is Subscribe for somebody whose wishes change: wants is asked
// before an event is made, under the same conditions.
func (s *Server) SubscribeWanted(wants func(name string) bool, tell func(event.Event)) (cancel func()) {
	return s.hub.subscribe(wants, tell)
}

// Notify tells everybody who wants to know of an event that did not arise in
// the server itself: a plugin's on_segment, on_record_done.
func (s *Server) Notify(e *event.Event) { s.hub.Notify(e) }
