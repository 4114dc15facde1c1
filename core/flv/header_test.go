package flv

import (
	"errors"
	"testing"

	"github.com/millrace/millrace/core/media"
)

// headerCases are the first bytes of tags' data, and what they say.
var headerCases = []struct {
	name string
	kind media.Kind
	enc  string
	dec  Header
	err  error
}{
	{"AVC keyframe", media.Video, "\x17\x01\x00\x00\x00NAL",
		Header{Codec: media.AVC, Flags: media.Keyframe, Type: 1, Size: 5}, nil},
	{"AVC inter frame", media.Video, "\x27\x01\x00\x00\x00NAL",
		Header{Codec: media.AVC, Type: 2, Size: 5}, nil},
	{"AVC disposable frame", media.Video, "\x37\x01\x00\x00\x00NAL",
		Header{Codec: media.AVC, Type: 3, Size: 5}, nil},
	{"AVC generated keyframe", media.Video, "\x47\x01\x00\x00\x00NAL",
		Header{Codec: media.AVC, Flags: media.Keyframe, Type: 4, Size: 5}, nil},
	{"B-frame: composition time", media.Video, "\x27\x01\x00\x00\x50NAL",
		Header{Codec: media.AVC, CTS: 80, Type: 2, Size: 5}, nil},
	{"largest composition time", media.Video, "\x27\x01\x7F\xFF\xFFNAL",
		Header{Codec: media.AVC, CTS: 0x7FFFFF, Type: 2, Size: 5}, nil},
	{"negative composition time", media.Video, "\x27\x01\xFF\xFF\xB0NAL",
		Header{Codec: media.AVC, CTS: -80, Type: 2, Size: 5}, nil},
	{"least composition time", media.Video, "\x27\x01\x80\x00\x00NAL",
		Header{Codec: media.AVC, CTS: -0x800000, Type: 2, Size: 5}, nil},
	{"AVC sequence header", media.Video, "\x17\x00\x00\x00\x00\x01\x64",
		Header{Codec: media.AVC, Flags: media.Config, Type: 1, Size: 5}, nil},
	{"AVC sequence header that calls itself inter", media.Video, "\x27\x00\x00\x00\x00\x01\x64",
		Header{Codec: media.AVC, Flags: media.Config, Type: 2, Size: 5}, nil},
	{"AVC end of sequence", media.Video, "\x17\x02\x00\x00\x00",
		Header{Codec: media.AVC, Flags: media.EndOfSequence, Type: 1, Size: 5}, nil},
	{"HEVC as codec 12", media.Video, "\x1C\x01\x00\x00\x28NAL",
		Header{Codec: media.HEVC, Flags: media.Keyframe, CTS: 40, Type: 1, Size: 5}, nil},
	{"HEVC sequence header", media.Video, "\x1C\x00\x00\x00\x00\x01",
		Header{Codec: media.HEVC, Flags: media.Config, Type: 1, Size: 5}, nil},
	{"Sorenson H.263 keyframe", media.Video, "\x12\x00",
		Header{Codec: media.LegacyVideo(2), Flags: media.Keyframe, Type: 1, Size: 1}, nil},
	{"VP6 inter frame", media.Video, "\x24\x00\x01",
		Header{Codec: media.LegacyVideo(4), Type: 2, Size: 1}, nil},
	{"screen video 2 disposable", media.Video, "\x36\x00",
		Header{Codec: media.LegacyVideo(6), Type: 3, Size: 1}, nil},
	{"AAC", media.Audio, "\xAF\x01\x21\x00",
		Header{Codec: media.AAC, Size: 2}, nil},
	{"AAC sequence header", media.Audio, "\xAF\x00\x12\x10",
		Header{Codec: media.AAC, Flags: media.Config, Size: 2}, nil},
	{"MP3", media.Audio, "\x2F\xFF\xFB",
		Header{Codec: media.MP3, Size: 1}, nil},
	{"MP3 at 8 kHz", media.Audio, "\xE2\xFF\xE3",
		Header{Codec: media.LegacyAudio(14), Size: 1}, nil},
	{"Speex", media.Audio, "\xB2\x00",
		Header{Codec: media.LegacyAudio(11), Size: 1}, nil},
	{"PCM", media.Audio, "\x0E\x00",
		Header{Codec: media.LegacyAudio(0), Size: 1}, nil},

	{"no video", media.Video, "", Header{}, ErrEmpty},
	{"no audio", media.Audio, "", Header{}, ErrEmpty},
	{"AVC, header only", media.Video, "\x17\x01\x00\x00\x00", Header{}, ErrEmpty},
	{"AVC sequence header, header only", media.Video, "\x17\x00\x00\x00\x00", Header{}, ErrEmpty},
	{"H.263, header only", media.Video, "\x12", Header{}, ErrEmpty},
	{"AAC, header only", media.Audio, "\xAF\x01", Header{}, ErrEmpty},
	{"AAC sequence header, header only", media.Audio, "\xAF\x00", Header{}, ErrEmpty},
	{"MP3, header only", media.Audio, "\x2F", Header{}, ErrEmpty},
	{"AVC of 1 byte", media.Video, "\x17", Header{}, ErrTruncated},
	{"AVC of 4 bytes", media.Video, "\x27\x01\x00\x00", Header{}, ErrTruncated},
	{"AVC end of sequence, cut short", media.Video, "\x17\x02", Header{}, ErrTruncated},
	{"HEVC of 4 bytes", media.Video, "\x1C\x00\x00\x00", Header{}, ErrTruncated},
	{"AAC of 1 byte", media.Audio, "\xAF", Header{}, ErrTruncated},
	{"command frame", media.Video, "\x57\x00", Header{}, ErrCommand},
	{"command frame of no codec", media.Video, "\x50\x01", Header{}, ErrCommand},
	{"enhanced video", media.Video, "\x91avc1", Header{}, ErrUnsupported},
	{"enhanced audio", media.Audio, "\x91mp4a", Header{}, ErrUnsupported},
}

