package flv

import (
	"encoding/binary"

	"github.com/millrace/millrace/core/media"
)

// fixType replaces frame type 0, which no specification has: gortmplib, and so
// MediaMTX, gives it to all enhanced frames. Without keyframes there would be
// nowhere for a viewer to start.
func (p *Part) fixType(body []byte) {
	if p.Type != 0 {
		return
	}
	p.Type = 2
	switch {
	case p.Flags&media.Config != 0:
		p.Type = frameKey
	case p.Flags == 0 && isKey(p.Codec, body):
		p.Type, p.Flags = frameKey, media.Keyframe
	}
}

// isKey reports whether a decoder can start at coded media.
func isKey(codec media.FourCC, b []byte) bool {
	switch codec {
	case media.AVC, media.HEVC, media.VVC:
		return hasKeyNALU(codec, b)
	case media.AV1:
		return hasSequenceHeader(b)
	case media.VP9:
		return isKeyVP9(b)
	case media.VP8:
		return len(b) > 0 && b[0]&1 == 0 // RFC 6386, 9.1
	}
	return false
}

// hasKeyNALU looks for a slice of a random access picture among NAL units
// behind their lengths of 4 bytes, which all encoders use.
func hasKeyNALU(codec media.FourCC, b []byte) bool {
	for len(b) > 5 {
		n := int(binary.BigEndian.Uint32(b))
		if isKeyNALU(codec, b[4], b[5]) {
			return true
		}
		if n > len(b)-4 {
			return false
		}
		b = b[4+n:]
	}
	return false
}

func isKeyNALU(codec media.FourCC, first, second byte) bool {
	switch codec {
	case media.AVC: // H.264, table 7-1: IDR
		return first&31 == 5
	case media.HEVC: // H.265, table 7-1: BLA, IDR, CRA
		return first>>1 >= 16 && first>>1 <= 21
	}
	return second>>3 >= 7 && second>>3 <= 9 // H.266, table 5: IDR, CRA
}

// hasSequenceHeader looks for an OBU of type 1 (AV1, 5.3): encoders send it
// with each keyframe.
func hasSequenceHeader(b []byte) bool {
	for len(b) > 0 {
		head := b[0]
		if head>>3&15 == 1 {
			return true
		}
		if head&2 == 0 { // without a size it is the last
			return false
		}
		at := 1 + int(head>>2&1) // extension
		n, size := binary.Uvarint(b[min(at, len(b)):])
		if size <= 0 || n > uint64(len(b)) || at+size+int(n) > len(b) {
			return false
		}
		b = b[at+size+int(n):]
	}
	return false
}

// isKeyVP9 reads the start of the uncompressed header (VP9, 6.2).
func isKeyVP9(b []byte) bool {
	if len(b) == 0 || b[0]>>6 != 2 {
		return false
	}
	rest := b[0] << 4 // show_existing_frame, frame_type
	if b[0]>>4&3 == 3 {
		rest <<= 1 // reserved_zero of profile 3
	}
	return rest&0xC0 == 0
}
