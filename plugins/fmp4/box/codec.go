package box

import (
	"errors"
	"fmt"

	"github.com/millrace/millrace/core/media"
)

// Codec is what MP4 and HLS need to know of a track. It is immutable, and
// whole in JSON.
type Codec struct {
	Kind   media.Kind
	FourCC media.FourCC
	// Name is the codec as RFC 6381 has it, such as "avc1.64001f".
	Name string

	// Of video: the size in pixels, the shape of a pixel, the colour if the
	// bit stream tells.
	Width, Height int
	PixelAspect   Ratio
	Colour        *Colour

	// Of audio. Rate is in Hz and is the timescale of the track, too;
	// FrameSamples is the usual length of a frame in samples.
	Rate, Channels int
	FrameSamples   int
	SampleBits     int

	// What the sample entry is made of: its four characters, and the box with
	// the decoder's configuration, or, for an esds, ObjectTypeIndication and
	// DecoderSpecificInfo.
	EntryType string
	ConfigBox []byte `json:",omitempty"`
	Object    byte   `json:",omitempty"`
	Specific  []byte `json:",omitempty"`
}

// Ratio is the shape of a pixel; 0:0 and 1:1 are square.
type Ratio struct{ H, V uint32 }

func (r Ratio) square() bool { return r.H == r.V || r.H == 0 || r.V == 0 }

// Colour is as in ISO/IEC 23091-2 (H.273).
type Colour struct {
	Primaries, Transfer, Matrix uint16
	FullRange                   bool
}

// Errors of Parse.
var (
	// ErrUnsupported: MP4 has no place for the codec.
	ErrUnsupported = errors.New("codec that MP4 does not hold")
	// ErrNeedFrame: the configuration does not tell all; call again with the
	// first frame (of video: a keyframe).
	ErrNeedFrame = errors.New("codec parameters are in the first frame")
	// ErrConfig: the configuration is broken.
	ErrConfig = errors.New("broken codec configuration")
)

// Parse reads a codec's parameters from config, the body of its sequence
// header (nil if it has none), and frame, the body of its first frame, which
// is needed by those that have no sequence header (MP3, AC-3, E-AC-3), and by
// VP9 and some AV1, whose header does not tell the size. frame may be nil:
// then ErrNeedFrame is returned where it is needed. Both are only read.
func Parse(codec media.FourCC, config, frame []byte) (*Codec, error) {
	c, err := parse(codec, config, frame)
	if err != nil {
		return nil, fmt.Errorf("read parameters of %s: %w", codec, err)
	}
	if c.Kind == media.Video && (c.Width <= 0 || c.Height <= 0 || c.Width > 0xFFFF || c.Height > 0xFFFF) {
		return nil, fmt.Errorf("read parameters of %s: %w: %d × %d pixels", codec, ErrConfig, c.Width, c.Height)
	}
	if c.Kind == media.Audio && (c.Rate <= 0 || c.Channels <= 0 || c.Channels > 255) {
		return nil, fmt.Errorf("read parameters of %s: %w: %d Hz, %d channels", codec, ErrConfig, c.Rate, c.Channels)
	}
	c.FourCC = codec
	return c, nil
}

func parse(codec media.FourCC, config, frame []byte) (*Codec, error) {
	switch codec {
	case media.AVC:
		return parseAVC(config)
	case media.HEVC:
		return parseHEVC(config)
	case media.AV1:
		return parseAV1(config, frame)
	case media.VP9:
		return parseVP9(config, frame)
	case media.AAC:
		return parseAAC(config)
	case media.Opus:
		return parseOpus(config)
	case media.FLAC:
		return parseFLAC(config)
	case media.MP3:
		return parseMP3(frame)
	case media.AC3:
		return parseAC3(frame)
	case media.EAC3:
		return parseEAC3(frame)
	}
	return nil, ErrUnsupported
}

// HasConfig reports whether the codec is useless without a sequence header.
func HasConfig(codec media.FourCC) bool {
	switch codec {
	case media.AVC, media.HEVC, media.AV1, media.VP9, media.AAC, media.Opus, media.FLAC:
		return true
	}
	return false
}

// Timescale of the track: ticks per second.
func (c *Codec) Timescale() uint32 {
	if c.Kind == media.Audio {
		return uint32(c.Rate)
	}
	return VideoTimescale
}

// VideoTimescale is a multiple of 1,000, so that ms are exact.
const VideoTimescale = 90000

// full makes a box of a configuration, in a slice of its own.
func full(kind string, head []byte, body []byte) []byte {
	dst, at := begin(make([]byte, 0, 8+len(head)+len(body)), kind)
	return end(append(append(dst, head...), body...), at)
}
