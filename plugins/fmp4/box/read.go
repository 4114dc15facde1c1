package box

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/millrace/millrace/core/media"
)

// Errors of readers.
var (
	// ErrShort: call again with more bytes.
	ErrShort = errors.New("box is not complete")
	// ErrBroken: this is no box that this package writes.
	ErrBroken = errors.New("broken box")
)

// Header is how a box begins.
type Header struct {
	Kind string
	// Head is the size of the header, Size that of the whole box; in bytes.
	Head, Size int64
}

// ReadHeader reads a box's header. It wants 16 bytes for a box of 64-bit size,
// and 8 for others.
func ReadHeader(b []byte) (Header, error) {
	if len(b) < 8 {
		return Header{}, ErrShort
	}
	h := Header{Kind: string(b[4:8]), Head: 8, Size: int64(binary.BigEndian.Uint32(b))}
	if h.Size == 1 {
		if len(b) < 16 {
			return Header{}, ErrShort
		}
		size := binary.BigEndian.Uint64(b[8:])
		if size > math.MaxInt64 {
			return Header{}, fmt.Errorf("%w: %q of %d bytes", ErrBroken, h.Kind, size)
		}
		h.Head, h.Size = 16, int64(size)
	}
	if h.Size < h.Head {
		return Header{}, fmt.Errorf("%w: %q of %d bytes", ErrBroken, h.Kind, h.Size)
	}
	return h, nil
}

// each calls f for the boxes in b, with what is in them.
func each(b []byte, f func(kind string, body []byte) error) error {
	for len(b) > 0 {
		h, err := ReadHeader(b)
		if err != nil {
			return err
		}
		if h.Size > int64(len(b)) {
			return fmt.Errorf("%w: %q is longer than what it is in", ErrBroken, h.Kind)
		}
		if err := f(h.Kind, b[h.Head:h.Size]); err != nil {
			return err
		}
		b = b[h.Size:]
	}
	return nil
}

// fields reads numbers; past the end it gives zeros and notes it.
type fields struct {
	b     []byte
	short bool
}

func (f *fields) take(n int) []byte {
	if n < 0 || len(f.b) < n {
		f.short, f.b = true, nil
		return make([]byte, min(max(n, 0), 8))
	}
	b := f.b[:n]
	f.b = f.b[n:]
	return b
}

func (f *fields) u32() uint32 { return binary.BigEndian.Uint32(f.take(4)) }
func (f *fields) u64() uint64 { return binary.BigEndian.Uint64(f.take(8)) }
func (f *fields) skip(n int) {
	if len(f.b) < n {
		f.short, f.b = true, nil
		return
	}
	f.b = f.b[n:]
}

// wide reads 32 or 64 bits, as the version of a full box says.
func (f *fields) wide(version byte) uint64 {
	if version == 1 {
		return f.u64()
	}
	return uint64(f.u32())
}

// SampleInfo is a sample without its bytes.
type SampleInfo struct {
	Duration, Size uint32
	CTS            int32
	Sync           bool
}

// RunInfo is a run as it stands in a moof.
type RunInfo struct {
	Track uint32
	// Time is the decode time of the first sample; Offset is where its bytes
	// begin, counted from the start of moof.
	Time    int64
	Offset  int64
	Samples []SampleInfo
}

// End is the decode time after the last sample.
func (r *RunInfo) End() int64 {
	t := r.Time
	for i := range r.Samples {
		t += int64(r.Samples[i].Duration)
	}
	return t
}

// Bytes is the size of all samples.
func (r *RunInfo) Bytes() int64 {
	var n int64
	for i := range r.Samples {
		n += int64(r.Samples[i].Size)
	}
	return n
}

// ParseMoof reads the body of a moof (what follows its header) as AppendHead
// writes it: one trun per track.
func ParseMoof(b []byte) ([]RunInfo, error) {
	var runs []RunInfo
	err := each(b, func(kind string, body []byte) error {
		if kind != "traf" {
			return nil
		}
		r, err := parseTraf(body)
		if err == nil {
			runs = append(runs, r)
		}
		return err
	})
	if err == nil && len(runs) == 0 {
		err = fmt.Errorf("%w: moof without runs", ErrBroken)
	}
	if err != nil {
		return nil, fmt.Errorf("read moof: %w", err)
	}
	return runs, nil
}

func parseTraf(b []byte) (RunInfo, error) {
	var r RunInfo
	var usual SampleInfo
	seen := 0
	err := each(b, func(kind string, body []byte) error {
		f := &fields{b: body}
		head := f.u32()
		switch kind {
		case "tfhd":
			r.Track, usual = parseTfhd(f, head)
		case "tfdt":
			r.Time = int64(f.wide(byte(head >> 24)))
		case "trun":
			seen++
			return parseTrun(f, head, &r, usual)
		}
		if f.short {
			return fmt.Errorf("%w: %s", ErrBroken, kind)
		}
		return nil
	})
	if err == nil && (seen != 1 || r.Time < 0 || r.Time > 1<<56) {
		err = fmt.Errorf("%w: traf", ErrBroken)
	}
	return r, err
}

