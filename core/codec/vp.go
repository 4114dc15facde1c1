package codec

import (
	"fmt"
	"strconv"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/vp9"
)

// readVP8 reads where a keyframe begins (RFC 6386, 9.1): its configuration
// record has no size.
func readVP8(b []byte) (Parameters, error) {
	const header = 10
	if len(b) < header {
		return Parameters{}, ErrMissing
	}
	// "A 1-bit frame type (0 for key frames, 1 for interframes)"
	if b[0]&1 != 0 || b[3] != 0x9D || b[4] != 0x01 || b[5] != 0x2A {
		return Parameters{}, fmt.Errorf("%w: no keyframe", ErrBroken)
	}
	// 14 bits each; the upper two are for the player to scale by.
	const size = 1<<14 - 1
	return Parameters{
		Width:   (int(b[6]) | int(b[7])<<8) & size,
		Height:  (int(b[8]) | int(b[9])<<8) & size,
		Profile: strconv.Itoa(int(b[0] >> 1 & 7)),
	}, nil
}

// readVP9 reads the uncompressed header of a keyframe (VP9, 6.2): its
// configuration record has no size.
func readVP9(b []byte) (Parameters, error) {
	if len(b) == 0 {
		return Parameters{}, ErrMissing
	}
	var h vp9.Header
	if err := h.Unmarshal(b); err != nil {
		return Parameters{}, fmt.Errorf("%w: frame header: %w", ErrBroken, err)
	}
	if h.FrameSize == nil {
		return Parameters{}, fmt.Errorf("%w: no keyframe", ErrBroken)
	}
	return Parameters{Width: h.Width(), Height: h.Height(), Profile: strconv.Itoa(int(h.Profile))}, nil
}
