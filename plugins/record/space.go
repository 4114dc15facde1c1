package record

import (
	"fmt"
	"sync"
	"syscall"
	"time"
)

// Free is the room on the file system of path, in bytes, for unprivileged
// processes.
func Free(path string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		return 0, fmt.Errorf("ask for free space of %s: %w", path, err)
	}
	return int64(s.Bavail) * int64(s.Bsize), nil
}

// Guard tells recorders when to stop before the disk is full. Any goroutine
// may ask it.
type Guard struct {
	// Path is on the file system in question. MinFree, in bytes, is what has
	// to stay free; 0: no guard.
	Path    string
	MinFree int64
	// Every bounds how often the file system is asked; 0: once a second.
	Every time.Duration
	// Ask is [Free] unless a test has it otherwise.
	Ask func(path string) (int64, error)

	mu    sync.Mutex
	asked time.Time
	low   bool
}

// Low reports whether there is too little room. Once there was, a quarter more
// than MinFree has to be free before recording goes on. If the file system
// does not answer, the last answer stands.
func (g *Guard) Low(now time.Time) bool {
	if g.MinFree <= 0 {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	every := g.Every
	if every == 0 {
		every = time.Second
	}
	if !g.asked.IsZero() && now.Sub(g.asked) < every {
		return g.low
	}
	g.asked = now
	ask := g.Ask
	if ask == nil {
		ask = Free
	}
	free, err := ask(g.Path)
	if err != nil {
		return g.low
	}
	need := g.MinFree
	if g.low {
		need += need / 4
	}
	g.low = free < need
	return g.low
}
