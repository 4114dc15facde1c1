package flv

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/millrace/millrace/core/media"
)

// Enhanced RTMP v2, "Enhanced Video" and "Enhanced Audio": the low four bits
// of the first byte.
const (
	packetSequenceStart = 0
	packetCodedFrames   = 1
	packetSequenceEnd   = 2
	packetCodedFramesX  = 3 // video: no composition time, it is 0
	packetMetadata      = 4 // video: colour information, AMF
	packetMultichannel  = 4 // audio: channel order
	packetTSStart       = 5 // video: an MPEG-2 TS descriptor
	packetMultitrack    = 6
	packetModEx         = 7

	packetAudioMultitrack = 5
)

// Ways to put several tracks into one message.
const (
	multitrackOne        = 0
	multitrackMany       = 1
	multitrackManyCodecs = 2
)

// modExNano is the only kind of ModEx so far: an offset in ns.
const modExNano = 0

// maxParts is how many tracks a message may have. Each becomes a frame, which
// is far larger than the least part, of 6 bytes.
const maxParts = 64

// Errors of enhanced headers.
var (
	ErrMultitrack = errors.New("unknown kind of multitrack message")
	ErrPacketType = errors.New("unknown packet type")
	ErrFourCC     = errors.New("FourCC that is not printable")
	ErrParts      = fmt.Errorf("multitrack message of more than %d tracks", maxParts)
)

// reader takes a header apart. Past the end it gives zeros and notes it.
type reader struct {
	b     []byte
	at    int
	short bool
}

func (r *reader) next(n int) []byte {
	if len(r.b)-r.at < n {
		r.short = true
		return make([]byte, n)
	}
	b := r.b[r.at : r.at+n]
	r.at += n
	return b
}

func (r *reader) byte() byte { return r.next(1)[0] }

func (r *reader) uint24() int {
	b := r.next(3)
	return int(b[0])<<16 | int(b[1])<<8 | int(b[2])
}

func (r *reader) fourCC() media.FourCC { return media.FourCC(binary.BigEndian.Uint32(r.next(4))) }

// enhanced is what the common part of an enhanced header says.
type enhanced struct {
	kind      media.Kind
	frameType byte
	packet    byte
	multi     bool
	many      byte // multitrack type
	codec     media.FourCC
	nano      uint32
}

// splitEnhanced reads a message with an enhanced header.
func splitEnhanced(kind media.Kind, b []byte, each func(Part)) error {
	r := &reader{b: b}
	first := r.byte()
	e := enhanced{kind: kind, packet: first & 15}
	if kind == media.Video {
		e.frameType = first >> 4 & 7
	}
	e.modEx(r)
	if kind == media.Video && e.packet != packetMetadata && e.frameType == frameCommand {
		return ErrCommand
	}
	if err := e.start(r); err != nil {
		return err
	}
	return e.parts(r, each)
}

func (e *enhanced) parts(r *reader, each func(Part)) error {
	for range maxParts {
		p, err := e.part(r)
		if err != nil {
			return err
		}
		several := e.multi && e.many != multitrackOne
		switch {
		case p.Start < p.End || p.mayBeEmpty():
			each(p)
		case !several: // see ParseHeader
			return ErrEmpty
		}
		if !several || r.at >= len(r.b) {
			return nil
		}
	}
	return ErrParts
}

// modEx reads the modifiers before the packet type proper. Each is at least
// two bytes long, so that there is an end to them.
func (e *enhanced) modEx(r *reader) {
	for e.packet == packetModEx && !r.short {
		size := int(r.byte()) + 1
		if size == 256 {
			size = int(binary.BigEndian.Uint16(r.next(2))) + 1
		}
		if size > len(r.b) {
			r.short = true
			return
		}
		data := r.next(size)
		next := r.byte()
		if next>>4 == modExNano && len(data) >= 3 {
			e.nano = uint32(data[0])<<16 | uint32(data[1])<<8 | uint32(data[2])
		}
		e.packet = next & 15
	}
}

func (e *enhanced) start(r *reader) error {
	e.multi = e.kind == media.Video && e.packet == packetMultitrack ||
		e.kind == media.Audio && e.packet == packetAudioMultitrack
	if e.multi {
		next := r.byte()
		e.many, e.packet = next>>4, next&15
		if e.many > multitrackManyCodecs {
			return fmt.Errorf("%w: %d", ErrMultitrack, e.many)
		}
	}
	if !e.multi || e.many != multitrackManyCodecs {
		e.codec = r.fourCC()
	}
	if r.short {
		return ErrTruncated
	}
	return nil
}

// part reads one track of the message.
func (e *enhanced) part(r *reader) (Part, error) {
	p := Part{Enhanced: true, Header: Header{Codec: e.codec, Nano: e.nano, Type: e.frameType}}
	size := -1
	if e.multi {
		if e.many == multitrackManyCodecs {
			p.Codec = r.fourCC()
		}
		p.Track = r.byte()
		if e.many != multitrackOne {
			size = r.uint24()
		}
	}
	start := r.at
	if err := e.packetHeader(r, &p); err != nil {
		return p, err
	}
	end := len(r.b)
	if size >= 0 {
		end = start + size
	}
	if r.short || end > len(r.b) || end < r.at {
		return p, ErrTruncated
	}
	if !p.Codec.Printable() {
		return p, ErrFourCC
	}
	p.Start, p.End = r.at, end
	p.Size = p.Start
	r.at = end
	if e.kind == media.Video {
		p.fixType(r.b[p.Start:p.End])
	}
	return p, nil
}

// mayBeEmpty reports whether a part says something without a body. gortmplib
// sends, and waits for, the sequence start of codecs that have no configuration.
func (p *Part) mayBeEmpty() bool {
	switch p.Codec {
	case media.AC3, media.EAC3, media.MP3:
		return p.Flags&(media.Config|media.EndOfSequence) != 0
	}
	return p.Flags == media.EndOfSequence
}

// packetHeader reads what the packet type says of the part.
func (e *enhanced) packetHeader(r *reader, p *Part) error {
	if e.kind == media.Video && (e.frameType == frameKey || e.frameType == frameGeneratedKey) {
		p.Flags |= media.Keyframe
	}
	switch {
	case e.packet == packetSequenceStart:
		p.Flags = media.Config
	case e.packet == packetCodedFrames:
		if e.kind == media.Video && hasCTS(p.Codec) {
			p.CTS = int32(uint32(r.uint24())<<8) >> 8
		}
	case e.packet == packetSequenceEnd:
		p.Flags = media.EndOfSequence
	case e.kind == media.Video && e.packet == packetCodedFramesX:
	case e.packet == packetMetadata: // and packetMultichannel
		p.Flags = media.Extra
	case e.kind == media.Video && e.packet == packetTSStart:
		p.Flags = media.Config | media.Extra
	default:
		return fmt.Errorf("%w: %d", ErrPacketType, e.packet)
	}
	return nil
}

// hasCTS reports whether coded frames of a codec carry a composition time.
func hasCTS(c media.FourCC) bool {
	return c == media.AVC || c == media.HEVC || c == media.VVC
}
