package box

import (
	"math"
	"time"

	"github.com/millrace/millrace/core/media"
)

// Sample is one coded frame in a track's timescale.
type Sample struct {
	// Time is when it is to be decoded, on the media timeline.
	Time     int64
	Duration uint32
	// CTS is added to Time to have the time of presentation; it may be
	// negative.
	CTS  int32
	Sync bool
	// Body is shared with its maker, and only read.
	Body []byte
}

// Run is what a fragment has of one track: samples without a hole, at least
// one.
type Run struct {
	Track   uint32
	Kind    media.Kind
	Samples []Sample
}

// Bytes is how much coded media the run has.
func (r *Run) Bytes() int {
	n := 0
	for i := range r.Samples {
		n += len(r.Samples[i].Body)
	}
	return n
}

// Fragment is one moof with its mdat: the runs' samples, one run after the
// other, so that each track needs one trun.
type Fragment struct {
	// Number counts the fragments of a movie from 1.
	Number uint32
	Runs   []Run
	// Wall is the wall clock at the first sample of the first run; zero: it
	// is not written.
	Wall time.Time
}

// AppendHead appends all of the fragment but the coded media: prft, moof and
// the header of mdat. Runs without samples are left out.
func (f *Fragment) AppendHead(dst []byte) []byte {
	if !f.Wall.IsZero() {
		dst = f.appendClock(dst)
	}
	dst, moof := begin(dst, "moof")
	dst, at := beginFull(dst, "mfhd", 0, 0)
	dst = end(u32(dst, f.Number), at)
	var holes [8]int // where the data offsets stand; there are few tracks
	offsets := holes[:0]
	total := 0
	for i := range f.Runs {
		r := &f.Runs[i]
		if len(r.Samples) == 0 {
			continue
		}
		var hole int
		dst, hole = r.append(dst)
		offsets = append(offsets, hole)
		total += r.Bytes()
	}
	dst = end(dst, moof)
	f.fillOffsets(dst, offsets, len(dst)-moof+8)
	return append(u32(dst, uint32(total+8)), "mdat"...)
}

// fillOffsets writes where each run's media begins, counted from moof.
func (f *Fragment) fillOffsets(dst []byte, holes []int, offset int) {
	for i := range f.Runs {
		if len(f.Runs[i].Samples) == 0 {
			continue
		}
		at := holes[0]
		holes = holes[1:]
		dst[at], dst[at+1], dst[at+2], dst[at+3] = byte(offset>>24), byte(offset>>16), byte(offset>>8), byte(offset)
		offset += f.Runs[i].Bytes()
	}
}

// Buffers appends the fragment as slices for writev: head, which must be what
// AppendHead made of it, and the samples' bodies.
func (f *Fragment) Buffers(dst [][]byte, head []byte) [][]byte {
	dst = append(dst, head)
	for i := range f.Runs {
		for j := range f.Runs[i].Samples {
			if b := f.Runs[i].Samples[j].Body; len(b) > 0 {
				dst = append(dst, b)
			}
		}
	}
	return dst
}

// appendClock appends a ProducerReferenceTimeBox (8.16.5): wall clock, as NTP
// has it, and media time of the first sample. Flags 24: the time at which the
// frame was given to this program.
func (f *Fragment) appendClock(dst []byte) []byte {
	for i := range f.Runs {
		r := &f.Runs[i]
		if len(r.Samples) == 0 {
			continue
		}
		dst, at := beginFull(dst, "prft", 1, 24)
		dst = u64(u32(dst, r.Track), ntp(f.Wall))
		return end(u64(dst, uint64(r.Samples[0].Time)), at)
	}
	return dst
}

// ntp is seconds since 1900 in the upper 32 bits, and the fraction.
func ntp(t time.Time) uint64 {
	const from1900to1970 = 2208988800
	return uint64(t.Unix()+from1900to1970)<<32 | uint64(t.Nanosecond())<<32/1e9
}

// Flags of tfhd (8.8.7) and trun (8.8.8).
const (
	tfhdDuration   = 0x8
	tfhdSize       = 0x10
	tfhdFlags      = 0x20
	tfhdBaseIsMoof = 0x20000

	trunOffset     = 0x1
	trunFirstFlags = 0x4
	trunDuration   = 0x100
	trunSize       = 0x200
	trunFlags      = 0x400
	trunCTS        = 0x800
)

// append appends the run's traf; hole is where the data offset stands.
func (r *Run) append(dst []byte) (_ []byte, hole int) {
	tfhd, trun := r.shape()
	first := &r.Samples[0]
	dst, traf := begin(dst, "traf")
	dst, at := beginFull(dst, "tfhd", 0, tfhd)
	dst = u32(dst, r.Track)
	if tfhd&tfhdDuration != 0 {
		dst = u32(dst, first.Duration)
	}
	if tfhd&tfhdSize != 0 {
		dst = u32(dst, uint32(len(first.Body)))
	}
	dst = end(u32(dst, defaultFlags(r.Kind)), at)
	dst, at = beginFull(dst, "tfdt", 1, 0)
	dst = end(u64(dst, uint64(first.Time)), at)
	dst, at = beginFull(dst, "trun", 1, trun)
	dst = u32(dst, uint32(len(r.Samples)))
	hole = len(dst)
	dst = u32(dst, 0)
	if trun&trunFirstFlags != 0 {
		dst = u32(dst, first.flags())
	}
	dst = r.appendSamples(dst, trun)
	return end(end(dst, at), traf), hole
}

// shape finds what the samples have in common, which need not be written for
// each.
func (r *Run) shape() (tfhd, trun uint32) {
	first := &r.Samples[0]
	tfhd, trun = tfhdBaseIsMoof|tfhdFlags|tfhdDuration|tfhdSize, trunOffset
	usual := defaultFlags(r.Kind)
	if first.flags() != usual {
		trun |= trunFirstFlags
	}
	for i := range r.Samples {
		s := &r.Samples[i]
		if s.Duration != first.Duration {
			tfhd, trun = tfhd&^tfhdDuration, trun|trunDuration
		}
		if len(s.Body) != len(first.Body) {
			tfhd, trun = tfhd&^tfhdSize, trun|trunSize
		}
		if s.CTS != 0 {
			trun |= trunCTS
		}
		if i > 0 && s.flags() != usual {
			trun |= trunFlags
		}
	}
	if trun&trunFlags != 0 {
		trun &^= trunFirstFlags // one or the other
	}
	return tfhd, trun
}

func (r *Run) appendSamples(dst []byte, trun uint32) []byte {
	for i := range r.Samples {
		s := &r.Samples[i]
		if trun&trunDuration != 0 {
			dst = u32(dst, s.Duration)
		}
		if trun&trunSize != 0 {
			dst = u32(dst, uint32(len(s.Body)))
		}
		if trun&trunFlags != 0 {
			dst = u32(dst, s.flags())
		}
		if trun&trunCTS != 0 {
			dst = u32(dst, uint32(s.CTS))
		}
	}
	return dst
}

func (s *Sample) flags() uint32 {
	if s.Sync {
		return flagsSync
	}
	return flagsNotSync
}

// Durations sets each sample's duration to the time until the next, and the
// last one's to the time until next.
func Durations(s []Sample, next int64) {
	for i := range s {
		until := next
		if i+1 < len(s) {
			until = s[i+1].Time
		}
		s[i].Duration = uint32(min(max(until-s[i].Time, 0), math.MaxUint32))
	}
}
