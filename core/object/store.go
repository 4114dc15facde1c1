// Package object keeps what plugins make to be served from memory: playlists,
// parts, segments, by path. It knows nothing of sockets: the event loops and
// net/http ask it, and wait for what is to come by being told of changes.
//
// An object is immutable; a new one takes its place. Who reads one keeps its
// bytes alive for as long as that takes, whatever happens in the store.
package object

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Errors that callers branch on.
var (
	// ErrFull says that an object does not fit into its owner's budget, even
	// if all others go.
	ErrFull = errors.New("no room for the object")
	// ErrForbidden says that a path is not below a prefix of the owner's.
	ErrForbidden = errors.New("path is not granted")
	// ErrPart says that a part that an object is to be made of is not there.
	ErrPart = errors.New("no such part")
	// ErrInvalid says that an object cannot be as it is described.
	ErrInvalid = errors.New("invalid object")
	// ErrChanged says that the object that one is to grow from is not there
	// any more.
	ErrChanged = errors.New("the object is another now")
)

const (
	// DefaultTTL is how long an object is kept that does not say.
	DefaultTTL = time.Minute
	// MaxTTL bounds how long an object outlives the plugin that made it.
	MaxTTL = 24 * time.Hour
	// overhead is charged for each object beside its bytes, so that empty ones
	// are not free.
	overhead = 512
)

// Store holds objects. Its methods may be called from any goroutine; none
// blocks for longer than a lock that is held for map accesses.
type Store struct {
	now func() time.Time

	mu      sync.RWMutex
	objects map[string]*Object
	hints   map[string]string // hinted path → path of the playlist
	owners  map[string]*owner
	watches map[string]map[Watcher]struct{}
}

// New returns an empty store. now is its clock.
func New(now func() time.Time) *Store {
	return &Store{
		now:     now,
		objects: make(map[string]*Object),
		hints:   make(map[string]string),
		owners:  make(map[string]*owner),
		watches: make(map[string]map[Watcher]struct{}),
	}
}

