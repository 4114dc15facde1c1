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
	"slices"
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
	// maxParts bounds what one object is made of: bodies as they were put.
	maxParts = 4096
	// batch is for how many bodies at a time the lock is held, give or take an
	// object's: the event loops wait for it. Each object has one at least.
	batch = 32
)

// Store holds objects. Its methods may be called from any goroutine. Its lock
// is never held for longer than a batch takes, so event loops may read.
type Store struct {
	now func() time.Time

	walking sync.Mutex // held before mu by the one walk there may be
	mu      sync.RWMutex
	objects map[string]*Object
	hints   map[string]string // hinted path → path of the playlist
	owners  map[string]*owner
	passes  uint64 // of Refresh
	watches watches
}

// New returns an empty store. now is its clock.
func New(now func() time.Time) *Store {
	return &Store{
		now:     now,
		objects: make(map[string]*Object),
		hints:   make(map[string]string),
		owners:  make(map[string]*owner),
		watches: watches{by: make(map[string]map[Watcher]struct{}), crowds: make(map[string]*crowd)},
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
func (s *Store) put(name string, p Put, reserved int64) (o *Object, err error) {
	if p.After != "" {
		var copied int64
		copied, err = s.graft(name, &p)
		reserved += copied
	}
	if err == nil {
		o, err = s.place(name, p, reserved)
	}
	if err != nil {
		s.unreserve(name, reserved)
		return nil, fmt.Errorf("put object: %w", err)
	}
	return o, nil
}

func (s *Store) place(name string, p Put, reserved int64) (*Object, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	owner, blobs, err := s.hold(name, p)
	if err != nil {
		return nil, err
	}
	if blobs == nil {
		blobs = append(p.stay, p.blob(p.blocks, last(p.stay)))
	}
	o := p.object(s.now(), blobs) // which takes time, for which no lock is held
	o.owner, o.extra = owner, overhead+int64(len(p.Path))+int64(len(p.Delta))
	changed, more, err := s.install(o, p, reserved)
	if err != nil {
		if len(p.Parts) > 0 {
			s.release(blobs)
		}
		return nil, err
	}
	s.tell(changed)
	for more {
		s.mu.Lock()
		changed, more = s.shrink(owner, o)
		s.mu.Unlock()
		s.tell(changed)
	}
	return o, nil
}

// hold returns the owner, if it may store p, and the bytes of p's parts, if it
// has any; they stay until release, whatever becomes of the parts.
func (s *Store) hold(name string, p Put) (owner *owner, blobs []*blob, err error) {
	if owner, err = s.allowed(name, p.Path, p.Hint); err != nil {
		return nil, nil, err
	}
	for paths := range slices.Chunk(p.Parts, batch) {
		if blobs, err = s.holdSome(blobs, paths); err != nil {
			s.release(blobs)
			return nil, nil, err
		}
	}
	return owner, blobs, nil
}

func (s *Store) holdSome(blobs []*blob, paths []string) ([]*blob, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, path := range paths {
		part := s.live(path)
		if part == nil {
			return blobs, fmt.Errorf("%q: %w", path, ErrPart)
		}
		if len(blobs)+len(part.blobs) > maxParts {
			return blobs, fmt.Errorf("more than %d parts: %w", maxParts, ErrInvalid)
		}
		for _, b := range part.blobs {
			b.refs++
		}
		blobs = append(blobs, part.blobs...)
	}
	return blobs, nil
}

func (s *Store) release(blobs []*blob) {
	s.mu.Lock()
	defer s.mu.Unlock()
	dropAll(blobs)
}

// install puts an object in its place, and returns what changed by that. More
// has to go if it says so.
func (s *Store) install(o *Object, p Put, reserved int64) (changed []string, more bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	owner, size := o.owner, reserved
	if p.on != nil {
		if s.objects[o.Path] != p.on {
			return nil, false, ErrChanged // and the blobs that stay may be nobody's
		}
		size = o.Full.Size
	}
	if owner.max < size+o.extra {
		return nil, false, ErrFull
	}
	if len(p.Parts) == 0 { // those are held already
		o.use()
	}
	owner.used += o.extra
	changed = append(changed, o.Path)
	if old := s.objects[o.Path]; old != nil {
		o.pass = old.pass
		changed = append(changed, s.remove(old)...)
	}
	s.objects[o.Path] = o
	owner.push(o)
	if o.Hint != "" {
		s.hints[o.Hint] = o.Path
	}
	gone, more := s.shrink(owner, o)
	return append(changed, gone...), more, nil
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
