package codec

import (
	"encoding/hex"
	"errors"
	"testing"

	"github.com/millrace/millrace/core/media"
)

// headers serve the test and the fuzz corpus. Those of 1920x1080, and the audio
// headers, are what ffmpeg 5.1 made with x264, x265, SVT-AV1, libvpx, LAME,
// libopus and its own encoders.
var headers = []struct {
	name          string
	codec         media.FourCC
	config, frame string // hexadecimal
	want          Parameters
	err           error
}{
	{
		name: "AVC", codec: media.AVC,
		config: "0142c028ffe100196742c028da01e0089f97011000000300100000030320f1832a01000468ce0fc8",
		want:   Parameters{Width: 1920, Height: 1080, Profile: "baseline"},
	},
	{
		name: "AVC high", codec: media.AVC,
		config: "01640028ffe1001e67640028acd940780227e5c05a808080a0000003002000000641e30632c001000668ebe3cb22c0fdf8f800",
		want:   Parameters{Width: 1920, Height: 1080, Profile: "high"},
	},
	{name: "AVC without sets", codec: media.AVC, config: "01640028ffe00000", err: ErrBroken},
	{name: "AVC cut short", codec: media.AVC, config: "01640028ffe1001a6764", err: ErrBroken},
	{name: "AVC nothing", codec: media.AVC, err: ErrMissing},
	{
		name: "HEVC", codec: media.HEVC,
		config: "01016000000090000000000078f000fcfdf8f800000f03a00001001840010c01ffff016000000300900000030000030078959409" +
			"a10001002b420101016000000300900000030000030078a003c0801107cb965654a4c2f0168080000003008000000c84" +
			"a2000100064401c073c189",
		want: Parameters{Width: 1920, Height: 1080, Profile: "main"},
	},
	{
		name: "HEVC 10 bit", codec: media.HEVC,
		config: "01022000000090000000000078f000fcfdfafa00000f03a00001001840010c01ffff022000000300900000030000030078959409" +
			"a10001002d420101022000000300900000030000030078a003c0801107cad965654a4c2f016808000003000800000300c840" +
			"a2000100064401c073c189",
		want: Parameters{Width: 1920, Height: 1080, Profile: "main10"},
	},
	{name: "HEVC without sets", codec: media.HEVC, config: "0101600000009000000000005df000fcfdf8f800000f00", err: ErrBroken},
	{name: "HEVC array cut short", codec: media.HEVC, config: "0101600000009000000000005df000fcfdf8f800000f01a100", err: ErrBroken},
	{name: "HEVC nothing", codec: media.HEVC, err: ErrMissing},
	{
		name: "AV1", codec: media.AV1, config: "81080c000a0b00000042abbfc3700be001",
		want: Parameters{Width: 1920, Height: 1080, Profile: "main"},
	},
	{
		name: "AV1 in the frame", codec: media.AV1, config: "81080c00", frame: "12000a0b00000042abbfc3700be001",
		want: Parameters{Width: 1920, Height: 1080, Profile: "main"},
	},
	{name: "AV1 cut short", codec: media.AV1, config: "81080c000a0b000000", err: ErrMissing},
	{name: "AV1 header cut short", codec: media.AV1, config: "81080c000a020000", err: ErrBroken},
	{name: "AV1 nothing", codec: media.AV1, err: ErrMissing},
	{
		name: "VP9", codec: media.VP9, config: "000a820202020000", frame: "824983420077f043760638241c184a18",
		want: Parameters{Width: 1920, Height: 1080, Profile: "0"},
	},
	{name: "VP9 inter frame", codec: media.VP9, frame: "860040926000", err: ErrBroken},
	{name: "VP9 config only", codec: media.VP9, config: "000a820202020000", err: ErrMissing},
	{
		name: "VP8", codec: media.VP8, frame: "d084029d012a80073804058708858588",
		want: Parameters{Width: 1920, Height: 1080, Profile: "0"},
	},
	{name: "VP8 inter frame", codec: media.VP8, frame: "d184029d012a800738040587", err: ErrBroken},
	{name: "VP8 cut short", codec: media.VP8, frame: "d084029d012a800738", err: ErrMissing},

	{name: "AAC", codec: media.AAC, config: "119056e500", want: Parameters{SampleRate: 48000, Channels: 2}},
	{name: "AAC 7.1", codec: media.AAC, config: "11b8", want: Parameters{SampleRate: 48000, Channels: 8}},
	{name: "HE-AAC", codec: media.AAC, config: "2b920800", want: Parameters{SampleRate: 44100, Channels: 2}},
	{name: "HE-AAC v2", codec: media.AAC, config: "eb8a0800", want: Parameters{SampleRate: 44100, Channels: 2}},
	{name: "AAC cut short", codec: media.AAC, config: "11", err: ErrBroken},
	{name: "AAC nothing", codec: media.AAC, err: ErrMissing},
	{name: "Opus", codec: media.Opus, config: "4f707573486561640102380180bb0000000000", want: Parameters{SampleRate: 48000, Channels: 2}},
	{name: "Opus cut short", codec: media.Opus, config: "4f7075734865616401", err: ErrMissing},
	{
		name: "FLAC", codec: media.FLAC,
		config: "664c614300000022120012000004f90005670ac442f00000227424329f2cd7d8fe6fe9bc2007c3714703",
		want:   Parameters{SampleRate: 44100, Channels: 2},
	},
	{
		name: "FLAC without marker", codec: media.FLAC,
		config: "120012000004f90005670ac442f00000227424329f2cd7d8fe6fe9bc2007c3714703",
		want:   Parameters{SampleRate: 44100, Channels: 2},
	},
	{name: "FLAC cut short", codec: media.FLAC, config: "664c6143000000221200", err: ErrMissing},
	{name: "MP3", codec: media.MP3, frame: "fffb90640000023808d0bd3c60080000", want: Parameters{SampleRate: 44100, Channels: 2}},
	{name: "MP3 low rate, mono", codec: media.MP3, frame: "fff340c400", want: Parameters{SampleRate: 22050, Channels: 1}},
	{name: "MP3 out of step", codec: media.MP3, frame: "0000000000", err: ErrBroken},
	{name: "MP3 nothing", codec: media.MP3, err: ErrMissing},
	{name: "AC-3", codec: media.AC3, frame: "0b77fe95144043e106f46370c0c0c218", want: Parameters{SampleRate: 48000, Channels: 2}},
	{name: "AC-3 5.1", codec: media.AC3, frame: "0b77b50b1e40ebf8403eff99ff0841fc", want: Parameters{SampleRate: 48000, Channels: 6}},
	{name: "AC-3 cut short", codec: media.AC3, frame: "0b77fe9514", err: ErrMissing},
	{name: "E-AC-3 5.1", codec: media.EAC3, frame: "0b77037f3f87c00020f8200002004000", want: Parameters{SampleRate: 48000, Channels: 6}},
	{name: "E-AC-3 mono", codec: media.EAC3, frame: "0b7700cf7287c00021063070c3bdc3ae", want: Parameters{SampleRate: 44100, Channels: 1}},
	{name: "E-AC-3 cut short", codec: media.EAC3, frame: "0b7700cf", err: ErrBroken},
	{name: "E-AC-3 nothing", codec: media.EAC3, err: ErrMissing},

	{name: "Speex", codec: media.LegacyAudio(11), frame: "00", err: ErrUnknown},
}

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestRead(t *testing.T) {
	t.Parallel()
	for _, c := range headers {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := Read(c.codec, unhex(t, c.config), unhex(t, c.frame))
			if !errors.Is(err, c.err) || (err != nil) != (c.err != nil) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// However little of a header came, reading it is an error or right.
func TestReadCutShort(t *testing.T) {
	t.Parallel()
	for _, c := range headers {
		config, frame := unhex(t, c.config), unhex(t, c.frame)
		for n := range config {
			_, _ = Read(c.codec, config[:n:n], nil)
		}
		for n := range frame {
			if p, err := Read(c.codec, nil, frame[:n:n]); err == nil && p != c.want {
				t.Errorf("%s, %d bytes: %+v", c.name, n, p)
			}
		}
	}
}

// What comes out of any bytes is sane, and frames are needed only where
// InBand says so.
func FuzzRead(f *testing.F) {
	for _, c := range headers {
		f.Add(uint32(c.codec), unhex(f, c.config), unhex(f, c.frame))
	}
	f.Fuzz(func(t *testing.T, codec uint32, config, frame []byte) {
		p, err := Read(media.FourCC(codec), config, frame)
		if err != nil && p != (Parameters{}) {
			t.Errorf("%+v with %v", p, err)
		}
		if !p.sane() {
			t.Errorf("%+v", p)
		}
		if !media.FourCC(codec).InBand() {
			if q, _ := Read(media.FourCC(codec), config, nil); q != p {
				t.Errorf("%+v, without the frame %+v", p, q)
			}
		}
	})
}