// Grant lets an owner store objects below prefixes, of at most max bytes in
// all. It takes the place of what was granted before; objects that are there
// stay.
func (s *Store) Grant(name string, prefixes []string, max int64) error {
	for i, p := range prefixes {
		if strings.TrimSuffix(p, "/") == "" || !validPath(strings.TrimSuffix(p, "/")) {
			return fmt.Errorf("grant prefix %d of %s: %w", i, name, ErrInvalid)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.owners[name]
	if o == nil {
		o = &owner{}
		s.owners[name] = o
	}
	o.prefixes, o.max = prefixes, max
	return nil
}

// Put stores an object of the owner's in place of the one at its path. What
// is too much of the owner's goes, the oldest first.
func (s *Store) Put(owner string, p Put) error {
	if len(p.Body) > 0 {
		p.blocks = [][]byte{p.Body}
	}
	size := int64(len(p.Body))
	if err := s.reserve(owner, size); err != nil {
		return err
	}
	_, err := s.put(owner, p, size)
	return err
}

// put stores an object for whose body reserved bytes were taken already; they
// are given back if it fails.
func (s *Store) put(name string, p Put, reserved int64) (*Object, error) {
	o, changed, err := s.putGrown(name, p, reserved)
	if err != nil {
		return nil, fmt.Errorf("put object: %w", err)
	}
	s.tell(changed)
	return o, nil
}

// putGrown is put, without telling of it.
func (s *Store) putGrown(name string, p Put, reserved int64) (o *Object, changed []string, err error) {
	if p.After != "" {
		var copied int64
		copied, err = s.graft(name, &p)
		reserved += copied
	}
	if err == nil {
		o, changed, err = s.putLocked(name, p, reserved)
	}
	if err != nil {
		s.unreserve(name, reserved)
	}
	return o, changed, err
}

func (s *Store) putLocked(name string, p Put, reserved int64) (o *Object, changed []string, err error) {
	if o, err = p.object(s.now(), nil); err != nil { // hashes, which takes time, before the lock
		return nil, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	owner := s.owners[name]
	if err := owner.allows(p.Path, p.Hint); err != nil {
		return nil, nil, err
	}
	if p.on != nil && s.objects[p.Path] != p.on {
		return nil, nil, ErrChanged // and the blobs that stay may be nobody's
	}
	size := reserved
	if p.on != nil {
		size = o.Full.Size
	}
	if len(p.Parts) > 0 {
		if o, err = s.join(p); err != nil {
			return nil, nil, err
		}
	}
	extra := overhead + int64(len(p.Path)) + int64(len(p.Delta))
	if owner.max < size+extra {
		return nil, nil, ErrFull
	}
	o.owner, o.extra = owner, extra
	for _, b := range o.blobs {
		b.refs++
		if b.owner == nil {
			b.owner = owner
		}
	}
	owner.used += extra
	changed = append(changed, p.Path)
	if old := s.objects[p.Path]; old != nil {
		changed = append(changed, s.remove(old)...)
	}
	s.objects[p.Path] = o
	owner.push(o)
	if o.Hint != "" {
		s.hints[o.Hint] = p.Path
	}
	return o, append(changed, s.shrink(owner, o)...), nil
}

// join makes an object of the bytes of others.
func (s *Store) join(p Put) (*Object, error) {
	var blobs []*blob
	for _, path := range p.Parts {
		part := s.live(path)
		if part == nil {
			return nil, fmt.Errorf("%q: %w", path, ErrPart)
		}
		blobs = append(blobs, part.blobs...)
	}
	return p.object(s.now(), blobs)
}

// Delete removes the owner's object at path and reports whether there was one.
func (s *Store) Delete(name, path string) (bool, error) {
	s.mu.Lock()
	if err := s.owners[name].allows(path); err != nil {
		s.mu.Unlock()
		return false, fmt.Errorf("delete object: %w", err)
	}
	o := s.objects[path]
	var changed []string
	if o != nil {
		changed = append(s.remove(o), path)
	}
	s.mu.Unlock()
	s.tell(changed)
	return o != nil, nil
}

// Refresh has the owner's objects below a folder, which ends with a slash, stay
// for ttl from now, and go after its others if there are too many, as if they
// had been stored anew. It returns their paths.
func (s *Store) Refresh(name, folder string, ttl time.Duration) ([]string, error) {
	if !strings.HasSuffix(folder, "/") {
		return nil, fmt.Errorf("refresh objects: %q is no folder: %w", folder, ErrInvalid)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	owner := s.owners[name]
	if err := owner.allows(folder); err != nil {
		return nil, fmt.Errorf("refresh objects: %w", err)
	}
	now := s.now()
	var all []*Object
	for o := owner.oldest; o != nil; o = o.newer {
		if strings.HasPrefix(o.Path, folder) && now.Before(o.expires) {
			all = append(all, o)
		}
	}
	paths := make([]string, len(all))
	for i, o := range all {
		paths[i] = o.Path
		o.expires = now.Add(min(ttl, MaxTTL))
		owner.pull(o)
		owner.push(o)
	}
	return paths, nil
}

// Sweep removes what has outlived its TTL. Get and Find never return such an
// object; Sweep gives back its memory. It is to be called now and then.
func (s *Store) Sweep() {
	s.mu.Lock()
	now := s.now()
	var changed []string
	for path, o := range s.objects {
		if !now.Before(o.expires) {
			changed = append(append(changed, path), s.remove(o)...)
		}
	}
	s.mu.Unlock()
	s.tell(changed)
}

// live is the object at path, unless its time is over.
func (s *Store) live(path string) *Object {
	o := s.objects[path]
	if o == nil || !s.now().Before(o.expires) {
		return nil
	}
	return o
}

// Get returns the object at path, nil if there is none.
func (s *Store) Get(path string) *Object {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.live(path)
}

// Has reports whether there is an object at path, or will be one soon.
func (s *Store) Has(path string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.live(path) != nil || s.hintedAt(path) != nil
}

// hintedAt is the playlist that hints at path.
func (s *Store) hintedAt(path string) *Object {
	if at, ok := s.hints[path]; ok {
		return s.live(at)
	}
	return nil
}

// Used is how many bytes of its budget each owner has taken.
func (s *Store) Used() map[string]int64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	used := make(map[string]int64, len(s.owners))
	for name, o := range s.owners {
		used[name] = o.used
	}
	return used
}
