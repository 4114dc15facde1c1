package codec

import (
	"errors"
	"fmt"

	"github.com/millrace/millrace/core/media"
)

// Parameters are what is known of a track. What could not be read is 0 or "".
type Parameters struct {
	// Of video: the size that is shown, in pixels, and the profile as people
	// name it, such as "main10".
	Width, Height int
	Profile       string
	// Of audio: the sample rate of what is heard, in Hz, and the number of
	// channels, the LFE being one.
	SampleRate, Channels int
}

// Errors of Read.
var (
	// ErrUnknown: nothing is known of the codec's headers.
	ErrUnknown = errors.New("codec of unknown headers")
	// ErrMissing: what tells the parameters is not there.
	ErrMissing = errors.New("no header")
	// ErrBroken: it is there, and makes no sense.
	ErrBroken = errors.New("broken header")
)

// Read reads the parameters of a track from config, the body of its sequence
// header, or from frame, where a first frame begins (of video: a keyframe), for
// codecs that are [media.FourCC.InBand]: media.HeadSize bytes are enough. Both may
// be nil, are only read, and are not kept.
func Read(c media.FourCC, config, frame []byte) (Parameters, error) {
	p, err := read(c, config, frame)
	if err == nil && !p.sane() {
		err = ErrBroken
	}
	if err != nil {
		return Parameters{}, fmt.Errorf("read parameters of %s: %w", c, err)
	}
	return p, nil
}

func read(c media.FourCC, config, frame []byte) (Parameters, error) {
	switch c {
	case media.AVC:
		return readAVC(config)
	case media.HEVC:
		return readHEVC(config)
	case media.AV1:
		return readAV1(config, frame)
	case media.VP8:
		return readVP8(frame)
	case media.VP9:
		return readVP9(frame)
	case media.AAC:
		return readAAC(config)
	case media.Opus:
		return readOpus(config)
	case media.FLAC:
		return readFLAC(config)
	case media.MP3:
		return readMP3(frame)
	case media.AC3:
		return readAC3(frame)
	case media.EAC3:
		return readEAC3(frame)
	}
	return Parameters{}, ErrUnknown
}

// sane refuses what no decoder takes: sizes are lengths from outside, too.
func (p Parameters) sane() bool {
	const side, rate = 1 << 16, 1 << 20
	return p.Width >= 0 && p.Width <= side && p.Height >= 0 && p.Height <= side &&
		p.SampleRate >= 0 && p.SampleRate <= rate && p.Channels >= 0 && p.Channels <= 255
}
