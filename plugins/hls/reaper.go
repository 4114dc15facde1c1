package hls

import (
	"sync"
	"time"
)

// reaper does things later: it removes segments that left the playlist when
// no player can want them any more.
type reaper struct {
	mu    sync.Mutex
	tasks []task
}

type task struct {
	at time.Time
	do func()
}

func (r *reaper) add(at time.Time, do func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tasks = append(r.tasks, task{at, do})
}

// run does what is due.
func (r *reaper) run(now time.Time) {
	for _, t := range r.due(now) {
		t.do()
	}
}

func (r *reaper) due(now time.Time) []task {
	r.mu.Lock()
	defer r.mu.Unlock()
	var due []task
	kept := r.tasks[:0]
	for _, t := range r.tasks {
		if now.Before(t.at) {
			kept = append(kept, t)
		} else {
			due = append(due, t)
		}
	}
	clear(r.tasks[len(kept):])
	r.tasks = kept
	return due
}
