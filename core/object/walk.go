package object

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Refresh has the owner's objects below a folder, which ends with a slash, stay
// for ttl from now, and go after its others if there are too many, as if they
// had been stored anew. It returns their paths.
//
// It does so a batch at a time: what is stored or removed meanwhile is so
// before it or after it, each object by itself.
func (s *Store) Refresh(name, folder string, ttl time.Duration) ([]string, error) {
	if !strings.HasSuffix(folder, "/") {
		return nil, fmt.Errorf("refresh objects: %q is no folder: %w", folder, ErrInvalid)
	}
	owner, err := s.allowed(name, folder)
	if err != nil {
		return nil, fmt.Errorf("refresh objects: %w", err)
	}
	s.walking.Lock()
	defer s.walking.Unlock()
	now := s.now()
	s.passes++
	return s.walk(owner, func(o *Object, paths []string) []string {
		// What was refreshed comes by again at the end.
		if o.pass == s.passes || !strings.HasPrefix(o.Path, folder) || !now.Before(o.expires) {
			return paths
		}
		o.expires, o.pass = now.Add(min(ttl, MaxTTL)), s.passes
		owner.pull(o)
		owner.push(o)
		return append(paths, o.Path)
	}), nil
}

// Sweep removes what has outlived its TTL. Get and Find never return such an
// object; Sweep gives back its memory. It is to be called now and then.
func (s *Store) Sweep() {
	now := s.now()
	for _, owner := range s.allOwners() {
		s.walking.Lock()
		changed := s.walk(owner, func(o *Object, changed []string) []string {
			if now.Before(o.expires) {
				return changed
			}
			return append(append(changed, o.Path), s.remove(o)...)
		})
		s.walking.Unlock()
		s.tell(changed)
	}
}

func (s *Store) allOwners() []*owner {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Collect(maps.Values(s.owners))
}

// visit does something to an object, with the lock held, and adds the paths it
// has to say to those of the others.
type visit func(o *Object, paths []string) []string

// walk has v visit all of the owner's objects from the oldest on, and those that
// come meanwhile, and returns what it said. Under s.walking.
func (s *Store) walk(o *owner, v visit) (paths []string) {
	s.mu.Lock()
	o.hand = o.oldest
	s.mu.Unlock()
	some := make([]string, 0, 2*batch)
	for more := true; more; {
		some, more = s.step(o, v, some[:0])
		paths = append(paths, some...) // not under the lock: it may be a large copy
	}
	return paths
}

// step is a batch of a walk, and reports whether there may be more.
func (s *Store) step(o *owner, v visit, paths []string) ([]string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := 0; n < batch; {
		b := o.hand
		if b == nil {
			return paths, false
		}
		n += len(b.blobs)
		o.hand = b.newer
		paths = v(b, paths)
	}
	return paths, true
}
