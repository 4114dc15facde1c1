package hooks

import (
	"errors"
	"sync"
	"time"
)

const (
	maxStoreEntries = 1_000_000
	maxStoreBytes   = 64 << 20
	maxStoreKey     = 1024    // bytes
	maxStoreValue   = 1 << 16 // bytes
	entryBytes      = 128     // what an entry costs besides its texts
)

var (
	errStoreFull  = errors.New("the store is full")
	errStoreKey   = errors.New("the key is empty or longer than 1024 bytes")
	errStoreValue = errors.New("the value is longer than 65536 bytes")
	errStoreType  = errors.New("the value under this key is no number")
)

// store is the dictionary that all states share; it lives as long as the
// runtime. Its methods may be called from any goroutine.
type store struct {
	now     func() time.Time
	mu      sync.Mutex
	entries map[string]storeEntry // under mu
	bytes   int                   // under mu
}

// storeEntry holds a string, a float64 or a bool.
type storeEntry struct {
	value   any
	expires time.Time // zero: never
}

func newStore(now func() time.Time) *store {
	return &store{now: now, entries: map[string]storeEntry{}}
}

func (e storeEntry) size(key string) int {
	n := entryBytes + len(key)
	if s, ok := e.value.(string); ok {
		n += len(s)
	}
	return n
}

// get returns the value under key; nil when there is none.
func (s *store) get(key string) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.live(key)
	if !ok {
		return nil
	}
	return e.value
}

// live finds an entry that has not expired; one that has is removed.
func (s *store) live(key string) (storeEntry, bool) {
	e, ok := s.entries[key]
	if ok && !e.expires.IsZero() && !s.now().Before(e.expires) {
		s.remove(key)
		return storeEntry{}, false
	}
	return e, ok
}

func (s *store) remove(key string) {
	if e, ok := s.entries[key]; ok {
		s.bytes -= e.size(key)
		delete(s.entries, key)
	}
}

// set stores value for ttl (0: for ever); with absent, only where nothing is.
// It reports whether it stored.
func (s *store) set(key string, value any, ttl time.Duration, absent bool) (bool, error) {
	if text, ok := value.(string); ok && len(text) > maxStoreValue {
		return false, errStoreValue
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.live(key); ok && absent {
		return false, nil
	}
	return true, s.insert(key, storeEntry{value: value, expires: s.expiry(ttl)})
}

func (s *store) expiry(ttl time.Duration) time.Time {
	if ttl <= 0 {
		return time.Time{}
	}
	return s.now().Add(ttl)
}

func (s *store) insert(key string, e storeEntry) error {
	if key == "" || len(key) > maxStoreKey {
		return errStoreKey
	}
	s.remove(key)
	if s.full(e.size(key)) {
		s.sweepLocked()
		if s.full(e.size(key)) {
			return errStoreFull
		}
	}
	s.entries[key] = e
	s.bytes += e.size(key)
	return nil
}

func (s *store) full(n int) bool {
	return len(s.entries) >= maxStoreEntries || s.bytes+n > maxStoreBytes
}

// incr adds by to the number under key, which begins at 0, and returns it. The
// ttl counts from the beginning, so that a counter is a window; a number that
// comes back to 0 and has no ttl is forgotten.
func (s *store) incr(key string, by float64, ttl time.Duration) (float64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.live(key)
	if !ok {
		e = storeEntry{value: 0.0, expires: s.expiry(ttl)}
	}
	n, isNumber := e.value.(float64)
	if !isNumber {
		return 0, errStoreType
	}
	e.value = n + by
	if n+by == 0 && e.expires.IsZero() {
		s.remove(key)
		return 0, nil
	}
	return n + by, s.insert(key, e)
}

func (s *store) delete(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(key)
}

// sweep removes what has expired.
func (s *store) sweep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweepLocked()
}

func (s *store) sweepLocked() {
	now := s.now()
	for key, e := range s.entries {
		if !e.expires.IsZero() && !now.Before(e.expires) {
			s.remove(key)
		}
	}
}

// len is the number of entries, expired ones that were not swept included.
func (s *store) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.entries)
}
