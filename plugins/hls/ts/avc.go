package ts

import (
	"errors"
	"fmt"
)

// Errors of sequence headers.
var (
	ErrAVC = errors.New("AVCDecoderConfigurationRecord is not valid")
	ErrASC = errors.New("AudioSpecificConfig is not valid")
)

// AVC is what an access unit of H.264 in a transport stream needs of its
// AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1.2).
type AVC struct {
	// lengthSize is the size of the length before each NAL unit, 1 to 4.
	lengthSize int
	// sets are SPS and PPS, each behind a start code.
	sets [][]byte
}

// ParseAVC reads an AVCDecoderConfigurationRecord. The result keeps b.
func ParseAVC(b []byte) (*AVC, error) {
	if len(b) < 7 || b[0] != 1 {
		return nil, ErrAVC
	}
	a := &AVC{lengthSize: int(b[4]&3) + 1}
	rest, err := a.parseSets(b[6:], int(b[5]&31))
	if err != nil {
		return nil, fmt.Errorf("read SPS: %w", err)
	}
	if len(rest) == 0 {
		return nil, fmt.Errorf("read PPS: %w", ErrAVC)
	}
	if _, err := a.parseSets(rest[1:], int(rest[0])); err != nil {
		return nil, fmt.Errorf("read PPS: %w", err)
	}
	return a, nil
}

func (a *AVC) parseSets(b []byte, n int) ([]byte, error) {
	for range n {
		if len(b) < 2 {
			return nil, ErrAVC
		}
		size := int(b[0])<<8 | int(b[1])
		if len(b)-2 < size {
			return nil, ErrAVC
		}
		if size > 0 {
			a.sets = append(a.sets, startCode, b[2:2+size])
		}
		b = b[2+size:]
	}
	return b, nil
}

var (
	startCode = []byte{0, 0, 0, 1}
	// delimiter is an access unit delimiter for any slice type, which iOS,
	// QuickTime and video.js ask for (H.264, 7.3.2.4).
	delimiter = []byte{0, 0, 0, 1, 9, 0xF0}
)

// naluDelimiter is the type of an access unit delimiter (H.264, table 7-1).
const naluDelimiter = 9

// AppendAccessUnit appends to pieces the byte stream (annex B) of an access
// unit whose NAL units stand behind their lengths: a delimiter, the parameter
// sets before a keyframe, then the units. Sets that the unit brings itself come
// later and hold. The pieces are parts of b. A unit that is cut off ends it.
func (a *AVC) AppendAccessUnit(pieces [][]byte, b []byte, key bool) [][]byte {
	pieces = append(pieces, delimiter)
	if key {
		pieces = append(pieces, a.sets...)
	}
	for len(b) > a.lengthSize {
		n := 0
		for _, x := range b[:a.lengthSize] {
			n = n<<8 | int(x)
		}
		b = b[a.lengthSize:]
		unit := b[:min(n, len(b))]
		if n > 0 && unit[0]&31 != naluDelimiter {
			pieces = append(pieces, startCode, unit)
		}
		b = b[len(unit):]
	}
	return pieces
}
