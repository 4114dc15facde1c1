// Package demux takes apart what a plugin reads from the media socket: FLV
// whose tags are counted, with script tags that say where the count stands
// (onSequence) and what was left out (onGap).
package demux

import (
	"errors"
	"fmt"

	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/flv"
	"github.com/millrace/millrace/core/media"
)

// ErrShort means that the bytes given do not hold a whole tag: call again with
// more.
var ErrShort = errors.New("tag is cut short")

// Errors of a feed that is not one of ours.
var (
	ErrNotFLV = errors.New("not an FLV stream")
	ErrScript = errors.New("script tag of the feed is malformed")
)

// Type tells what a Unit is.
type Type uint8

// The types of units.
const (
	// Header is metadata or a sequence header from before the count began.
	Header Type = iota + 1
	// Frame counts one.
	Frame
	// Position says what the next frame's number is.
	Position
	// Gap says that frames were left out.
	Gap
	// Skipped is a tag that counts one but that nobody can read.
	Skipped
)

// Unit is one piece of a feed.
type Unit struct {
	Type  Type
	Frame *media.Frame // of Header and Frame
	// Seq is the number of a Frame or Skipped, and of the next one for a
	// Position, whose Session is the publish session's ULID.
	Seq     uint64
	Session string
	// A Gap: the frames From up to, not including, To do not come.
	From, To uint64
	Reason   string
}

// Decoder takes a feed apart. The zero value is at its beginning. One
// goroutine may use it. It must not be copied after its first use.
type Decoder struct {
	begun   bool // the file header was read
	counted bool // onSequence was seen
	next    uint64
	clock   clock
	pick    picker

	// first is the first part of the tag under way, if it has any, and split
	// what sets it: one function for all tags, none of which is garbage then.
	first flv.Part
	any   bool
	split func(flv.Part)
}

const (
	tagHeader  = 11
	tagTrailer = 4
)

// Next reads one unit from the start of b and says how many bytes it took,
// also with a unit of Type 0, which is to be passed over. ErrShort asks for
// more bytes; any other error ends the feed. Frames do not refer to b.
func (d *Decoder) Next(b []byte) (Unit, int, error) {
	if !d.begun {
		return d.fileHeader(b)
	}
	if len(b) < tagHeader {
		return Unit{}, 0, ErrShort
	}
	size := int(b[1])<<16 | int(b[2])<<8 | int(b[3])
	total := tagHeader + size + tagTrailer
	if len(b) < total {
		return Unit{}, 0, ErrShort
	}
	u, err := d.tag(media.Kind(b[0]&0x1F), timestamp(b), b[tagHeader:tagHeader+size])
	return u, total, err
}

// Need says how many bytes the unit at the start of b has, as far as b tells.
func (d *Decoder) Need(b []byte) int {
	switch {
	case !d.begun:
		return flv.FileHeaderSize
	case len(b) < tagHeader:
		return tagHeader
	}
	return tagHeader + (int(b[1])<<16 | int(b[2])<<8 | int(b[3])) + tagTrailer
}

// timestamp reads the 24 low bits and the 8 high bits after them (FLV 10.1,
// E.4.1).
func timestamp(b []byte) uint32 {
	return uint32(b[7])<<24 | uint32(b[4])<<16 | uint32(b[5])<<8 | uint32(b[6])
}

func (d *Decoder) fileHeader(b []byte) (Unit, int, error) {
	if len(b) < flv.FileHeaderSize {
		return Unit{}, 0, ErrShort
	}
	if string(b[:3]) != "FLV" || b[3] != 1 {
		return Unit{}, 0, ErrNotFLV
	}
	d.begun = true
	return Unit{}, flv.FileHeaderSize, nil
}

func (d *Decoder) tag(kind media.Kind, ts uint32, data []byte) (Unit, error) {
	switch kind {
	case media.Audio, media.Video:
		return d.media(kind, ts, data), nil
	case media.Data:
		return d.script(ts, data)
	}
	return d.count(nil), nil
}

