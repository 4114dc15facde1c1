package object

import (
	"fmt"
	"strings"
)

// owner is a plugin as the store knows it.
type owner struct {
	prefixes []string
	max      int64
	used     int64 // bytes of its objects and of uploads in progress
	// oldest and newest are the ends of its objects, in the order of their
	// coming.
	oldest, newest *Object
	hand           *Object // what the walk under way visits next
}

// allows tells whether the owner may store at all of these paths.
func (o *owner) allows(paths ...string) error {
	for _, p := range paths {
		if p == "" {
			continue
		}
		if o == nil || !o.granted(p) {
			return fmt.Errorf("%q: %w", p, ErrForbidden)
		}
	}
	return nil
}

func (o *owner) granted(path string) bool {
	for _, p := range o.prefixes {
		if strings.HasPrefix(path, strings.TrimSuffix(p, "/")+"/") {
			return true
		}
	}
	return false
}

// reserve takes n bytes of an owner's budget, for which its oldest objects
// may have to go.
func (s *Store) reserve(name string, n int64) error {
	s.mu.Lock()
	o := s.owners[name]
	if o == nil {
		s.mu.Unlock()
		return fmt.Errorf("reserve room: %w", ErrForbidden)
	}
	o.used += n
	for {
		var gone []string
		more := false
		if n <= o.max { // else the others would go for nothing
			gone, more = s.shrink(o, nil)
		}
		full := !more && o.used > o.max
		if full {
			o.used -= n
		}
		s.mu.Unlock()
		s.tell(gone)
		switch {
		case full:
			return fmt.Errorf("reserve %d bytes: %w", n, ErrFull)
		case !more:
			return nil
		}
		s.mu.Lock()
	}
}

func (s *Store) unreserve(name string, n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.owners[name]; o != nil {
		o.used -= n
	}
}

// shrink removes the owner's oldest objects, but not keep, until the rest is
// within its budget, and returns the paths that changed. It stops after a
// batch; then there may be more to remove.
func (s *Store) shrink(o *owner, keep *Object) (gone []string, more bool) {
	for n := 0; n < batch; {
		old := o.oldest
		if o.used <= o.max || old == nil || old == keep {
			return gone, false
		}
		n += len(old.blobs)
		gone = append(append(gone, old.Path), s.remove(old)...)
	}
	return gone, true
}

// remove takes o out and returns the path that is no longer hinted at.
func (s *Store) remove(o *Object) (unhinted []string) {
	delete(s.objects, o.Path)
	if o.Hint != "" && s.hints[o.Hint] == o.Path {
		delete(s.hints, o.Hint)
		unhinted = append(unhinted, o.Hint)
	}
	o.owner.pull(o)
	o.owner.used -= o.extra
	dropAll(o.blobs)
	return unhinted
}

// dropAll takes one use of each blob away; one that is used no more is charged
// no more.
func dropAll(blobs []*blob) {
	for _, b := range blobs {
		if b.refs--; b.refs == 0 {
			b.owner.used -= b.size
		}
	}
}

func (o *owner) push(b *Object) {
	b.older = o.newest
	if o.newest != nil {
		o.newest.newer = b
	} else {
		o.oldest = b
	}
	o.newest = b
}

func (o *owner) pull(b *Object) {
	if o.hand == b {
		o.hand = b.newer
	}
	if b.older != nil {
		b.older.newer = b.newer
	} else {
		o.oldest = b.newer
	}
	if b.newer != nil {
		b.newer.older = b.older
	} else {
		o.newest = b.older
	}
	b.older, b.newer = nil, nil
}
