package demux

import "github.com/millrace/millrace/core/media"

// clock makes times of 64 bits from those of 32 that travel. They wrap after
// 49.7 days (2^32 ms); a step of less than half of that is one forth or back.
type clock struct {
	last  int64
	begun bool
}

func (c *clock) unwrap(ts uint32) int64 {
	if !c.begun {
		c.begun, c.last = true, int64(ts)
		return c.last
	}
	c.last += int64(int32(ts - uint32(c.last)))
	return c.last
}

// After goes on with the times of a feed that broke off at dts, in ms. It is
// called before the first Next.
func (d *Decoder) After(dts int64) { d.clock = clock{last: dts, begun: true} }

// DTS is the time of the last frame in ms, and whether there was one.
func (d *Decoder) DTS() (int64, bool) { return d.clock.last, d.clock.begun }

// picker tells frames of the default tracks from others. The server sends the
// headers of the default track of a kind before those of others.
type picker struct {
	known, track [2]uint8 // by kind: audio, video
}

func (p *picker) mark(f *media.Frame) {
	i := int(f.Kind - media.Audio)
	if p.known[i] == 0 {
		p.known[i], p.track[i] = 1, f.Track
	}
	if p.track[i] != f.Track {
		f.Flags |= media.Other
	}
}
