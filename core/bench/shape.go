package bench

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Shape is what a synthetic stream is like. The zero value of a field takes
// its default.
type Shape struct {
	Bitrate int           // bit/s of audio and video messages; default 500,000
	FPS     float64       // pictures a second; default 25
	GOP     time.Duration // from keyframe to keyframe; default 2 s
	NoAudio bool          // default: AAC beside it, 43 frames a second
}

// audioRate is in frames a second.
const audioRate = float64(sampleRate) / samplesPerFrame

func (s Shape) withDefaults() Shape {
	if s.Bitrate <= 0 {
		s.Bitrate = 500_000
	}
	if s.FPS <= 0 {
		s.FPS = 25
	}
	if s.GOP <= 0 {
		s.GOP = 2 * time.Second
	}
	return s
}

// WithTagRate returns s with as many pictures a second as make n tags a second
// together with the audio.
func (s Shape) WithTagRate(n float64) (Shape, error) {
	s.FPS = n
	if !s.NoAudio {
		s.FPS -= audioRate
	}
	if s.FPS < 1 {
		return s, fmt.Errorf("%g tags a second leave no room for pictures beside %.0f of audio", n, audioRate)
	}
	return s, nil
}

// TagRate is in audio and video tags a second.
func (s Shape) TagRate() float64 {
	s = s.withDefaults()
	if s.NoAudio {
		return s.FPS
	}
	return s.FPS + audioRate
}

// pictures are those of a GOP.
func (s Shape) pictures() int { return max(int(s.GOP.Seconds()*s.FPS+0.5), 1) }

// audioSize is that of a tag's data in bytes.
func (s Shape) audioSize() int {
	if s.NoAudio {
		return 0
	}
	return int(float64(min(audioBitrate, s.Bitrate/4)) / 8 / audioRate)
}

// videoSizes are those of the tag data of a keyframe and of other pictures, in
// bytes. A keyframe is as large as six others.
func (s Shape) videoSizes() (key, inter int) {
	const weight = 6
	perSecond := float64(s.Bitrate) / 8
	if !s.NoAudio {
		perSecond -= float64(s.audioSize()) * audioRate
	}
	gop := perSecond / s.FPS * float64(s.pictures())
	inter = int(gop / float64(s.pictures()-1+weight))
	return weight * inter, inter
}

// ErrRate is returned for what is no rate.
var ErrRate = errors.New("not a rate")

// ParseBitrate reads bit/s, such as 800000, 500k or 2.5M.
func ParseBitrate(s string) (int, error) {
	number, factor := strings.TrimSuffix(s, "bit/s"), 1.0
	switch {
	case strings.HasSuffix(number, "k"):
		number, factor = number[:len(number)-1], 1e3
	case strings.HasSuffix(number, "M"):
		number, factor = number[:len(number)-1], 1e6
	}
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || !(v > 0) || v*factor > 1e9 {
		return 0, fmt.Errorf("%q: %w such as 500k", s, ErrRate)
	}
	return int(v * factor), nil
}

// ParseTagRate reads tags a second, such as 68 or 68/s.
func ParseTagRate(s string) (float64, error) {
	v, err := strconv.ParseFloat(strings.TrimSuffix(s, "/s"), 64)
	if err != nil || !(v > 0) || v > 10_000 {
		return 0, fmt.Errorf("%q: %w such as 68/s", s, ErrRate)
	}
	return v, nil
}
