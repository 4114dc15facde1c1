package playlist

import "time"

// Text is how the first segments of a playlist are written, without parts: what
// follows depends on it, but not on the lines themselves, which are kept
// elsewhere. So a playlist that only grows takes no more memory after a day
// than after a minute, and nothing of it is written twice. The zero value has
// no segments; a copy goes on by itself.
type Text struct {
	key, uri string // in force at the end; see writer
	n        int
	first    int64
	mapped   bool // a segment has a map
	long     time.Duration
	size     int64
}

// Add adds one more segment and returns its lines.
func (t *Text) Add(s *Segment) []byte {
	w := writer{key: t.key, uri: t.uri}
	w.segment(s, false)
	if t.n == 0 {
		t.first = s.Number
	}
	t.key, t.uri, t.mapped = w.key, w.uri, t.mapped || s.Map != ""
	t.n++
	t.long += s.Duration
	t.size += int64(len(w.dst))
	return w.dst
}

// Len is the number of segments.
func (t *Text) Len() int { return t.n }

// Size is that of the lines, in bytes.
func (t *Text) Size() int64 { return t.size }
