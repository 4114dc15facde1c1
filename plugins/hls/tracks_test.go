package hls

import (
	"testing"

	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/plugintest"
)

// What makes a new muxer necessary, and what is left out.
func TestTracksUsable(t *testing.T) {
	t.Parallel()
	config := func(codec media.FourCC, b byte) *media.Frame {
		return plugintest.Video(codec, media.Config, 0, 0, []byte{1, b})
	}
	video := func(codec media.FourCC, flags media.Flags) *media.Frame {
		return plugintest.Video(codec, flags, 0, 0, []byte{9})
	}
	sound := plugintest.Audio(media.MP3, 0, 0, []byte{0xFF, 0xFB})
	const key = media.Keyframe
	for _, c := range []struct {
		name    string
		frames  []*media.Frame
		usable  bool // the last frame
		changed bool // by it
	}{
		{"no header", []*media.Frame{video(media.AVC, key)}, false, false},
		{"no keyframe", []*media.Frame{config(media.AVC, 1), video(media.AVC, 0)}, false, false},
		{"the first", []*media.Frame{config(media.AVC, 1), video(media.AVC, key)}, true, true},
		{"the second", []*media.Frame{config(media.AVC, 1), video(media.AVC, key), video(media.AVC, 0)}, true, false},
		{"the same header", []*media.Frame{config(media.AVC, 1), video(media.AVC, key), config(media.AVC, 1), video(media.AVC, key)}, true, false},
		{"another header", []*media.Frame{config(media.AVC, 1), video(media.AVC, key), config(media.AVC, 2), video(media.AVC, key)}, true, true},
		{"another header, no keyframe", []*media.Frame{config(media.AVC, 1), video(media.AVC, key), config(media.AVC, 2), video(media.AVC, 0)}, true, true},
		{"the same of AV1", []*media.Frame{config(media.AV1, 1), video(media.AV1, key), config(media.AV1, 2), video(media.AV1, 0)}, false, false},
		{"audio between header and keyframe", []*media.Frame{sound, config(media.AVC, 1), video(media.AVC, key), config(media.AVC, 2), sound}, true, false},
		{"another codec", []*media.Frame{config(media.AVC, 1), video(media.AVC, key), config(media.HEVC, 1), video(media.HEVC, key)}, true, true},
		{"audio without a header", []*media.Frame{sound}, true, true},
	} {
		var tr tracks
		usable := false
		for _, f := range c.frames {
			tr.changed = false
			if f.Is(media.Config) {
				tr.header(f)
			} else {
				usable = tr.usable(f)
			}
		}
		if usable != c.usable || tr.changed != c.changed {
			t.Errorf("%s: usable %t, changed %t", c.name, usable, tr.changed)
		}
	}
}

// A medium that the server has not seen is not waited for (complaint 8): the
// playlist is there with the first part.
func TestOneMedium(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		audio bool // in the metadata
		first int64
	}{"said not to be there": {false, 300}, "said to be there": {true, 1400}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := plugintest.NewHost(t)
			p := start(t, h, newClock(), map[string]any{"target": "2s", "low_latency": true, "part": "200ms", "window": int64(6)})
			s := h.Attach(p, "live", "cam")
			s.Feed(plugintest.Header(plugintest.Metadata(amf.ECMAArray{{Name: "hasVideo", Value: true}, {Name: "hasAudio", Value: c.audio}})),
				plugintest.Header(plugintest.AVCConfig()))
			listed := int64(-1)
			for _, f := range plugintest.GOPs(2, 0, 50) {
				if f.Kind != media.Video {
					continue
				}
				s.FeedFrames(f)
				if _, ok := h.Object("hls/live/cam/index.m3u8"); ok && listed < 0 {
					listed = f.DTS
				}
			}
			if listed < 0 || listed > c.first || listed < c.first-400 {
				t.Errorf("there is a playlist from %d ms on", listed)
			}
			s.End()
		})
	}
}
