package stream

import "github.com/millrace/millrace/core/media"

// timeline turns a publisher's 32-bit timestamps into the stream's DTS: no
// wrap, never back within a kind, one offset shared by all tracks.
//
// The offset changes only when a track goes back by more than jump, or runs
// ahead of arrival time by more than that. A track that the new offset does
// not suit keeps the one that it had: it has not come to the jump yet, or
// never will. The interleave is left alone.
type timeline struct {
	offset  int64 // the newest
	raw     int64 // newest unwrapped timestamp
	started bool

	// high is the highest DTS sent on the stream, arrived when it was.
	high, arrived int64
	// tracks are the default ones by kind; others, if there are any, are found
	// by kind and number.
	tracks [2]track
	others map[trackKey]*track
}

type trackKey struct {
	kind   media.Kind
	number uint8
}

type track struct {
	seen   bool
	last   int64
	offset int64 // of its newest frame
	// step is the newest plausible distance between two frames, in ms.
	step int64
}

const (
	jump = 1000 // ms
	// skew is how far a track's first frame may be from the other track's,
	// in ms; capture devices start seconds apart.
	skew = 10_000
	// defaultStep stands for a frame's duration before one was seen, in ms.
	defaultStep = 33
)

func index(kind media.Kind) int {
	if kind == media.Video {
		return 1
	}
	return 0
}

// resume prepares for a new publisher of the same stream: its first frame
// will follow the highest DTS sent by one frame duration.
func (t *timeline) resume() {
	t.started = false
	t.tracks[0].seen, t.tracks[1].seen = false, false
	clear(t.others)
}

// stamp returns the DTS of a media frame with timestamp ts that arrived at
// now (ns), and whether it had to be corrected.
func (t *timeline) stamp(kind media.Kind, ts uint32, now int64) (dts int64, corrected bool) {
	return t.stampOn(&t.tracks[index(kind)], ts, now)
}

// track is where f's track stands.
func (t *timeline) track(f *media.Frame) *track {
	if f.Flags&media.Other == 0 {
		return &t.tracks[index(f.Kind)]
	}
	k := trackKey{f.Kind, f.Track}
	tr := t.others[k]
	if tr == nil {
		if t.others == nil {
			t.others = make(map[trackKey]*track)
		}
		tr = &track{}
		t.others[k] = tr
	}
	return tr
}

func (t *timeline) stampOn(tr *track, ts uint32, now int64) (dts int64, corrected bool) {
	t.unwrap(ts, tr)
	tr.offset, corrected = t.choose(tr, now)
	dts = t.raw + tr.offset
	if dts < tr.last {
		dts = tr.last
		corrected = corrected || tr.seen
	}
	t.advance(tr, dts, now)
	return dts, corrected
}

// choose returns the offset for the newest timestamp, and whether it is a new
// one.
func (t *timeline) choose(tr *track, now int64) (offset int64, corrected bool) {
	if !t.jumped(tr, t.raw+t.offset, now) {
		return t.offset, false
	}
	if tr.seen && !t.jumped(tr, t.raw+tr.offset, now) {
		return tr.offset, false
	}
	t.offset = t.next(tr) - t.raw
	return t.offset, true
}

// unwrap extends ts to 64 bits by its distance from the one before it.
func (t *timeline) unwrap(ts uint32, tr *track) {
	if t.started {
		t.raw += int64(int32(ts - uint32(t.raw)))
		return
	}
	t.started = true
	t.raw = int64(ts)
	if t.arrived != 0 {
		t.offset = t.next(tr) - t.raw
	}
}

func (t *timeline) jumped(tr *track, dts, now int64) bool {
	if t.arrived == 0 {
		return false
	}
	if !tr.seen {
		return dts < t.high-skew || dts > t.high+skew
	}
	elapsed := (now - t.arrived) / 1e6
	return dts < tr.last-jump || dts-t.high > elapsed+jump
}

// next is the DTS that follows what was sent by one frame duration.
func (t *timeline) next(tr *track) int64 {
	step := tr.step
	if step == 0 {
		step = defaultStep
	}
	return t.high + step
}

func (t *timeline) advance(tr *track, dts, now int64) {
	if d := dts - tr.last; tr.seen && d > 0 && d <= jump {
		tr.step = d
	}
	tr.seen = true
	tr.last = dts
	if dts >= t.high || t.arrived == 0 {
		t.high, t.arrived = dts, now
	}
}

// place returns the DTS for something without a clock of its own that counts
// (a sequence header, metadata): where the kind's track is.
func (t *timeline) place(kind media.Kind) int64 {
	if kind == media.Data {
		return t.high
	}
	if tr := &t.tracks[index(kind)]; tr.seen {
		return tr.last
	}
	return t.high
}