func TestParseHeader(t *testing.T) {
	t.Parallel()
	for _, c := range headerCases {
		got, err := ParseHeader(c.kind, []byte(c.enc))
		if got != c.dec || !errors.Is(err, c.err) {
			t.Errorf("%s: got %+v, %v; want %+v, %v", c.name, got, err, c.dec, c.err)
		}
	}
}

// What is said of a message is so whatever follows its header.
func FuzzHeader(f *testing.F) {
	for _, c := range headerCases {
		f.Add(c.kind == media.Video, []byte(c.enc))
	}
	f.Fuzz(func(t *testing.T, video bool, b []byte) {
		kind := media.Audio
		if video {
			kind = media.Video
		}
		h, err := ParseHeader(kind, b)
		if err != nil {
			if h != (Header{}) {
				t.Fatalf("%v, and %+v", err, h)
			}
			return
		}
		if h.Codec == 0 || h.Codec.String() == "" || h.Size < 1 || h.Size > len(b) {
			t.Fatalf("%+v of %d bytes", h, len(b))
		}
		if !video && h.Flags&^media.Config != 0 || h.Flags&(h.Flags-1) != 0 {
			t.Fatalf("flags %b", h.Flags)
		}
		if empty := h.Size == len(b); empty && h.Flags != media.EndOfSequence {
			t.Fatalf("%+v without a body", h)
		}
		fr := &media.Frame{Kind: kind, Flags: h.Flags}
		if !fr.IsMedia() && h.CTS != 0 {
			t.Fatalf("%+v", h)
		}
		if again, err := ParseHeader(kind, append(b[:h.Size:h.Size], 0)); again != h || err != nil {
			t.Fatalf("with another body %+v, %v; was %+v", again, err, h)
		}
	})
}

func TestFileHeader(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		audio, video bool
		flags        string
	}{
		{false, false, "\x00"}, {false, true, "\x01"}, {true, false, "\x04"}, {true, true, "\x05"},
	} {
		got := AppendFileHeader([]byte("!"), c.audio, c.video)
		if want := "!FLV\x01" + c.flags + "\x00\x00\x00\x09\x00\x00\x00\x00"; string(got) != want || len(got) != 1+FileHeaderSize {
			t.Errorf("audio %t, video %t: got %q, want %q", c.audio, c.video, got, want)
		}
	}
}

func BenchmarkParseHeader(b *testing.B) {
	messages := map[string]struct {
		kind media.Kind
		data []byte
	}{
		"video": {media.Video, []byte("\x27\x01\x00\x00\x50NAL")},
		"audio": {media.Audio, []byte("\xAF\x01\x21\x00")},
	}
	for name, m := range messages {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseHeader(m.kind, m.data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
