package object

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// Watcher is told of changes. It is compared by ==, so a pointer is best.
type Watcher interface {
	// Changed says that what Find returns for path may be another now. It is
	// called on the goroutine that made the change and must not block.
	Changed(path string)
}

// watches are who wants to know of changes, by path. They have a lock of their
// own, that is held for map accesses only: the event loops change them.
type watches struct {
	mu sync.Mutex
	by map[string]map[Watcher]struct{}
	// crowds are those of the goroutines that wait.
	crowds map[string]*crowd
}

// Watch has w told of changes at path until Unwatch. Whoever waits asks Find
// once more after Watch, as a change may have come before. It is for few: a
// change copies the list of a path's Watchers.
func (s *Store) Watch(path string, w Watcher) {
	s.watches.mu.Lock()
	defer s.watches.mu.Unlock()
	s.watches.watch(path, w)
}

// Unwatch undoes Watch. A call of Changed may still be under way.
func (s *Store) Unwatch(path string, w Watcher) {
	s.watches.mu.Lock()
	defer s.watches.mu.Unlock()
	s.watches.unwatch(path, w)
}

func (ws *watches) watch(path string, w Watcher) {
	if ws.by[path] == nil {
		ws.by[path] = make(map[Watcher]struct{})
	}
	ws.by[path][w] = struct{}{}
}

func (ws *watches) unwatch(path string, w Watcher) {
	delete(ws.by[path], w)
	if len(ws.by[path]) == 0 {
		delete(ws.by, path)
	}
}

// tell tells those who watch paths. Not under a lock: they may ask back.
func (s *Store) tell(paths []string) {
	for _, path := range paths {
		for _, w := range s.watches.of(path) {
			w.Changed(path)
		}
	}
}

func (ws *watches) of(path string) []Watcher {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	return slices.Collect(maps.Keys(ws.by[path]))
}

// crowd is the Watcher of all goroutines that wait for a path.
type crowd struct {
	watches *watches
	members int
	changed chan struct{} // closed at the next change
}

// Changed wakes all of them.
func (c *crowd) Changed(string) {
	c.watches.mu.Lock()
	changed := c.changed
	c.changed = make(chan struct{})
	c.watches.mu.Unlock()
	close(changed)
}

// join makes one more wait for path, until leave.
func (ws *watches) join(path string) *crowd {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	c := ws.crowds[path]
	if c == nil {
		c = &crowd{watches: ws, changed: make(chan struct{})}
		ws.crowds[path] = c
		ws.watch(path, c)
	}
	c.members++
	return c
}

func (ws *watches) leave(path string, c *crowd) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if c.members--; c.members == 0 {
		delete(ws.crowds, path)
		ws.unwatch(path, c)
	}
}

// next is closed at the next change.
func (c *crowd) next() <-chan struct{} {
	c.watches.mu.Lock()
	defer c.watches.mu.Unlock()
	return c.changed
}

// Await is Find for a goroutine that may wait. The State is Wait only if the
// object's patience was not enough or ctx is done.
func (s *Store) Await(ctx context.Context, path string, d Directives) Found {
	f := s.Find(path, d)
	if f.State != Wait {
		return f
	}
	ctx, cancel := context.WithTimeout(ctx, f.Patience)
	defer cancel()
	crowd := s.watches.join(path)
	defer s.watches.leave(path, crowd)
	for {
		changed := crowd.next()
		if f = s.Find(path, d); f.State != Wait {
			return f
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return f
		}
	}
}
