package record

import "time"

// Cutter decides where parts and segments end. The zero value never cuts but
// where codec parameters change. It is for one goroutine.
type Cutter struct {
	// Target is the least duration of a part that a keyframe ends, Bytes the
	// least size; 0: not by that. At twice either, any frame ends it.
	Target time.Duration
	Bytes  int64

	begin int64
}

// Point is where a cut may be: before a frame.
type Point struct {
	DTS int64 // ms
	// Keyframe: a decoder can start here. For streams without video the
	// caller decides whether every frame is one.
	Keyframe bool
	// Params: the codec parameters differ from those that the part began with.
	Params bool
	// Size is that of the part so far, in bytes.
	Size int64
}

// Cut says whether a part ends, and why.
type Cut uint8

// The answers of Next.
const (
	NoCut Cut = iota
	// AtKeyframe: the target is reached and the next part begins with a
	// keyframe.
	AtKeyframe
	// Forced: twice the target passed without a keyframe; the next part is
	// not independent.
	Forced
	// NewParams: the codec parameters changed.
	NewParams
)

// Begin notes where a part begins, in ms.
func (c *Cutter) Begin(dts int64) { c.begin = dts }

// Next says whether the part ends before p.
func (c *Cutter) Next(p Point) Cut {
	switch {
	case p.Params:
		return NewParams
	case p.Keyframe && c.reached(p, 1):
		return AtKeyframe
	case !p.Keyframe && c.reached(p, 2):
		return Forced
	}
	return NoCut
}

func (c *Cutter) reached(p Point, times int64) bool {
	return c.Target > 0 && p.DTS-c.begin >= times*c.Target.Milliseconds() ||
		c.Bytes > 0 && p.Size >= times*c.Bytes
}
