package box

import (
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"

	"github.com/millrace/millrace/core/codec"
	"github.com/millrace/millrace/core/media"
)

// parseAVC reads an AVCDecoderConfigurationRecord (ISO/IEC 14496-15,
// 5.3.3.1.2), which goes into avcC as it is.
func parseAVC(b []byte) (*Codec, error) {
	if len(b) < 7 || b[0] != 1 {
		return nil, ErrConfig
	}
	nalu, ok := codec.FirstNALU(b[5]&31, b[6:])
	if !ok {
		return nil, fmt.Errorf("%w: no sequence parameter set", ErrConfig)
	}
	var sps h264.SPS
	if err := sps.Unmarshal(nalu); err != nil {
		return nil, fmt.Errorf("%w: sequence parameter set: %w", ErrConfig, err)
	}
	c := &Codec{
		Kind: media.Video, EntryType: "avc1", Name: fmt.Sprintf("avc1.%02x%02x%02x", b[1], b[2], b[3]),
		Width: sps.Width(), Height: sps.Height(), ConfigBox: full("avcC", nil, b),
	}
	if v := sps.VUI; v != nil {
		c.PixelAspect = pixelAspect(v.AspectRatioInfoPresentFlag, v.AspectRatioIdc, v.SarWidth, v.SarHeight)
		if v.ColourDescriptionPresentFlag {
			c.Colour = colour(v.ColourPrimaries, v.TransferCharacteristics, v.MatrixCoefficients, v.VideoFullRangeFlag)
		}
	}
	return c, nil
}

// Table E-1 of H.264 and H.265, from aspect_ratio_idc 1.
var aspects = [...]Ratio{
	{1, 1}, {12, 11}, {10, 11}, {16, 11}, {40, 33}, {24, 11}, {20, 11}, {32, 11},
	{80, 33}, {18, 11}, {15, 11}, {64, 33}, {160, 99}, {4, 3}, {3, 2}, {2, 1},
}

func pixelAspect(present bool, idc uint8, width, height uint16) Ratio {
	switch {
	case !present:
	case idc == 255:
		return Ratio{uint32(width), uint32(height)}
	case idc >= 1 && int(idc) <= len(aspects):
		return aspects[idc-1]
	}
	return Ratio{}
}

// colour is nil if the bit stream says that it does not know (2).
func colour(primaries, transfer, matrix uint8, fullRange bool) *Colour {
	if primaries == 2 && transfer == 2 && matrix == 2 {
		return nil
	}
	return &Colour{Primaries: uint16(primaries), Transfer: uint16(transfer), Matrix: uint16(matrix), FullRange: fullRange}
}

// parseHEVC reads a HEVCDecoderConfigurationRecord (ISO/IEC 14496-15,
// 8.3.3.1.2).
func parseHEVC(b []byte) (*Codec, error) {
	if len(b) < 23 || b[0] != 1 {
		return nil, ErrConfig
	}
	record, nalu := completeArrays(b)
	if nalu == nil {
		return nil, fmt.Errorf("%w: no sequence parameter set", ErrConfig)
	}
	var sps h265.SPS
	if err := sps.Unmarshal(nalu); err != nil {
		return nil, fmt.Errorf("%w: sequence parameter set: %w", ErrConfig, err)
	}
	c := &Codec{
		Kind: media.Video, EntryType: "hvc1", Name: hevcName(b),
		Width: sps.Width(), Height: sps.Height(), ConfigBox: full("hvcC", nil, record),
	}
	if v := sps.VUI; v != nil {
		c.PixelAspect = pixelAspect(v.AspectRatioInfoPresentFlag, v.AspectRatioIdc, v.SarWidth, v.SarHeight)
		if v.ColourDescriptionPresentFlag {
			c.Colour = colour(v.ColourPrimaries, v.TransferCharacteristics, v.MatrixCoefficients, v.VideoFullRangeFlag)
		}
	}
	return c, nil
}

// completeArrays copies a record with array_completeness set for parameter
// sets, without which an entry may not be called hvc1 (8.4.1.1.1), and finds
// the first sequence parameter set.
func completeArrays(b []byte) (record, sps []byte) {
	const vpsType, spsType, ppsType = 32, 33, 34
	record = append([]byte(nil), b...)
	at := 23
	for range b[22] {
		if len(record) < at+3 {
			return record, nil
		}
		kind, count := record[at]&63, int(record[at+1])<<8|int(record[at+2])
		if kind >= vpsType && kind <= ppsType {
			record[at] |= 0x80
		}
		at += 3
		for range count {
			nalu, ok := codec.FirstNALU(1, record[at:])
			if !ok {
				return record, nil
			}
			if kind == spsType && sps == nil {
				sps = nalu
			}
			at += 2 + len(nalu)
		}
	}
	return record, sps
}

// hevcName is as in ISO/IEC 14496-15, E.3.
func hevcName(b []byte) string {
	space := [...]string{"", "A", "B", "C"}[b[1]>>6]
	tier := 'L'
	if b[1]&0x20 != 0 {
		tier = 'H'
	}
	var compat, bits uint32 = 0, uint32(b[2])<<24 | uint32(b[3])<<16 | uint32(b[4])<<8 | uint32(b[5])
	for i := range 32 {
		compat |= bits >> i & 1 << (31 - i)
	}
	name := fmt.Sprintf("hvc1.%s%d.%X.%c%d", space, b[1]&31, compat, tier, b[12])
	last := 12
	for last > 6 && b[last-1] == 0 {
		last--
	}
	for _, c := range b[6:last] {
		name += fmt.Sprintf(".%X", c)
	}
	return name
}
