package hooks

import (
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/millrace/millrace/core/event"
)

// services are what scripts reach outside of their state. They are shared by
// all states, and their methods may be called from any goroutine.
type services struct {
	logger   *slog.Logger
	store    *store
	http     *httpService
	kick     func(id, reason string) bool
	streams  func() []event.Event
	now      func() time.Time
	patterns *cache[*pattern]
	regexps  *cache[*regexp.Regexp]
}

// maxCached bounds the parsed patterns that are kept.
const maxCached = 512

// cache keeps what was parsed from a text. When it is full it starts anew:
// scripts have few patterns, unless they make them up.
type cache[T any] struct {
	mu      sync.RWMutex
	entries map[string]T
}

func newCache[T any]() *cache[T] { return &cache[T]{entries: map[string]T{}} }

// get returns what parse makes of text. Errors are not kept.
func (c *cache[T]) get(text string, parse func(string) (T, error)) (T, error) {
	c.mu.RLock()
	v, ok := c.entries[text]
	c.mu.RUnlock()
	if ok {
		return v, nil
	}
	text = strings.Clone(text) // it may be a piece of something large
	v, err := parse(text)
	if err != nil {
		return v, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.entries) >= maxCached {
		clear(c.entries)
	}
	c.entries[text] = v
	return v, nil
}
