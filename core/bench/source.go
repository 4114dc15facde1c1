package bench

import (
	"bytes"
	"time"

	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/media"
)

// tag is an FLV tag, or the RTMP message of the same content.
type tag struct {
	kind      media.Kind
	timestamp uint32 // ms
	data      []byte // valid until the next tag is asked for
}

// frames are the tags of a shape, made once. Sources on one goroutine share
// them.
type frames struct {
	shape    Shape
	pictures int
	key      []byte
	inter    [16][]byte // by frame_num
	audio    []byte
}

func newFrames(s Shape) *frames {
	s = s.withDefaults()
	f := &frames{shape: s, pictures: s.pictures()}
	key, inter := s.videoSizes()
	f.key = avcFrame(true, 0, key)
	for i := range f.inter {
		f.inter[i] = avcFrame(false, uint32(i), inter)
	}
	if !s.NoAudio {
		f.audio = aacFrame(s.audioSize())
	}
	return f
}

// largest is the size of the largest tag's data in bytes.
func (f *frames) largest() int { return len(f.key) }

// source is one endless stream of tags. A source belongs to one goroutine.
type source struct {
	*frames
	video, audio uint64 // made so far
}

// due is when the next tag is, after the stream's start.
func (s *source) due() time.Duration {
	v, a := s.videoDue(), s.audioDue()
	if s.shape.NoAudio || v <= a {
		return v
	}
	return a
}

func (s *source) videoDue() time.Duration {
	return time.Duration(float64(s.video) / s.shape.FPS * float64(time.Second))
}

func (s *source) audioDue() time.Duration {
	return time.Duration(float64(s.audio) / audioRate * float64(time.Second))
}

// next returns the next tag, stamped.
func (s *source) next(now time.Time) tag {
	t := tag{kind: media.Video, timestamp: uint32(s.due() / time.Millisecond)}
	number := s.video
	if !s.shape.NoAudio && s.audioDue() < s.videoDue() {
		t.kind, t.data, number = media.Audio, s.frames.audio, s.audio
		s.audio++
	} else {
		t.data = s.picture(int(s.video % uint64(s.pictures)))
		s.video++
	}
	putStamp(t.data[bytes.Index(t.data, stampID[:]):], stamp{at: now, number: number})
	return t
}

// picture is the n-th of a GOP.
func (s *source) picture(n int) []byte {
	if n == 0 {
		return s.key
	}
	return s.inter[n&15]
}

// headers are what comes before the first frame.
func (f *frames) headers() []tag {
	tags := []tag{{kind: media.Data, data: f.metadata()}, {kind: media.Video, data: avcConfig()}}
	if !f.shape.NoAudio {
		tags = append(tags, tag{kind: media.Audio, data: aacConfig()})
	}
	return tags
}

// metadata is an onMetaData.
func (f *frames) metadata() []byte {
	props := amf.ECMAArray{
		{Name: "width", Value: float64(width)},
		{Name: "height", Value: float64(height)},
		{Name: "videocodecid", Value: 7.0},
		{Name: "framerate", Value: f.shape.FPS},
		{Name: "encoder", Value: "millrace bench"},
	}
	if !f.shape.NoAudio {
		props = append(props, amf.Property{Name: "audiocodecid", Value: 10.0}, amf.Property{Name: "audiosamplerate", Value: float64(sampleRate)})
	}
	return amf.Append0(amf.Append0(nil, "onMetaData"), props)
}
