package media

import "testing"

func TestKindString(t *testing.T) {
	t.Parallel()
	for k, want := range map[Kind]string{Audio: "audio", Video: "video", Data: "data", 7: "unknown"} {
		if got := k.String(); got != want {
			t.Errorf("%d is %q, want %q", k, got, want)
		}
	}
}

func TestFourCCString(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code FourCC
		want string
	}{
		{0, ""},
		{AVC, "h264"},
		{AAC, "aac"},
		{MP3, "mp3"},
		{MakeFourCC("hvc1"), "hevc"},
		{MakeFourCC("vvc1"), "vvc"},
		{MakeFourCC("av01"), "av1"},
		{MakeFourCC("vp08"), "vp8"},
		{MakeFourCC("vp09"), "vp9"},
		{MakeFourCC("Opus"), "opus"},
		{MakeFourCC("fLaC"), "flac"},
		{MakeFourCC("ac-3"), "ac3"},
		{MakeFourCC("ec-3"), "eac3"},
		{MakeFourCC("abcd"), "abcd"},
		{LegacyVideo(2), "h263"},
		{LegacyVideo(3), "screen"},
		{LegacyVideo(4), "vp6"},
		{LegacyVideo(5), "vp6a"},
		{LegacyVideo(6), "screen2"},
		{LegacyVideo(12), "flv_v12"},
		{LegacyVideo(0), "flv_v0"},
		{LegacyVideo(15), "flv_v15"},
		{LegacyAudio(0), "pcm"},
		{LegacyAudio(1), "adpcm"},
		{LegacyAudio(3), "pcm_le"},
		{LegacyAudio(4), "nellymoser16"},
		{LegacyAudio(5), "nellymoser8"},
		{LegacyAudio(6), "nellymoser"},
		{LegacyAudio(7), "pcm_alaw"},
		{LegacyAudio(8), "pcm_mulaw"},
		{LegacyAudio(11), "speex"},
		{LegacyAudio(14), "mp3_8k"},
		{LegacyAudio(13), "flv_a13"},
	} {
		if got := c.code.String(); got != c.want {
			t.Errorf("%#x is %q, want %q", uint32(c.code), got, c.want)
		}
	}
}

func TestInBand(t *testing.T) {
	t.Parallel()
	for c, want := range map[FourCC]bool{
		AVC: false, HEVC: false, AAC: false, Opus: false, FLAC: false, LegacyAudio(11): false,
		AV1: true, VP8: true, VP9: true, MP3: true, AC3: true, EAC3: true,
	} {
		if c.InBand() != want {
			t.Errorf("%s: %t", c, !want)
		}
	}
}

func TestMakeFourCC(t *testing.T) {
	t.Parallel()
	if AVC != 0x61766331 { // "avc1", first character highest
		t.Errorf("avc1 is %#x", uint32(AVC))
	}
	seen := map[FourCC]bool{0: true, AVC: true, AAC: true, MP3: true}
	for id := range uint8(16) {
		for _, code := range []FourCC{LegacyVideo(id), LegacyAudio(id)} {
			if seen[code] || code>>24 != 0 {
				t.Errorf("%#x stands for two codecs, or for a FourCC", uint32(code))
			}
			seen[code] = true
		}
	}
}

func TestPrintable(t *testing.T) {
	t.Parallel()
	for code, want := range map[FourCC]bool{
		0: false, AVC: true, MP3: true, LegacyVideo(2): false, MakeFourCC("a\nbc"): false,
		MakeFourCC("abc\xFF"): false, MakeFourCC("\x7Fabc"): false, MakeFourCC("ab c"): true,
	} {
		if code.Printable() != want {
			t.Errorf("%q: %t", code.Code(), !want)
		}
	}
}
