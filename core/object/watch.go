package object

import "context"

// Watcher is told of changes. It is compared by ==, so a pointer is best.
type Watcher interface {
	// Changed says that what Find returns for path may be another now. It is
	// called on the goroutine that made the change and must not block.
	Changed(path string)
}

// Watch has w told of changes at path until Unwatch. Whoever waits asks Find
// once more after Watch, as a change may have come before.
func (s *Store) Watch(path string, w Watcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watches[path] == nil {
		s.watches[path] = make(map[Watcher]struct{})
	}
	s.watches[path][w] = struct{}{}
}

// Unwatch undoes Watch. A call of Changed may still be under way.
func (s *Store) Unwatch(path string, w Watcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.watches[path], w)
	if len(s.watches[path]) == 0 {
		delete(s.watches, path)
	}
}

// tell tells those who watch paths. Not under the lock: they may ask back.
func (s *Store) tell(paths []string) {
	for _, path := range paths {
		for _, w := range s.watchers(path) {
			w.Changed(path)
		}
	}
}

func (s *Store) watchers(path string) []Watcher {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := make([]Watcher, 0, len(s.watches[path]))
	for w := range s.watches[path] {
		all = append(all, w)
	}
	return all
}

// signal is a Watcher for a goroutine.
type signal chan struct{}

// Changed never blocks: one signal stands for all that came since the last.
func (c signal) Changed(string) {
	select {
	case c <- struct{}{}:
	default:
	}
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
	changes := make(signal, 1)
	s.Watch(path, changes)
	defer s.Unwatch(path, changes)
	for {
		if f = s.Find(path, d); f.State != Wait {
			return f
		}
		select {
		case <-changes:
		case <-ctx.Done():
			return f
		}
	}
}
