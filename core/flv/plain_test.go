package flv

import (
	"encoding/hex"
	"testing"

	"github.com/millrace/millrace/core/media"
)

// Headers as viewers get them.
var plainCases = []struct {
	name string
	kind media.Kind
	dec  Header
	enc  string // plain
	all  string // for viewers of all tracks, empty if that is the plain one
}{
	{"AVC config", media.Video, Header{Codec: media.AVC, Flags: config, Type: 1}, "\x17\x00\x00\x00\x00", ""},
	{"AVC key", media.Video, Header{Codec: media.AVC, Flags: key, Type: 1, CTS: 80}, "\x17\x01\x00\x00\x50", ""},
	{"AVC inter", media.Video, Header{Codec: media.AVC, Type: 2, CTS: -80}, "\x27\x01\xFF\xFF\xB0", ""},
	{"AVC end", media.Video, Header{Codec: media.AVC, Flags: eos, Type: 1}, "\x17\x02\x00\x00\x00", ""},
	{"AVC with ns", media.Video, Header{Codec: media.AVC, Flags: key, Type: 1, CTS: 1, Nano: 5}, "\x17\x01\x00\x00\x01", "\x97\x02\x00\x00\x05\x01avc1\x00\x00\x01"},
	{"AVC on track 1", media.Video, Header{Codec: media.AVC, Flags: key, Type: 1, Track: 1}, "\x17\x01\x00\x00\x00", "\x96\x03avc1\x01"},
	{"AVC metadata", media.Video, Header{Codec: media.AVC, Flags: media.Extra, Type: 2}, "\xA4avc1", ""},
	{"HEVC config", media.Video, Header{Codec: media.HEVC, Flags: config, Type: 1}, "\x90hvc1", ""},
	{"HEVC key", media.Video, Header{Codec: media.HEVC, Flags: key, Type: 1}, "\x93hvc1", ""},
	{"HEVC inter", media.Video, Header{Codec: media.HEVC, Type: 2, CTS: 40}, "\xA1hvc1\x00\x00\x28", ""},
	{"HEVC on track 2", media.Video, Header{Codec: media.HEVC, Type: 2, CTS: 40, Track: 2}, "\xA1hvc1\x00\x00\x28", "\xA6\x01hvc1\x02\x00\x00\x28"},
	{"HEVC metadata on track 2", media.Video, Header{Codec: media.HEVC, Type: 2, Flags: media.Extra, Track: 2}, "\xA4hvc1", "\xA6\x04hvc1\x02"},
	{"AV1 key", media.Video, Header{Codec: media.AV1, Flags: key, Type: 1}, "\x91av01", ""},
	{"AV1 end", media.Video, Header{Codec: media.AV1, Flags: eos, Type: 2}, "\xA2av01", ""},
	{"AV1 in MPEG-2 TS", media.Video, Header{Codec: media.AV1, Flags: config | media.Extra, Type: 1}, "\x95av01", ""},
	{"AV1 with ns on track 9", media.Video, Header{Codec: media.AV1, Flags: key, Type: 1, Track: 9, Nano: 0x010203}, "\x91av01", "\x97\x02\x01\x02\x03\x06\x01av01\x09"},
	{"AAC config", media.Audio, Header{Codec: media.AAC, Flags: config}, "\xAF\x00", ""},
	{"AAC", media.Audio, Header{Codec: media.AAC}, "\xAF\x01", ""},
	{"AAC on track 1", media.Audio, Header{Codec: media.AAC, Track: 1}, "\xAF\x01", "\x95\x01mp4a\x01"},
	{"AAC channel order", media.Audio, Header{Codec: media.AAC, Flags: media.Extra}, "\x94mp4a", ""},
	{"MP3", media.Audio, Header{Codec: media.MP3}, "\x2F", ""},
	{"MP3 with ns", media.Audio, Header{Codec: media.MP3, Nano: 1}, "\x2F", "\x97\x02\x00\x00\x01\x01.mp3"},
	{"Opus config", media.Audio, Header{Codec: media.Opus, Flags: config}, "\x90Opus", ""},
	{"Opus", media.Audio, Header{Codec: media.Opus}, "\x91Opus", ""},
	{"Opus end on track 3", media.Audio, Header{Codec: media.Opus, Flags: eos, Track: 3}, "\x92Opus", "\x95\x02Opus\x03"},
}

