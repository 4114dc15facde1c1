package fmp4

import (
	"errors"
	"log/slog"
	"time"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/fmp4/box"
)

// track is the default track of a kind.
type track struct {
	kind   media.Kind
	log    *slog.Logger
	fourCC media.FourCC
	config []byte
	codec  *box.Codec // nil until it is known
	// running: a keyframe came since the sequence header (of audio: any frame).
	running bool
	// bad: the codec cannot be recorded, which was logged.
	bad     bool
	bitrate uint32

	clock   box.Clock
	lastSeq uint64 // of what is on disk
	usual   uint32 // the last sample's duration, in ticks
	// doneTime and doneNext are when the last sample on disk begins and ends.
	doneTime, doneNext int64

	pending []pending
	samples []box.Sample // reused
}

// pending is a frame that is not on disk yet.
type pending struct {
	f     *media.Frame
	seq   uint64
	time  int64 // in ticks, once timed
	timed bool
	wall  time.Time
}

// setConfig takes a sequence header that differs from the one before.
func (t *track) setConfig(codec media.FourCC, config []byte) {
	t.fourCC, t.config = codec, append([]byte(nil), config...)
	t.codec, t.running, t.bad, t.bitrate = nil, false, false, 0
}

// differs reports whether a sequence header changes anything.
func (t *track) differs(codec media.FourCC, config []byte) bool {
	return t.fourCC != codec || string(t.config) != string(config)
}

// learn makes sure that the codec is known; false: the frame is of no use.
func (t *track) learn(f *media.Frame) bool {
	if t.kind == media.Video && !f.Is(media.Keyframe) && !t.running {
		return false // nothing that a decoder could start at came yet
	}
	if t.codec != nil {
		return true
	}
	if t.bad || box.HasConfig(f.Codec) && t.config == nil {
		return false
	}
	codec, err := box.Parse(t.fourCC, t.config, f.Body())
	if err == nil {
		t.codec, t.running = codec, true
		return true
	}
	if !errors.Is(err, box.ErrNeedFrame) {
		t.bad = true
		t.log.Warn("track is not recorded", "track", t.kind.String(), "codec", t.fourCC.String(), "error", err)
	}
	return false
}

// firstPTS is the earliest presentation among what is pending, in ms.
func (t *track) firstPTS() int64 {
	first := t.pending[0].f.DTS + int64(t.pending[0].f.CTS)
	for _, p := range t.pending {
		first = min(first, p.f.DTS+int64(p.f.CTS))
	}
	return first
}

// take makes samples of the pending frames: all if final, else all whose
// successor is there, so that each duration is known.
func (t *track) take(final bool) []box.Sample {
	n := len(t.pending)
	if !final {
		n--
	}
	if n <= 0 {
		return nil
	}
	t.samples = t.samples[:0]
	for i := range t.pending {
		p := &t.pending[i]
		if !p.timed {
			p.time, p.timed = t.clock.Time(p.f.DTS, p.f.Nano, t.length(p.f)), true
		}
		if i < n {
			t.samples = append(t.samples, t.sample(p))
		}
	}
	box.Durations(t.samples, t.after(n))
	t.usual = t.samples[n-1].Duration
	return t.samples
}

// length is a frame's audio samples.
func (t *track) length(f *media.Frame) int {
	if t.kind == media.Video {
		return 0
	}
	return t.codec.Samples(f.Body())
}

func (t *track) sample(p *pending) box.Sample {
	s := box.Sample{Time: p.time, Sync: t.kind == media.Audio || p.f.Is(media.Keyframe), Body: t.codec.SampleBody(p.f.Body())}
	if p.f.CTS != 0 {
		s.CTS = int32(t.clock.Ticks(p.f.DTS+int64(p.f.CTS), p.f.Nano) - p.time)
	}
	return s
}

// after is when the n-th pending frame begins. If it is not there yet, audio
// knows it by its samples, and video takes the frame rate that was last.
func (t *track) after(n int) int64 {
	if n < len(t.pending) {
		return t.pending[n].time
	}
	if t.kind == media.Audio {
		return t.clock.Next
	}
	last := t.samples[n-1].Time
	switch {
	case n > 1:
		return 2*last - t.samples[n-2].Time
	case t.usual > 0:
		return last + int64(t.usual)
	}
	return last + box.VideoTimescale/30
}

// drop forgets the first n pending frames, which are on disk.
func (t *track) drop(n int) {
	if n == 0 {
		return
	}
	t.lastSeq = max(t.lastSeq, t.pending[n-1].seq)
	rest := copy(t.pending, t.pending[n:])
	clear(t.pending[rest:])
	t.pending = t.pending[:rest]
	clear(t.samples)
}

// measure sets the bit rate, for the init segment, by what is pending.
func (t *track) measure() {
	first, last := t.pending[0].f, t.pending[len(t.pending)-1].f
	if t.bitrate > 0 || last.DTS <= first.DTS {
		return
	}
	bytes := 0
	for _, p := range t.pending[:len(t.pending)-1] {
		bytes += len(p.f.Body())
	}
	t.bitrate = uint32(min(int64(bytes)*8000/(last.DTS-first.DTS), 1<<31))
}
