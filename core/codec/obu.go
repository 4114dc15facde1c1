package codec

import (
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/av1"
)

// Types of OBUs (AV1, 6.2.2).
const (
	OBUSequenceHeader    = 1
	OBUTemporalDelimiter = 2
)

// NextOBU takes an OBU in low-overhead format off b: its type, itself without
// its header, and how many bytes it took (AV1, 5.3); 0 if b ends in it.
func NextOBU(b []byte) (kind byte, size int, payload []byte) {
	if len(b) == 0 {
		return 0, 0, nil
	}
	at := 1
	if b[0]&4 != 0 {
		at++
	}
	n := len(b) - at
	if b[0]&2 != 0 {
		v, used := leb128(b[min(at, len(b)):])
		if used == 0 {
			return 0, 0, nil
		}
		at, n = at+used, v
	}
	if n < 0 || n > len(b)-at {
		return 0, 0, nil
	}
	return b[0] >> 3 & 15, at + n, b[at : at+n]
}

// leb128 reads up to 4 bytes, more than any frame's size needs; used is 0 if
// there is no number.
func leb128(b []byte) (v, used int) {
	for i := 0; i < len(b) && i < 4; i++ {
		v |= int(b[i]&0x7F) << (7 * i)
		if b[i]&0x80 == 0 {
			return v, i + 1
		}
	}
	return 0, 0
}

// SequenceHeader finds the sequence header among the OBUs of b, and gives it as
// mediacommon's parser wants it: an OBU without size field. nil: there is none.
func SequenceHeader(b []byte) []byte {
	for {
		kind, size, payload := NextOBU(b)
		if size == 0 {
			return nil
		}
		if kind == OBUSequenceHeader {
			return append([]byte{OBUSequenceHeader << 3}, payload...)
		}
		b = b[size:]
	}
}

// readAV1 reads an AV1CodecConfigurationRecord (AV1 in ISOBMFF, 2.3.3), the
// OBUs of which may be left out: then they are in the keyframe.
func readAV1(config, frame []byte) (Parameters, error) {
	const fixed = 4
	var header []byte
	if len(config) > fixed {
		header = SequenceHeader(config[fixed:])
	}
	if header == nil {
		header = SequenceHeader(frame)
	}
	if header == nil {
		return Parameters{}, ErrMissing
	}
	var seq av1.SequenceHeader
	if err := seq.Unmarshal(header); err != nil {
		return Parameters{}, fmt.Errorf("%w: sequence header: %w", ErrBroken, err)
	}
	return Parameters{Width: seq.Width(), Height: seq.Height(), Profile: av1Profiles[seq.SeqProfile]}, nil
}

// av1Profiles are named after AV1, annex A.2.
var av1Profiles = map[uint8]string{0: "main", 1: "high", 2: "professional"}