func TestPlain(t *testing.T) {
	t.Parallel()
	for _, c := range plainCases {
		if got := AppendPlain(nil, c.kind, c.dec); string(got) != c.enc {
			t.Errorf("%s: %q, want %q", c.name, got, c.enc)
		}
		if got := AllHeader(frameOf(c.kind, c.dec)); string(got) != c.all {
			t.Errorf("%s: for all %q, want %q", c.name, got, c.all)
		}
		checkPlain(t, c.kind, c.dec, "body")
		checkAll(t, c.kind, c.dec, "body")
	}
}

// Data and classic codecs travel as they came.
func TestAllHeaderOfOthers(t *testing.T) {
	t.Parallel()
	for _, f := range []*media.Frame{
		{Kind: media.Data, Track: 1},
		{Kind: media.Video, Codec: media.LegacyVideo(2), Flags: media.Other},
		{Kind: media.Video, Codec: media.AVC, Flags: media.Other},
	} {
		if h := AllHeader(f); h != nil {
			t.Errorf("%+v: %q", f.Kind, h)
		}
	}
}

func TestHasPlain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind media.Kind
		h    Header
		want bool
	}{
		{media.Video, Header{Codec: media.AVC, Flags: eos}, true},
		{media.Audio, Header{Codec: media.Opus, Flags: eos}, true},
		{media.Audio, Header{Codec: media.AAC}, true},
		{media.Audio, Header{Codec: media.AAC, Flags: config}, true},
		{media.Audio, Header{Codec: media.AAC, Flags: eos}, false},
		{media.Audio, Header{Codec: media.MP3, Flags: eos}, false},
		{media.Audio, Header{Codec: media.MP3, Flags: config}, false},
		{media.Audio, Header{Codec: media.MP3, Flags: media.Extra}, true},
	} {
		if HasPlain(c.kind, c.h) != c.want {
			t.Errorf("%+v: %t", c.h, !c.want)
		}
	}
}

func frameOf(kind media.Kind, h Header) *media.Frame {
	return &media.Frame{Kind: kind, Codec: h.Codec, Flags: h.Flags, CTS: h.CTS, Nano: h.Nano, Track: h.Track}
}

// checkPlain wants the plain form of a part to say the same, but for track and
// ns.
func checkPlain(t *testing.T, kind media.Kind, h Header, body string) {
	t.Helper()
	h.Nano, h.Track, h.Size = 0, 0, 0
	got, err := split(t, kind, append(AppendPlain(nil, kind, h), body...))
	if err != nil || len(got) != 1 || got[0] != (said{h, body}) {
		t.Fatalf("plain form of %+v is read as %+v, %v", h, got, err)
	}
}

// checkAll wants the form for viewers of all tracks to say the same, but for
// the frame type, which is that of a keyframe or of an inter frame.
func checkAll(t *testing.T, kind media.Kind, h Header, body string) {
	t.Helper()
	f := frameOf(kind, h)
	header := AllHeader(f)
	if header == nil {
		return
	}
	h.Size, h.Type = 0, 0
	if kind == media.Video {
		h.Type = frameType(f)
	}
	got, err := split(t, kind, append(header, body...))
	if err != nil || len(got) != 1 || got[0] != (said{h, body}) {
		t.Fatalf("form for all of %+v is read as %+v, %v", h, got, err)
	}
}

// Records that x264 and x265 made, by ffmpeg's MP4 muxer.
func TestIsHEVCConfig(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, record string
		want         bool
	}{
		{"avcC, baseline", "0142c00affe100176742c00ad90426c044000003000400000300c83c48992001000568cb83cb20", false},
		{"avcC, high", "0164000affe100186764000aacd94426c044000003000400000300c83c48965801000668ebe3cb22c0fdf8f800", false},
		{"hvcC, main", "0101600000009000000000001ef000fcfdf8f800000f04200001001840010c01ffff01600000030090000003000003001e959809", true},
		{"hvcC, main 10", "0102200000009000000000001ef000fcfdfafa00000f04200001001840010c01ffff02200000030090000003000003001e959809", true},
		{"hvcC without arrays", "0101600000009000000000001ef000fcfdf8f800000f00", true},
		{"hvcC cut short", "0101600000009000000000001ef000fcfdf8f800000f", false},
		{"nothing", "", false},
	} {
		b, err := hex.DecodeString(c.record)
		if err != nil {
			t.Fatal(err)
		}
		if IsHEVCConfig(b) != c.want {
			t.Errorf("%s: %t", c.name, !c.want)
		}
	}
}
