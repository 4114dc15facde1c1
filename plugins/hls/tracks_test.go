package hls

import (
	"testing"

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
