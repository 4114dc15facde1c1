package object

import (
	"sync"
	"testing"
	"time"
)

// clock is a Store's clock that a test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// newStore returns a store in which "p" may store below hls/.
func newStore(t testing.TB, max int64) (*Store, *clock) {
	t.Helper()
	c := &clock{now: time.Date(2026, 11, 21, 12, 0, 0, 5e8, time.UTC)}
	s := New(c.Now)
	if err := s.Grant("p", []string{"hls/"}, max); err != nil {
		t.Fatal(err)
	}
	return s, c
}

func put(t testing.TB, s *Store, p Put) {
	t.Helper()
	if err := s.Put("p", p); err != nil {
		t.Fatalf("put %s: %v", p.Path, err)
	}
}

func text(c *Content) string {
	if c == nil {
		return "-"
	}
	return string(c.Bytes())
}
