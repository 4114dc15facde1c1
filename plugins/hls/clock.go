package hls

import "time"

// wallclock tells when a segment's first frame was made: the session's start
// and the stream's own time, as long as that agrees with the clock. While a
// publisher is away the stream's time stands still, and the difference is
// taken in one step.
type wallclock struct {
	Anchor time.Time     `json:"anchor,omitzero"`
	At     time.Duration `json:"at"`
}

// wallSlack is how far the two may be apart: merging, a slow disk, a late
// attach are no step.
const wallSlack = 5 * time.Second

// of returns the wall clock at a time of the stream, seen at now.
func (w *wallclock) of(t time.Duration, now time.Time) time.Time {
	if w.Anchor.IsZero() {
		w.Anchor, w.At = now, t
	}
	wall := w.Anchor.Add(t - w.At)
	if d := now.Sub(wall); d > wallSlack || d < -wallSlack {
		w.Anchor, w.At, wall = now, t, now
	}
	return wall
}
