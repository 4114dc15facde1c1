package codec

import (
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"
)

// FirstNALU is the first of n NAL units, each with 16 bits of length before it,
// as they are in decoder configurations. It is a part of b.
func FirstNALU(n byte, b []byte) ([]byte, bool) {
	if n == 0 || len(b) < 2 {
		return nil, false
	}
	size := int(b[0])<<8 | int(b[1])
	if size == 0 || len(b) < 2+size {
		return nil, false
	}
	return b[2 : 2+size], true
}

// readAVC reads an AVCDecoderConfigurationRecord (ISO/IEC 14496-15,
// 5.3.3.1.2).
func readAVC(b []byte) (Parameters, error) {
	if len(b) < 7 {
		return Parameters{}, ErrMissing
	}
	nalu, ok := FirstNALU(b[5]&31, b[6:])
	if !ok {
		return Parameters{}, fmt.Errorf("%w: no sequence parameter set", ErrBroken)
	}
	var sps h264.SPS
	if err := sps.Unmarshal(nalu); err != nil {
		return Parameters{}, fmt.Errorf("%w: sequence parameter set: %w", ErrBroken, err)
	}
	return Parameters{Width: sps.Width(), Height: sps.Height(), Profile: avcProfiles[sps.ProfileIdc]}, nil
}

// avcProfiles are named after H.264, annex A.
var avcProfiles = map[uint8]string{
	66: "baseline", 77: "main", 88: "extended", 100: "high", 110: "high10", 122: "high422", 244: "high444",
}

// readHEVC reads a HEVCDecoderConfigurationRecord (ISO/IEC 14496-15,
// 8.3.3.1.2).
func readHEVC(b []byte) (Parameters, error) {
	const fixed = 23
	if len(b) < fixed {
		return Parameters{}, ErrMissing
	}
	nalu := parameterSet(b[22], b[fixed:])
	if nalu == nil {
		return Parameters{}, fmt.Errorf("%w: no sequence parameter set", ErrBroken)
	}
	var sps h265.SPS
	if err := sps.Unmarshal(nalu); err != nil {
		return Parameters{}, fmt.Errorf("%w: sequence parameter set: %w", ErrBroken, err)
	}
	return Parameters{Width: sps.Width(), Height: sps.Height(), Profile: hevcProfiles[b[1]&31]}, nil
}

// hevcProfiles are named after H.265, annex A.
var hevcProfiles = map[byte]string{
	1: "main", 2: "main10", 3: "mainstill", 4: "rext", 5: "high", 6: "multiview", 7: "scalable", 8: "3d", 9: "scc",
}

// parameterSet is the first sequence parameter set in n arrays of NAL units,
// nil if there is none.
func parameterSet(n byte, b []byte) []byte {
	const spsType = 33
	for range n {
		if len(b) < 3 {
			return nil
		}
		kind, count := b[0]&63, int(b[1])<<8|int(b[2])
		b = b[3:]
		for range count {
			nalu, ok := FirstNALU(1, b)
			if !ok {
				return nil
			}
			if kind == spsType {
				return nalu
			}
			b = b[2+len(nalu):]
		}
	}
	return nil
}
