package box

import "github.com/millrace/millrace/core/media"

// Clock turns a track's timestamps, ms with offsets in ns, into its timescale.
//
// Each time is made of its own timestamp, so that no rounding accumulates.
// Audio counts samples, which is what players want: as long as the count stays
// within tolerance of the timestamp, the count has it; if not, it is moved to
// the edge of the tolerance, so that a sound card's drift spreads over many
// frames and a real jump is followed at once.
//
// A Clock is a value; it is written into hand-overs as JSON.
type Clock struct {
	// Scale is the timescale; Origin, in ms, is time 0.
	Scale  int64 `json:"scale"`
	Origin int64 `json:"origin"`
	// Next is where the next frame would begin if it followed the last one;
	// Last is when that began. Both are in ticks.
	Next    int64 `json:"next"`
	Last    int64 `json:"last"`
	Started bool  `json:"started"`
	Audio   bool  `json:"audio,omitempty"`
}

// toleranceMicros leaves half a tick of the 1 ms that timestamps may be off.
const toleranceMicros = 950

// NewClock is the clock of a track with that codec, whose time 0 is origin
// (ms).
func NewClock(c *Codec, origin int64) Clock {
	return Clock{Scale: int64(c.Timescale()), Origin: origin, Audio: c.Kind == media.Audio}
}

// Time is when a frame begins, in ticks; samples is how many audio samples it
// has. Times always rise.
func (c *Clock) Time(dts int64, nano uint32, samples int) int64 {
	t := c.Ticks(dts, nano)
	if c.Audio && c.Started {
		slack := c.Scale * toleranceMicros / 1e6
		t = min(max(c.Next, t-slack), t+slack)
	}
	if c.Started {
		t = max(t, c.Last+1)
	}
	t = max(t, 0)
	c.Last, c.Next, c.Started = t, t+int64(samples), true
	return t
}

// Ticks is a timestamp (ms, and ns on top) in ticks since Origin, rounded.
func (c *Clock) Ticks(dts int64, nano uint32) int64 {
	return Rescale(dts-c.Origin, nano, c.Scale)
}

// Rescale turns ms, and ns on top, into ticks, rounded to the nearest. It does
// not overflow within the range of 32-bit scales and 50-bit ms.
func Rescale(ms int64, nano uint32, scale int64) int64 {
	seconds, rest := ms/1000, ms%1000
	if rest < 0 {
		seconds, rest = seconds-1, rest+1000
	}
	return seconds*scale + ((rest*1e6+int64(nano))*scale+5e8)/1e9
}
