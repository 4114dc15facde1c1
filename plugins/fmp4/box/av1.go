package box

import (
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/av1"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/vp9"

	"github.com/millrace/millrace/core/codec"
	"github.com/millrace/millrace/core/media"
)

// parseAV1 reads an AV1CodecConfigurationRecord (AV1 in ISOBMFF, 2.3.3).
func parseAV1(b, frame []byte) (*Codec, error) {
	if len(b) < 4 || b[0] != 0x81 {
		return nil, ErrConfig
	}
	record := b
	header := codec.SequenceHeader(b[4:])
	if header == nil {
		if frame == nil {
			return nil, ErrNeedFrame
		}
		if header = codec.SequenceHeader(frame); header == nil {
			return nil, fmt.Errorf("%w: no sequence header in record or keyframe", ErrConfig)
		}
	}
	var seq av1.SequenceHeader
	if err := seq.Unmarshal(header); err != nil {
		return nil, fmt.Errorf("%w: sequence header: %w", ErrConfig, err)
	}
	c := &Codec{
		Kind: media.Video, EntryType: "av01", Name: av1Name(b),
		Width: seq.Width(), Height: seq.Height(), ConfigBox: full("av1C", nil, record),
	}
	if cc := seq.ColorConfig; cc.ColorDescriptionPresentFlag {
		c.Colour = colour(uint8(cc.ColorPrimaries), uint8(cc.TransferCharacteristics), uint8(cc.MatrixCoefficients), cc.ColorRange)
	}
	return c, nil
}

// av1Name is as in AV1 in ISOBMFF, 5, in its short form.
func av1Name(b []byte) string {
	profile, level, tier, depth := b[1]>>5, b[1]&31, 'M', 8
	if b[2]&0x80 != 0 {
		tier = 'H'
	}
	if b[2]&0x40 != 0 {
		depth = 10
		if b[2]&0x20 != 0 {
			depth = 12
		}
	}
	return fmt.Sprintf("av01.%d.%02d%c.%02d", profile, level, tier, depth)
}

// SampleBody is the part of a frame's body that belongs into a sample: AV1
// samples have no temporal delimiter (AV1 in ISOBMFF, 2.4). It is a part of
// body.
func (c *Codec) SampleBody(body []byte) []byte {
	if c.FourCC != media.AV1 {
		return body
	}
	if kind, size, _ := codec.NextOBU(body); size > 0 && kind == codec.OBUTemporalDelimiter {
		return body[size:]
	}
	return body
}

// parseVP9 reads a VPCodecConfigurationRecord (VP Codec ISO Media File Format
// Binding, 2.2), with or without the version and flags of its box: encoders
// differ.
func parseVP9(b, frame []byte) (*Codec, error) {
	if len(b) >= 12 && b[0] == 1 && b[1] == 0 && b[2] == 0 && b[3] == 0 {
		b = b[4:]
	}
	if len(b) < 8 {
		return nil, ErrConfig
	}
	if frame == nil {
		return nil, ErrNeedFrame
	}
	var h vp9.Header
	if err := h.Unmarshal(frame); err != nil {
		return nil, fmt.Errorf("%w: frame header: %w", ErrConfig, err)
	}
	if h.FrameSize == nil {
		return nil, ErrNeedFrame
	}
	return &Codec{
		Kind: media.Video, EntryType: "vp09", Name: fmt.Sprintf("vp09.%02d.%02d.%02d", b[0], b[1], b[2]>>4),
		Width: h.Width(), Height: h.Height(), Colour: colour(b[3], b[4], b[5], b[2]&1 != 0),
		ConfigBox: full("vpcC", []byte{1, 0, 0, 0}, b),
	}, nil
}
