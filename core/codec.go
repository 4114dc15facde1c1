package core

import (
	"bytes"
	"log/slog"

	"github.com/Eyevinn/mp4ff/aac"
	"github.com/Eyevinn/mp4ff/avc"

	"github.com/millrace/millrace/core/admin"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/core/stream"
)

// videoStatus is what a stream's sequence header tells of its video.
func videoStatus(st *media.State) *admin.VideoStatus {
	if !st.HasVideo {
		return nil
	}
	v := &admin.VideoStatus{Codec: st.VideoCodec.String()}
	if st.Video == nil || st.Video.Codec != media.AVC {
		return v
	}
	config, err := avc.DecodeAVCDecConfRec(st.Video.Body())
	if err != nil || len(config.SPSnalus) == 0 {
		return v
	}
	sps, err := avc.ParseSPSNALUnit(config.SPSnalus[0], true)
	if err != nil {
		return v
	}
	v.Width, v.Height = int(sps.Width), int(sps.Height)
	v.Profile = profileName(sps.Profile)
	return v
}

func profileName(p uint32) string {
	switch p {
	case 66:
		return "baseline"
	case 77:
		return "main"
	case 88:
		return "extended"
	case 100:
		return "high"
	case 110:
		return "high10"
	case 122:
		return "high422"
	case 244:
		return "high444"
	}
	return ""
}

// audioStatus is what a stream's sequence header tells of its audio.
func audioStatus(st *media.State) *admin.AudioStatus {
	if !st.HasAudio {
		return nil
	}
	a := &admin.AudioStatus{Codec: st.AudioCodec.String()}
	if st.Audio == nil || st.Audio.Codec != media.AAC {
		return a
	}
	if config, err := aac.DecodeAudioSpecificConfig(bytes.NewReader(st.Audio.Body())); err == nil {
		a.SampleRate = config.SamplingFrequency
		a.Channels = channels(config.ChannelConfiguration)
	}
	return a
}

// channels is the number of channels of an AAC channel configuration (ISO/IEC
// 14496-3, table 1.19).
func channels(configuration byte) int {
	if configuration == 7 {
		return 8
	}
	return int(configuration)
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
