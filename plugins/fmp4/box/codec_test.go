package box

import (
	"encoding/hex"
	"errors"
	"testing"

	"github.com/millrace/millrace/core/media"
)

// codecCases serve the test and the fuzz corpus.
var codecCases = []struct {
	name          string
	codec         media.FourCC
	config, frame string // hexadecimal
	want          Codec
	err           error
}{
	{
		name: "AVC 1080p", codec: media.AVC,
		config: "01640028ffe1001e67640028acd940780227e5c05a808080a0000003002000000641e30632c001000668ebe3cb22c0fdf8f800",
		want:   Codec{Name: "avc1.640028", Width: 1920, Height: 1080},
	},
	{name: "AVC without sets", codec: media.AVC, config: "01640028ffe000", err: ErrConfig},
	{name: "AVC cut short", codec: media.AVC, config: "01640028ffe1001a6764", err: ErrConfig},
	{name: "AVC nothing", codec: media.AVC, err: ErrConfig},
	{
		name: "HEVC", codec: media.HEVC,
		config: "0101600000009000000000003cf000fcfdf8f800000f03a00001001840010c01ffff01600000030090000003000003003c959809" +
			"a10001002a42010101600000030090000003000003003ca00a080f165959a4932bc05a020000030002000003003210a2000100074401c172b46240",
		want: Codec{Name: "hvc1.1.6.L60.90", Width: 320, Height: 240},
	},
	{
		name: "AV1", codec: media.AV1, config: "81000c000a0b000000043cffbcdaf90040",
		want: Codec{Name: "av01.0.00M.08", Width: 320, Height: 240},
	},
	{name: "HEVC nothing", codec: media.HEVC, err: ErrConfig},
	{name: "HEVC without sets", codec: media.HEVC, config: "0101600000009000000000005df000fcfdf8f800000f00", err: ErrConfig},
	{name: "AV1 size in the frame", codec: media.AV1, config: "81000c00", err: ErrNeedFrame},
	{name: "AV1 nothing in the frame", codec: media.AV1, config: "81000c00", frame: "1200", err: ErrConfig},
	{name: "VP9 size in the frame", codec: media.VP9, config: "000a820202020000", err: ErrNeedFrame},
	{
		name: "VP9", codec: media.VP9, config: "000a820202020000", frame: "824983420013f00ef6",
		want: Codec{Name: "vp09.00.10.08", Width: 320, Height: 240},
	},
	{
		name: "VP9 with the version of its box", codec: media.VP9, config: "01000000000a820202020000", frame: "824983420013f00ef6",
		want: Codec{Name: "vp09.00.10.08", Width: 320, Height: 240},
	},
	{name: "AAC-LC stereo", codec: media.AAC, config: "1210", want: Codec{Name: "mp4a.40.2", Rate: 44100, Channels: 2, FrameSamples: 1024}},
	{name: "AAC 5.1", codec: media.AAC, config: "11b0", want: Codec{Name: "mp4a.40.2", Rate: 48000, Channels: 6, FrameSamples: 1024}},
	{name: "HE-AAC", codec: media.AAC, config: "2b920800", want: Codec{Name: "mp4a.40.5", Rate: 22050, Channels: 2, FrameSamples: 1024}},
	{name: "AAC nothing", codec: media.AAC, err: ErrConfig},
	{
		name: "Opus", codec: media.Opus, config: "4f707573486561640102380180bb0000000000",
		want: Codec{Name: "opus", Rate: 48000, Channels: 2, FrameSamples: 960},
	},
	{
		name: "Opus 5.1", codec: media.Opus, config: "4f707573486561640106380180bb00000000010402000401020305",
		want: Codec{Name: "opus", Rate: 48000, Channels: 6, FrameSamples: 960},
	},
	{name: "Opus mapping cut short", codec: media.Opus, config: "4f707573486561640106380180bb000000000104020004", err: ErrConfig},
	{
		name: "FLAC", codec: media.FLAC, config: "664c614380000022" + "12001200000000000000" + "0ac442f000000000" + "00000000000000000000000000000000",
		want: Codec{Name: "fLaC", Rate: 44100, Channels: 2, FrameSamples: 4608},
	},
	{
		name: "FLAC without marker", codec: media.FLAC, config: "12001200000000000000" + "0ac442f000000000" + "00000000000000000000000000000000",
		want: Codec{Name: "fLaC", Rate: 44100, Channels: 2, FrameSamples: 4608},
	},
	{name: "FLAC cut short", codec: media.FLAC, config: "664c61438000002212001200", err: ErrConfig},
	{name: "MP3 needs a frame", codec: media.MP3, err: ErrNeedFrame},
	{name: "MP3", codec: media.MP3, frame: "fffb906400", want: Codec{Name: "mp4a.6B", Rate: 44100, Channels: 2, FrameSamples: 1152}},
	{name: "MP3 low rate, mono", codec: media.MP3, frame: "fff340c400", want: Codec{Name: "mp4a.69", Rate: 22050, Channels: 1, FrameSamples: 576}},
	{name: "AC-3", codec: media.AC3, frame: "0b77aaaa14404300", want: Codec{Name: "ac-3", Rate: 48000, Channels: 2, FrameSamples: 1536}},
	{name: "AC-3 cut short", codec: media.AC3, frame: "0b77aaaa144043", err: ErrConfig},
	{name: "E-AC-3", codec: media.EAC3, frame: "0b7700bf3486ff00", want: Codec{Name: "ec-3", Rate: 48000, Channels: 2, FrameSamples: 1536}},
	{name: "E-AC-3 nothing", codec: media.EAC3, err: ErrNeedFrame},
	{name: "VP6", codec: media.LegacyVideo(4), err: ErrUnsupported},
}

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	if s == "" {
		return nil
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range codecCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := Parse(c.codec, unhex(t, c.config), unhex(t, c.frame))
			if !errors.Is(err, c.err) || (err != nil) != (c.err != nil) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			if err != nil {
				return
			}
			brief := Codec{
				Name: got.Name, Width: got.Width, Height: got.Height,
				Rate: got.Rate, Channels: got.Channels, FrameSamples: got.FrameSamples,
			}
			if brief.Name != c.want.Name || brief.Width != c.want.Width || brief.Height != c.want.Height ||
				brief.Rate != c.want.Rate || brief.Channels != c.want.Channels || brief.FrameSamples != c.want.FrameSamples {
				t.Errorf("got %+v, want %+v", brief, c.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range codecCases {
		f.Add(uint32(c.codec), unhex(f, c.config), unhex(f, c.frame))
	}
	f.Fuzz(func(t *testing.T, codec uint32, config, frame []byte) {
		c, err := Parse(media.FourCC(codec), config, frame)
		if err != nil {
			return
		}
		if n := c.Samples(frame); c.Kind == media.Audio && n < 0 {
			t.Errorf("%d samples", n)
		}
		if b := c.SampleBody(frame); len(b) > len(frame) {
			t.Errorf("body of %d bytes in a frame of %d", len(b), len(frame))
		}
		init := Init([]Track{{ID: 1, Codec: c, Start: 90, Bitrate: 1000}})
		tracks, err := ParseInit(init)
		if err != nil {
			t.Fatalf("read what was made: %v", err)
		}
		if len(tracks) != 1 || tracks[0].Kind != c.Kind || len(tracks[0].Entries) != 1 || tracks[0].Timescale != c.Timescale() {
			t.Errorf("read %+v", tracks)
		}
	})
}

// A temporal delimiter at the start of an AV1 frame is not part of the sample.
func TestSampleBody(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		codec      media.FourCC
		body, want string
	}{
		{media.AV1, "12000a0b00", "0a0b00"},
		{media.AV1, "0a0b00", "0a0b00"},
		{media.AV1, "12", "12"},
		{media.AV1, "1200", ""},
		{media.AV1, "", ""},
		{media.AVC, "120065", "120065"},
	} {
		codec := &Codec{FourCC: c.codec}
		if got := hex.EncodeToString(codec.SampleBody(unhex(t, c.body))); got != c.want {
			t.Errorf("%s of %q: %q, want %q", c.codec, c.body, got, c.want)
		}
	}
}
