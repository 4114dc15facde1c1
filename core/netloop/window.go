package netloop

import "time"

// window is how long a loop lets frames gather before they leave together.
//
// By itself it follows the load: a loop that can serve all its viewers for
// each frame does so at once; one that could not merges frames, because the
// price of a write hardly depends on what it carries.
type window struct {
	size     int64   // in force, ns; 0: each frame leaves at once
	visit    float64 // what a visit costs, ns, smoothed
	updateAt int64
}

const (
	// calmShare is the share of the loop's time that serving viewers may
	// take while frames leave soon, within calmWindow.
	calmShare  = 0.065
	calmWindow = int64(146 * time.Millisecond)
	// A loop that needs longRound for one round of its viewers has thousands:
	// then what counts is that all are served, for at most tightShare of its
	// time.
	longRound  = 48e6 // ns
	tightShare = 0.14
	// shortest is the shortest window worth its timer.
	shortest = int64(10 * time.Millisecond)
	// windowInterval is how often the window is adjusted.
	windowInterval = int64(100 * time.Millisecond)
	// firstVisit is what a visit is taken to cost before one was measured.
	firstVisit = 10_000
)

func (w *window) init(s *Settings) {
	w.visit = firstVisit
	w.size = min(max(int64(s.Viewers.MergeWindow), 0), int64(s.Viewers.MergeWindowMax))
}

// sample notes that count visits took ns.
func (w *window) sample(ns int64, count int) {
	const weight = 0.05
	w.visit += weight * (float64(ns)/float64(count) - w.visit)
}

// update puts the size in force that the load asks for.
func (w *window) update(l *loop, now int64) {
	if now < w.updateAt {
		return
	}
	w.updateAt = now + windowInterval
	v := &l.engine.Settings().Viewers
	size := int64(v.MergeWindow)
	if size < 0 {
		size = w.auto(l.stats.viewers.Load())
	}
	w.size = min(size, int64(v.MergeWindowMax))
	l.stats.window.Store(w.size)
}

func (w *window) auto(viewers int64) int64 {
	round := w.visit * float64(viewers)
	size := min(int64(round/calmShare), calmWindow)
	if round > longRound {
		size = max(size, int64(round/tightShare))
	}
	if size < shortest {
		return 0
	}
	return size
}