func parseTfhd(f *fields, head uint32) (track uint32, usual SampleInfo) {
	track = f.u32()
	if head&tfhdDuration != 0 {
		usual.Duration = f.u32()
	}
	if head&tfhdSize != 0 {
		usual.Size = f.u32()
	}
	if head&tfhdFlags != 0 {
		usual.Sync = isSync(f.u32())
	}
	return track, usual
}

func isSync(flags uint32) bool { return flags&0x10000 == 0 }

func parseTrun(f *fields, head uint32, r *RunInfo, usual SampleInfo) error {
	count := f.u32()
	if head&trunOffset != 0 {
		r.Offset = int64(int32(f.u32()))
	}
	first := usual.Sync
	if head&trunFirstFlags != 0 {
		first = isSync(f.u32())
	}
	each := 0
	for _, bit := range [...]uint32{trunDuration, trunSize, trunFlags, trunCTS} {
		if head&bit != 0 {
			each += 4
		}
	}
	// A run whose samples are all alike has no bytes for them: a second's
	// worth of the shortest frames is far below the limit.
	const most = 1 << 16
	if f.short || uint64(count)*uint64(each) > uint64(len(f.b)) || count > most || count == 0 {
		return fmt.Errorf("%w: trun of %d samples", ErrBroken, count)
	}
	r.Samples = make([]SampleInfo, count)
	for i := range r.Samples {
		s := usual
		if i == 0 {
			s.Sync = first
		}
		parseSample(f, head, &s)
		r.Samples[i] = s
	}
	return nil
}

func parseSample(f *fields, head uint32, s *SampleInfo) {
	if head&trunDuration != 0 {
		s.Duration = f.u32()
	}
	if head&trunSize != 0 {
		s.Size = f.u32()
	}
	if head&trunFlags != 0 {
		s.Sync = isSync(f.u32())
	}
	if head&trunCTS != 0 {
		s.CTS = int32(f.u32())
	}
}

// ParseInit reads the tracks of an init segment as Init writes it.
func ParseInit(b []byte) ([]Trak, error) {
	var tracks []Trak
	err := each(b, func(kind string, body []byte) error {
		if kind != "moov" {
			return nil
		}
		return each(body, func(kind string, body []byte) error {
			if kind != "trak" {
				return nil
			}
			var t Trak
			if err := t.parse(body); err != nil {
				return err
			}
			tracks = append(tracks, t)
			return nil
		})
	})
	if err == nil && len(tracks) == 0 {
		err = fmt.Errorf("%w: no tracks", ErrBroken)
	}
	if err != nil {
		return nil, fmt.Errorf("read init segment: %w", err)
	}
	return tracks, nil
}

// parse reads the boxes of a trak, and, as they are met, of those within. The
// depth is that of the format, not of the input.
func (t *Trak) parse(b []byte) error {
	inner := func(f func(string, []byte) error) func([]byte) error {
		return func(b []byte) error { return each(b, f) }
	}
	stbl := inner(t.parseLeaf)
	minf := inner(func(kind string, b []byte) error {
		if kind == "stbl" {
			return stbl(b)
		}
		return nil
	})
	mdia := inner(func(kind string, b []byte) error {
		if kind == "minf" {
			return minf(b)
		}
		return t.parseLeaf(kind, b)
	})
	err := each(b, func(kind string, b []byte) error {
		switch kind {
		case "mdia":
			return mdia(b)
		case "edts":
			return each(b, t.parseLeaf)
		}
		return t.parseLeaf(kind, b)
	})
	if err == nil && (t.ID == 0 || t.Timescale == 0 || t.Kind == 0 || len(t.Entries) == 0) {
		return fmt.Errorf("%w: trak", ErrBroken)
	}
	return err
}

func (t *Trak) parseLeaf(kind string, b []byte) error {
	f := &fields{b: b}
	head := f.u32()
	version := byte(head >> 24)
	switch kind {
	case "tkhd":
		f.skip(8 << version & 31)
		t.ID = f.u32()
		f.skip(4 + 4<<(version&1) + 12 + 4 + 36)
		t.Width, t.Height = int(f.u32()>>16), int(f.u32()>>16)
	case "mdhd":
		f.skip(8 << version & 31)
		t.Timescale = f.u32()
	case "hdlr":
		f.skip(4)
		t.Kind = map[string]media.Kind{"vide": media.Video, "soun": media.Audio}[string(f.take(4))]
	case "elst":
		f.skip(4)
		e := Edit{Duration: f.wide(version)}
		if e.MediaTime = int64(f.wide(version)); version == 0 {
			e.MediaTime = int64(int32(e.MediaTime))
		}
		t.Edits = []Edit{e}
	case "stsd":
		return t.parseEntries(f)
	default:
		return nil
	}
	if f.short {
		return fmt.Errorf("%w: %s", ErrBroken, kind)
	}
	return nil
}

func (t *Trak) parseEntries(f *fields) error {
	f.skip(4)
	for b := f.b; len(b) > 0; {
		h, err := ReadHeader(b)
		if err != nil || h.Size > int64(len(b)) {
			return fmt.Errorf("%w: sample entry", ErrBroken)
		}
		t.Entries = append(t.Entries, b[:h.Size:h.Size])
		b = b[h.Size:]
	}
	return nil
}
