package core

import (
	"log/slog"

	"github.com/millrace/millrace/core/admin"
	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/codec"
	"github.com/millrace/millrace/core/flv"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/core/stream"
)

// videoStatus is what a stream's sequence header, or its first keyframe, tells
// of its video; else the publisher's word. Nil: there is none.
func videoStatus(st *media.State) *admin.VideoStatus {
	if !st.HasVideo {
		return nil
	}
	p := parameters(st.VideoCodec, st.Video, st.VideoHead)
	v := &admin.VideoStatus{Codec: st.VideoCodec.String(), Width: p.Width, Height: p.Height, Profile: p.Profile}
	if v.Width == 0 || v.Height == 0 {
		said := metadata(st)
		v.Width, v.Height = either(v.Width, said.Number("width")), either(v.Height, said.Number("height"))
	}
	return v
}

// audioStatus is the same of its audio.
func audioStatus(st *media.State) *admin.AudioStatus {
	if !st.HasAudio {
		return nil
	}
	p := parameters(st.AudioCodec, st.Audio, st.AudioHead)
	a := &admin.AudioStatus{Codec: st.AudioCodec.String(), SampleRate: p.SampleRate, Channels: p.Channels}
	if a.SampleRate == 0 || a.Channels == 0 {
		said := metadata(st)
		a.SampleRate, a.Channels = either(a.SampleRate, said.Number("audiosamplerate")), either(a.Channels, said.Number("audiochannels"))
	}
	return a
}

// parameters are those of a track, as far as they can be read. A sequence header
// of another codec is an old one.
func parameters(c media.FourCC, header *media.Frame, head []byte) codec.Parameters {
	var config []byte
	if header != nil && header.Codec == c {
		config = header.Body()
	}
	p, err := codec.Read(c, config, head)
	if err != nil {
		return codec.Parameters{} // people see zeros; players may know better
	}
	return p
}

// metadata is the onMetaData in force, empty if there is none.
func metadata(st *media.State) flv.Metadata {
	if st.Metadata == nil {
		return flv.Metadata{}
	}
	m, err := flv.ParseMetadata(st.Metadata.Payload(), amf.Limits{})
	if err != nil {
		return flv.Metadata{}
	}
	return m
}

func either(known int, said float64) int {
	if known == 0 && said > 0 && said < 1<<24 {
		return int(said)
	}
	return known
}

// codecAttr is what a stream carries, for the log.
func codecAttr(s *stream.Stream) slog.Attr {
	st := s.State()
	var attrs []any
	if v := videoStatus(st); v != nil {
		attrs = append(attrs, slog.String("video", v.Codec), slog.Int("width", v.Width), slog.Int("height", v.Height))
	}
	if a := audioStatus(st); a != nil {
		attrs = append(attrs, slog.String("audio", a.Codec), slog.Int("sample_rate", a.SampleRate), slog.Int("channels", a.Channels))
	}
	return slog.Group("codec", attrs...)
}
