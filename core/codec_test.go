package core

import (
	"encoding/hex"
	"testing"

	"github.com/millrace/millrace/core/admin"
	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/flv"
	"github.com/millrace/millrace/core/media"
)

// TestDescribe looks at what people are told of a stream: the headers' word,
// then the publisher's, and zeros where nobody knows.
func TestDescribe(t *testing.T) {
	t.Parallel()
	avc := "0142c028ffe100196742c028da01e0089f97011000000300100000030320f1832a01000468ce0fc8"
	said := amf.ECMAArray{
		{Name: "width", Value: 640.0}, {Name: "height", Value: 360.0}, {Name: "framerate", Value: 25.0},
		{Name: "audiosamplerate", Value: 22050.0}, {Name: "audiochannels", Value: 1.0},
	}
	for name, c := range map[string]struct {
		state media.State
		video admin.VideoStatus
		audio admin.AudioStatus
		fps   float64
	}{
		"headers": {
			media.State{
				HasVideo: true, VideoCodec: media.AVC, Video: header(t, media.AVC, avc),
				HasAudio: true, AudioCodec: media.AAC, Audio: header(t, media.AAC, "1210"),
			},
			admin.VideoStatus{Codec: "h264", Width: 1920, Height: 1080, Profile: "baseline"},
			admin.AudioStatus{Codec: "aac", SampleRate: 44100, Channels: 2}, 0,
		},
		"headers before the publisher's word": {
			media.State{
				HasVideo: true, VideoCodec: media.AVC, Video: header(t, media.AVC, avc),
				HasAudio: true, AudioCodec: media.AAC, Audio: header(t, media.AAC, "1210"), Metadata: flv.Metadata{Props: said}.Live(true, true),
			},
			admin.VideoStatus{Codec: "h264", Width: 1920, Height: 1080, Profile: "baseline"},
			admin.AudioStatus{Codec: "aac", SampleRate: 44100, Channels: 2}, 25,
		},
		"first frames": {
			media.State{
				HasVideo: true, VideoCodec: media.VP9, VideoHead: unhex(t, "824983420077f043760638241c184a18"),
				HasAudio: true, AudioCodec: media.AC3, AudioHead: unhex(t, "0b77b50b1e40ebf8403eff99ff0841fc"),
			},
			admin.VideoStatus{Codec: "vp9", Width: 1920, Height: 1080, Profile: "0"},
			admin.AudioStatus{Codec: "ac3", SampleRate: 48000, Channels: 6}, 0,
		},
		"the publisher's word": {
			media.State{
				HasVideo: true, VideoCodec: media.LegacyVideo(4),
				HasAudio: true, AudioCodec: media.LegacyAudio(11), Metadata: flv.Metadata{Props: said}.Live(true, true),
			},
			admin.VideoStatus{Codec: "vp6", Width: 640, Height: 360},
			admin.AudioStatus{Codec: "speex", SampleRate: 22050, Channels: 1}, 25,
		},
		"header of another codec": {
			media.State{
				HasVideo: true, VideoCodec: media.HEVC, Video: header(t, media.AVC, avc),
				HasAudio: true, AudioCodec: media.MP3, Audio: header(t, media.AAC, "1210"),
			},
			admin.VideoStatus{Codec: "hevc"}, admin.AudioStatus{Codec: "mp3"}, 0,
		},
		"broken": {
			media.State{
				HasVideo: true, VideoCodec: media.HEVC, Video: header(t, media.HEVC, "00"),
				HasAudio: true, AudioCodec: media.EAC3, AudioHead: unhex(t, "0b"),
			},
			admin.VideoStatus{Codec: "hevc"}, admin.AudioStatus{Codec: "eac3"}, 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if v := videoStatus(&c.state); *v != c.video {
				t.Errorf("video %+v, want %+v", *v, c.video)
			}
			if a := audioStatus(&c.state); *a != c.audio {
				t.Errorf("audio %+v, want %+v", *a, c.audio)
			}
			var e event.Event
			describeMedia(&e, &c.state)
			if e.VideoCodec != c.video.Codec || e.Width != c.video.Width || e.Height != c.video.Height || e.FPS != c.fps ||
				e.AudioCodec != c.audio.Codec || e.SampleRate != c.audio.SampleRate || e.Channels != c.audio.Channels {
				t.Errorf("event %+v", e)
			}
		})
	}
	if none := (&media.State{}); videoStatus(none) != nil || audioStatus(none) != nil {
		t.Error("what was not seen is described")
	}
}

// header is a sequence header with a body.
func header(t *testing.T, c media.FourCC, body string) *media.Frame {
	t.Helper()
	b := unhex(t, body)
	f := media.NewFrame(media.Video, media.NewRoom(len(b)), 0)
	copy(f.Payload(), b)
	f.Codec, f.Flags = c, media.Config
	return f
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
