package playlist

import "time"

// Text is how the first segments of a playlist are written, without parts. It
// grows with a playlist that only grows, so that what is written of one for
// hours is not made anew for each segment. The zero value has none.
type Text struct {
	w    writer
	n    int
	long time.Duration
}

// Add writes one more segment and returns its lines, which hold until the next
// call.
func (t *Text) Add(s *Segment) []byte {
	from := len(t.w.dst)
	t.w.segment(s, false)
	t.n++
	t.long += s.Duration
	return t.w.dst[from:]
}

// Len is the number of segments.
func (t *Text) Len() int { return t.n }

// Forget lets go of what is written, for who keeps it elsewhere and wants only
// the lines to come.
func (t *Text) Forget() { t.w.dst = t.w.dst[:0] }

// take goes on behind t.
func (w *writer) take(t *Text) {
	w.dst = append(w.dst, t.w.dst...)
	w.key, w.uri = t.w.key, t.w.uri
	w.withParts -= t.long
}
