package hooks

import (
	"runtime/debug"
	"sync"
	"time"
)

// scavengeEvery is the least time between two collections on our account.
const scavengeEvery = 2 * time.Second

// scavenger gives memory back to the system after calls that were stopped:
// without it, what a hostile script took would stay until the process happens
// to collect, and the pages longer.
type scavenger struct {
	mu      sync.Mutex
	pending bool      // under mu
	last    time.Time // under mu
}

// soon collects in a moment, once for many callers.
func (s *scavenger) soon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending {
		return
	}
	s.pending = true
	wait := max(scavengeEvery-time.Since(s.last), 10*time.Millisecond)
	time.AfterFunc(wait, s.collect)
}

func (s *scavenger) collect() {
	s.mu.Lock()
	s.pending, s.last = false, time.Now()
	s.mu.Unlock()
	debug.FreeOSMemory()
}
