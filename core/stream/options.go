// Package stream holds the live streams: for each a ring of immutable frames
// with one writer, and cursors that any number of viewers read it with. It
// knows no sockets; time is passed in, in ns on one monotonic clock.
package stream

import "time"

// Busy is what happens when somebody publishes a name that is in use.
type Busy string

// The policies for a name in use.
const (
	// BusyAuto replaces an incumbent that has sent no media for BusySilence,
	// or that comes from the same peer with the same key; otherwise rejects.
	BusyAuto    Busy = "auto"
	BusyReject  Busy = "reject"
	BusyReplace Busy = "replace"
)

// Options bound a stream and say how it treats publishers and viewers. They
// are in force from the next publish or join on.
type Options struct {
	GOPCache       bool
	OnBusy         Busy
	BusySilence    time.Duration
	ReconnectGrace time.Duration
	// RingTime and RingBytes bound a ring; it always keeps the cached GOP.
	RingTime  time.Duration
	RingBytes int64
	// GOPMaxBytes and GOPMaxAge bound the cached GOP: past them newcomers
	// start at the next keyframe.
	GOPMaxBytes int64
	GOPMaxAge   time.Duration
	// Memory bounds all rings together, in bytes; 0 is no bound.
	Memory int64
	// MaxLag is how far a viewer may fall behind before it skips.
	MaxLag time.Duration
}

// DefaultOptions are the defaults of the configuration.
func DefaultOptions() Options {
	return Options{
		GOPCache:       true,
		OnBusy:         BusyAuto,
		BusySilence:    2 * time.Second,
		ReconnectGrace: 10 * time.Second,
		RingTime:       15 * time.Second,
		RingBytes:      32 << 20,
		GOPMaxBytes:    16 << 20,
		GOPMaxAge:      20 * time.Second,
		MaxLag:         5 * time.Second,
	}
}

// Key names a stream: App is one or more path segments, Name the last one.
type Key struct{ App, Name string }

// String is the key as "app/name".
func (k Key) String() string { return k.App + "/" + k.Name }