// count gives a tag its number. A frame that cannot be read keeps its place.
func (d *Decoder) count(f *media.Frame) Unit {
	if !d.counted {
		if f == nil {
			return Unit{}
		}
		return Unit{Type: Header, Frame: f}
	}
	u := Unit{Type: Frame, Seq: d.next, Frame: f}
	d.next++
	if f == nil {
		u.Type = Skipped
		return u
	}
	f.Seq = u.Seq
	return u
}

func (d *Decoder) media(kind media.Kind, ts uint32, data []byte) Unit {
	if d.split == nil {
		d.split = d.take
	}
	d.any = false
	if err := flv.Split(kind, data, d.split); err != nil || !d.any {
		return d.count(nil)
	}
	first := &d.first
	f := frame(kind, data, first.Size)
	f.Codec, f.Flags, f.CTS, f.Nano, f.Track = first.Codec, first.Flags, first.CTS, first.Nano, first.Track
	d.pick.mark(f)
	return d.count(d.dated(f, ts))
}

func (d *Decoder) take(p flv.Part) {
	if !d.any {
		d.any, d.first = true, p
	}
}

// dated gives the frame its time and its wire forms. A sequence header from
// before the count has whatever time it was sent with, which may be far from
// that of the frames.
func (d *Decoder) dated(f *media.Frame, ts uint32) *media.Frame {
	if d.counted {
		f.DTS = d.clock.unwrap(ts)
	}
	f.Seal()
	return f
}

func frame(kind media.Kind, data []byte, header int) *media.Frame {
	room := media.NewRoom(len(data))
	copy(media.Payload(room), data)
	return media.NewFrame(kind, room, header)
}

// scriptLimits bound what a script tag may hold.
var scriptLimits = amf.Limits{Depth: 32, Values: 1 << 16}

func (d *Decoder) script(ts uint32, data []byte) (Unit, error) {
	if len(data) == 0 {
		return d.count(nil), nil
	}
	// What is no AMF is some publisher's own; it is passed on as it is.
	name, n, _ := amf.Decode0(data, scriptLimits)
	switch name {
	case "onSequence":
		return d.position(data[n:])
	case "onGap":
		return d.gap(data[n:])
	}
	f := frame(media.Data, data, 0)
	if name == "onMetaData" {
		f.Flags = media.Metadata
	}
	return d.count(d.dated(f, ts)), nil
}

func (d *Decoder) position(b []byte) (Unit, error) {
	v, _, err := amf.Decode0(b, scriptLimits)
	if err != nil {
		return Unit{}, fmt.Errorf("%w: onSequence: %w", ErrScript, err)
	}
	seq, ok := number(v, "seq")
	if !ok {
		return Unit{}, fmt.Errorf("%w: onSequence without seq", ErrScript)
	}
	d.next, d.counted = seq, true
	return Unit{Type: Position, Seq: seq, Session: text(v, "session")}, nil
}

func (d *Decoder) gap(b []byte) (Unit, error) {
	v, _, err := amf.Decode0(b, scriptLimits)
	if err != nil {
		return Unit{}, fmt.Errorf("%w: onGap: %w", ErrScript, err)
	}
	from, ok := number(v, "from")
	to, ok2 := number(v, "to")
	if !ok || !ok2 || to < from {
		return Unit{}, fmt.Errorf("%w: onGap from %d to %d", ErrScript, from, to)
	}
	d.next, d.counted = to, true
	return Unit{Type: Gap, From: from, To: to, Reason: text(v, "reason")}, nil
}

// maxExact is the largest integer that AMF0's numbers, doubles, hold exactly.
const maxExact = 1 << 53

func number(v any, name string) (uint64, bool) {
	p, _ := amf.Lookup(v, name)
	f, ok := p.(float64)
	if !ok || f < 0 || f > maxExact || f != float64(uint64(f)) {
		return 0, false
	}
	return uint64(f), true
}

func text(v any, name string) string {
	p, _ := amf.Lookup(v, name)
	s, _ := p.(string)
	return s
}

// NewFile reads a file, which has no onSequence: everything counts from 1.
func NewFile() *Decoder { return &Decoder{counted: true, next: 1} }
