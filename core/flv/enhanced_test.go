package flv

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/core/media"
)

// said is a part as a table gives it: the header without its size, and the
// coded media.
type said struct {
	Header
	body string
}

// video and audio are a part of a table.
func video(codec media.FourCC, flags media.Flags, frameType uint8, body string) said {
	return said{Header{Codec: codec, Flags: flags, Type: frameType}, body}
}

func audio(codec media.FourCC, flags media.Flags, body string) said {
	return said{Header{Codec: codec, Flags: flags}, body}
}

func (s said) on(track uint8) said   { s.Track = track; return s }
func (s said) at(cts int32) said     { s.CTS = cts; return s }
func (s said) nano(ns uint32) said   { s.Nano = ns; return s }
func one(s said) []said              { return []said{s} }
func many(n int, part string) string { return strings.Repeat(part, n) }

const (
	key    = media.Keyframe
	config = media.Config
	eos    = media.EndOfSequence
)

// splitCases are messages with enhanced headers, and their parts.
var splitCases = []struct {
	name string
	kind media.Kind
	enc  string
	dec  []said
	err  error
}{
	// Enhanced RTMP v2, "Enhanced Video": packet types.
	{"HEVC sequence start", media.Video, "\x90hvc1\x01cfg", one(video(media.HEVC, config, 1, "\x01cfg")), nil},
	{"HEVC key, composition time", media.Video, "\x91hvc1\x00\x00\x50nal", one(video(media.HEVC, key, 1, "nal").at(80)), nil},
	{"HEVC inter, negative composition time", media.Video, "\xA1hvc1\xFF\xFF\xB0nal", one(video(media.HEVC, 0, 2, "nal").at(-80)), nil},
	{"HEVC key without composition time", media.Video, "\x93hvc1nal", one(video(media.HEVC, key, 1, "nal")), nil},
	{"HEVC disposable", media.Video, "\xB3hvc1nal", one(video(media.HEVC, 0, 3, "nal")), nil},
	{"HEVC generated key", media.Video, "\xC3hvc1nal", one(video(media.HEVC, key, 4, "nal")), nil},
	{"HEVC end", media.Video, "\x92hvc1", one(video(media.HEVC, eos, 1, "")), nil},
	{"HEVC metadata", media.Video, "\x94hvc1\x02\x00\x09colorInfo", one(video(media.HEVC, media.Extra, 1, "\x02\x00\x09colorInfo")), nil},
	{"metadata in a command frame", media.Video, "\xD4hvc1amf", one(video(media.HEVC, media.Extra, 5, "amf")), nil},
	{"VVC key", media.Video, "\x91vvc1\x00\x00\x01nal", one(video(media.VVC, key, 1, "nal").at(1)), nil},
	{"AVC sequence start", media.Video, "\x90avc1\x01cfg", one(video(media.AVC, config, 1, "\x01cfg")), nil},
	{"AVC inter", media.Video, "\xA1avc1\x00\x01\x00nal", one(video(media.AVC, 0, 2, "nal").at(256)), nil},
	{"AVC inter without composition time", media.Video, "\xA3avc1nal", one(video(media.AVC, 0, 2, "nal")), nil},
	{"AV1 sequence start", media.Video, "\x90av01cfg", one(video(media.AV1, config, 1, "cfg")), nil},
	{"AV1 key", media.Video, "\x91av01obu", one(video(media.AV1, key, 1, "obu")), nil},
	{"AV1 inter", media.Video, "\xA1av01obu", one(video(media.AV1, 0, 2, "obu")), nil},
	{"AV1 in MPEG-2 TS", media.Video, "\x95av01dsc", one(video(media.AV1, config|media.Extra, 1, "dsc")), nil},
	{"VP9 sequence start", media.Video, "\x90vp09cfg", one(video(media.VP9, config, 1, "cfg")), nil},
	{"VP9 inter", media.Video, "\xA1vp09raw", one(video(media.VP9, 0, 2, "raw")), nil},
	{"VP8 key", media.Video, "\x91vp08raw", one(video(media.VP8, key, 1, "raw")), nil},
	{"a video codec as audio", media.Audio, "\x91avc1raw", one(audio(media.AVC, 0, "raw")), nil},
	{"an audio codec as video", media.Video, "\x91mp4araw", one(video(media.AAC, key, 1, "raw")), nil},
	{"a codec to come", media.Video, "\x91xyz1raw", one(video(media.MakeFourCC("xyz1"), key, 1, "raw")), nil},

	// Frame type 0.
	{"HEVC config of type 0", media.Video, "\x80hvc1cfg", one(video(media.HEVC, config, 1, "cfg")), nil},
	{"HEVC IDR of type 0", media.Video, "\x83hvc1\x00\x00\x00\x02\x46\x01\x00\x00\x00\x03\x26\x01x",
		one(video(media.HEVC, key, 1, "\x00\x00\x00\x02\x46\x01\x00\x00\x00\x03\x26\x01x")), nil},
	{"HEVC trailing picture of type 0", media.Video, "\x83hvc1\x00\x00\x00\x03\x02\x01x", one(video(media.HEVC, 0, 2, "\x00\x00\x00\x03\x02\x01x")), nil},
	{"AVC IDR of type 0", media.Video, "\x83avc1\x00\x00\x00\x03\x65\x01x", one(video(media.AVC, key, 1, "\x00\x00\x00\x03\x65\x01x")), nil},
	{"VVC IDR of type 0", media.Video, "\x83vvc1\x00\x00\x00\x03\x00\x39x", one(video(media.VVC, key, 1, "\x00\x00\x00\x03\x00\x39x")), nil},
	{"NAL unit of a lie", media.Video, "\x83avc1\xFF\xFF\xFF\xFF\x41\x01x", one(video(media.AVC, 0, 2, "\xFF\xFF\xFF\xFF\x41\x01x")), nil},
	{"AV1 key of type 0", media.Video, "\x83av01\x12\x00\x0A\x01s\x32\x01f", one(video(media.AV1, key, 1, "\x12\x00\x0A\x01s\x32\x01f")), nil},
	{"AV1 inter of type 0", media.Video, "\x83av01\x12\x00\x32\x01f", one(video(media.AV1, 0, 2, "\x12\x00\x32\x01f")), nil},
	{"AV1 with an extension", media.Video, "\x83av01\x16\x00\x00\x0A\x01s", one(video(media.AV1, key, 1, "\x16\x00\x00\x0A\x01s")), nil},
	{"AV1 of a lie", media.Video, "\x83av01\x12\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F", one(video(media.AV1, 0, 2, "\x12\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F")), nil},
	{"VP9 key of type 0", media.Video, "\x83vp09\x82x", one(video(media.VP9, key, 1, "\x82x")), nil},
	{"VP9 inter of type 0", media.Video, "\x83vp09\x86x", one(video(media.VP9, 0, 2, "\x86x")), nil},
	{"VP9 shown again", media.Video, "\x83vp09\x88x", one(video(media.VP9, 0, 2, "\x88x")), nil},
	{"VP9 key of profile 3", media.Video, "\x83vp09\xB0x", one(video(media.VP9, key, 1, "\xB0x")), nil},
	{"VP8 inter of type 0", media.Video, "\x83vp08\x11x", one(video(media.VP8, 0, 2, "\x11x")), nil},
	{"end of type 0", media.Video, "\x82hvc1", one(video(media.HEVC, eos, 2, "")), nil},

	// "Enhanced Audio".
	{"Opus sequence start", media.Audio, "\x90OpusOpusHead", one(audio(media.Opus, config, "OpusHead")), nil},
	{"Opus", media.Audio, "\x91Opusraw", one(audio(media.Opus, 0, "raw")), nil},
	{"Opus end", media.Audio, "\x92Opus", one(audio(media.Opus, eos, "")), nil},
	{"Opus channel order", media.Audio, "\x94Opus\x01\x02\x00\x00\x00\x03", one(audio(media.Opus, media.Extra, "\x01\x02\x00\x00\x00\x03")), nil},
	{"FLAC sequence start", media.Audio, "\x90fLaCinfo", one(audio(media.FLAC, config, "info")), nil},
	{"FLAC", media.Audio, "\x91fLaCraw", one(audio(media.FLAC, 0, "raw")), nil},
	{"AC-3", media.Audio, "\x91ac-3raw", one(audio(media.AC3, 0, "raw")), nil},
	{"E-AC-3", media.Audio, "\x91ec-3raw", one(audio(media.EAC3, 0, "raw")), nil},
	{"AAC sequence start", media.Audio, "\x90mp4a\x12\x10", one(audio(media.AAC, config, "\x12\x10")), nil},
	{"AAC", media.Audio, "\x91mp4araw", one(audio(media.AAC, 0, "raw")), nil},
	{"MP3", media.Audio, "\x91.mp3raw", one(audio(media.MP3, 0, "raw")), nil},

	// ModEx.
	{"video ns", media.Video, "\x97\x02\x0F\x42\x3F\x01av01obu", one(video(media.AV1, key, 1, "obu").nano(999_999)), nil},
	{"audio ns", media.Audio, "\x97\x02\x00\x01\x00\x01Opusraw", one(audio(media.Opus, 0, "raw").nano(256)), nil},
	{"ns in more bytes than needed", media.Audio, "\x97\x04\x00\x01\x00\xAA\xBB\x01Opusraw", one(audio(media.Opus, 0, "raw").nano(256)), nil},
	{"ns in too few bytes", media.Audio, "\x97\x01\x00\x01\x01Opusraw", one(audio(media.Opus, 0, "raw")), nil},
	{"unknown ModEx", media.Video, "\x97\x00\xFF\xF1av01obu", one(video(media.AV1, key, 1, "obu")), nil},
	{"two ModEx", media.Video, "\x97\x00\xFF\x17\x02\x00\x00\x05\x01av01obu", one(video(media.AV1, key, 1, "obu").nano(5)), nil},
	{"a thousand ModEx", media.Video, "\x97" + many(1000, "\x00\xFF\x17") + "\x00\xFF\x11av01obu", one(video(media.AV1, key, 1, "obu")), nil},
	{"ModEx of 256 bytes", media.Video, "\x97\xFF\x00\xFF" + many(256, "m") + "\x11av01obu", one(video(media.AV1, key, 1, "obu")), nil},
	{"ModEx of 65536 bytes", media.Video, "\x97\xFF\xFF\xFF" + many(65536, "m") + "\x11av01obu", one(video(media.AV1, key, 1, "obu")), nil},
	{"oversized ModEx", media.Video, "\x97\xFF\xFF\xFFm", nil, ErrTruncated},
	{"ModEx without end", media.Video, "\x97" + many(100, "\x00\xFF\x17"), nil, ErrTruncated},

	// Multitrack.
	{"OneTrack", media.Video, "\x96\x01av01\x07obu", one(video(media.AV1, key, 1, "obu").on(7)), nil},
	{"OneTrack, composition time", media.Video, "\xA6\x01hvc1\xFF\x00\x00\x50nal", one(video(media.HEVC, 0, 2, "nal").on(255).at(80)), nil},
	{"OneTrack of audio", media.Audio, "\x95\x01Opus\x01raw", one(audio(media.Opus, 0, "raw").on(1)), nil},
	{"OneTrack sequence start", media.Audio, "\x95\x00mp4a\x01\x12\x10", one(audio(media.AAC, config, "\x12\x10").on(1)), nil},
	{"OneTrack end", media.Audio, "\x95\x02Opus\x01", one(audio(media.Opus, eos, "").on(1)), nil},
	{"OneTrack with ns", media.Audio, "\x97\x02\x00\x00\x09\x05\x01Opus\x01raw", one(audio(media.Opus, 0, "raw").on(1).nano(9)), nil},
	{"OneTrack metadata", media.Video, "\x96\x04hvc1\x02amf", one(video(media.HEVC, media.Extra, 1, "amf").on(2)), nil},
	{"ManyTracks", media.Video, "\x96\x11av01\x00\x00\x00\x03obu\x01\x00\x00\x02ob",
		[]said{video(media.AV1, key, 1, "obu"), video(media.AV1, key, 1, "ob").on(1)}, nil},
	{"ManyTracks, composition times", media.Video, "\xA6\x11hvc1\x00\x00\x00\x06\x00\x00\x28nal\x01\x00\x00\x04\xFF\xFF\xFFn",
		[]said{video(media.HEVC, 0, 2, "nal").at(40), video(media.HEVC, 0, 2, "n").on(1).at(-1)}, nil},
	{"ManyTracks of one", media.Audio, "\x95\x11Opus\x03\x00\x00\x03raw", one(audio(media.Opus, 0, "raw").on(3)), nil},
	{"ManyTracksManyCodecs", media.Audio, "\x95\x21Opus\x00\x00\x00\x03rawmp4a\x01\x00\x00\x02ac",
		[]said{audio(media.Opus, 0, "raw"), audio(media.AAC, 0, "ac").on(1)}, nil},
	{"ManyTracksManyCodecs, one with composition time", media.Video, "\x96\x21av01\x00\x00\x00\x03obuhvc1\x01\x00\x00\x05\x00\x00\x01na",
		[]said{video(media.AV1, key, 1, "obu"), video(media.HEVC, key, 1, "na").on(1).at(1)}, nil},
	{"many sequence starts", media.Video, "\x96\x20av01\x00\x00\x00\x03cfghvc1\x01\x00\x00\x02cf",
		[]said{video(media.AV1, config, 1, "cfg"), video(media.HEVC, config, 1, "cf").on(1)}, nil},
	{"many ends", media.Audio, "\x95\x12Opus\x00\x00\x00\x00\x01\x00\x00\x00",
		[]said{audio(media.Opus, eos, ""), audio(media.Opus, eos, "").on(1)}, nil},
	{"a part of size 0 in the middle", media.Audio, "\x95\x11Opus\x00\x00\x00\x01a\x01\x00\x00\x00\x02\x00\x00\x01b",
		[]said{audio(media.Opus, 0, "a"), audio(media.Opus, 0, "b").on(2)}, nil},
	{"parts of size 0 only", media.Audio, "\x95\x11Opus\x00\x00\x00\x00\x01\x00\x00\x00", nil, nil},
	{"as many parts as may be", media.Audio, "\x95\x11Opus" + many(maxParts, "\x01\x00\x00\x01a"),
		slices.Repeat(one(audio(media.Opus, 0, "a").on(1)), maxParts), nil},

	{"one part too many", media.Audio, "\x95\x11Opus" + many(maxParts+1, "\x01\x00\x00\x01a"),
		slices.Repeat(one(audio(media.Opus, 0, "a").on(1)), maxParts), ErrParts},
	{"empty parts without end", media.Audio, "\x95\x11Opus" + many(100_000, "\x01\x00\x00\x00"), nil, ErrParts},
	{"part longer than the message", media.Audio, "\x95\x11Opus\x01\x00\x00\x04raw", nil, ErrTruncated},
	{"part that lies about 16 MiB", media.Audio, "\x95\x11Opus\x01\xFF\xFF\xFFraw", nil, ErrTruncated},
	{"second part longer than the message", media.Audio, "\x95\x11Opus\x00\x00\x00\x03raw\x01\x00\x00\x04raw",
		one(audio(media.Opus, 0, "raw")), ErrTruncated},
	{"part shorter than its composition time", media.Video, "\x96\x11hvc1\x00\x00\x00\x02\x00\x00\x00nal", nil, ErrTruncated},
	{"unknown kind of multitrack", media.Video, "\x96\x31av01\x00obu", nil, ErrMultitrack},
	{"multitrack in multitrack", media.Video, "\x96\x06av01\x00obu", nil, ErrPacketType},
	{"audio multitrack in multitrack", media.Audio, "\x95\x05Opus\x00raw", nil, ErrPacketType},
	{"ModEx in multitrack", media.Video, "\x96\x07av01\x00obu", nil, ErrPacketType},
	{"unknown packet type", media.Video, "\x98av01obu", nil, ErrPacketType},
	{"unknown audio packet type", media.Audio, "\x93Opusraw", nil, ErrPacketType},
	{"command frame", media.Video, "\xD1\x00", nil, ErrCommand},
	{"command frame after ModEx", media.Video, "\xD7\x00\xFF\x11\x00", nil, ErrCommand},
	{"no body", media.Video, "\x91av01", nil, ErrEmpty},
	{"no configuration", media.Audio, "\x90Opus", nil, ErrEmpty},
	{"codec without configuration", media.Audio, "\x90ac-3", one(audio(media.AC3, config, "")), nil},
	{"OneTrack without a body", media.Audio, "\x95\x01Opus\x01", nil, ErrEmpty},
	{"FourCC of zeros", media.Video, "\x91\x00\x00\x00\x00obu", nil, ErrFourCC},
	{"FourCC of a codec of old", media.Video, "\x91\x00\x00v\x02obu", nil, ErrFourCC},
	{"FourCC that is no text", media.Video, "\x91av0\xFFobu", nil, ErrFourCC},
}

// split gathers the parts of a message.
func split(t *testing.T, kind media.Kind, b []byte) ([]said, error) {
	t.Helper()
	var all []said
	err := Split(kind, b, func(p Part) {
		if p.Size != p.Start || p.Start > p.End || p.End > len(b) {
			t.Fatalf("%q: part %+v", b, p)
		}
		s := said{p.Header, string(b[p.Start:p.End])}
		s.Size = 0
		all = append(all, s)
	})
	return all, err
}

func TestSplit(t *testing.T) {
	t.Parallel()
	for _, c := range splitCases {
		got, err := split(t, c.kind, []byte(c.enc))
		if !slices.Equal(got, c.dec) || !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("%s: got %+v, %v; want %+v, %v", c.name, got, err, c.dec, c.err)
		}
	}
}

// Classic messages have one part, that of ParseHeader.
func TestSplitClassic(t *testing.T) {
	t.Parallel()
	for _, c := range headerCases {
		if errors.Is(c.err, ErrUnsupported) {
			continue
		}
		n := 0
		err := Split(c.kind, []byte(c.enc), func(p Part) {
			if n++; p.Header != c.dec || p.Enhanced || p.Start != c.dec.Size || p.End != len(c.enc) {
				t.Errorf("%s: %+v, want %+v", c.name, p, c.dec)
			}
		})
		if !errors.Is(err, c.err) || (err == nil) != (n == 1) {
			t.Errorf("%s: %d parts, %v", c.name, n, err)
		}
	}
}

// A message that ends early is refused, or has less at its end: nothing before
// the cut changes.
func TestSplitTruncated(t *testing.T) {
	t.Parallel()
	for _, c := range splitCases {
		if c.err != nil || len(c.enc) > 1000 {
			continue
		}
		for n := range len(c.enc) {
			got, err := split(t, c.kind, []byte(c.enc[:n]))
			if len(got) > len(c.dec) || len(got) == 0 && err == nil && c.dec != nil {
				t.Fatalf("%s, first %d bytes: %+v, %v", c.name, n, got, err)
			}
			for i, s := range got {
				want := c.dec[i]
				if !strings.HasPrefix(want.body, s.body) || i < len(got)-1 && s.body != want.body {
					t.Errorf("%s, first %d bytes: body %q of %q", c.name, n, s.body, want.body)
				}
				if enhancedZero(c.enc) { // whether it is a keyframe may stand behind the cut
					s.Type, s.Flags = want.Type, want.Flags
				}
				if s.body = want.body; s != want {
					t.Errorf("%s, first %d bytes: %+v, want %+v", c.name, n, s, want)
				}
			}
		}
	}
}

// What is split can be joined to plain messages and to those for viewers of all
// tracks, which say the same.
func FuzzSplit(f *testing.F) {
	for _, c := range splitCases {
		f.Add(c.kind == media.Video, []byte(c.enc))
	}
	for _, c := range headerCases {
		f.Add(c.kind == media.Video, []byte(c.enc))
	}
	f.Fuzz(func(t *testing.T, isVideo bool, b []byte) {
		kind := media.Audio
		if isVideo {
			kind = media.Video
		}
		n, end := 0, 0
		err := Split(kind, b, func(p Part) {
			if n++; p.Start < end || p.End < p.Start || p.End > len(b) || p.Codec == 0 || n > maxParts {
				t.Fatalf("part %d: %+v", n, p)
			}
			if p.Start == p.End && !p.mayBeEmpty() {
				t.Fatalf("part %d is empty: %+v", n, p)
			}
			end = p.End
			if p.Enhanced && HasPlain(kind, p.Header) {
				checkPlain(t, kind, p.Header, string(b[p.Start:p.End]))
				checkAll(t, kind, p.Header, string(b[p.Start:p.End]))
			}
		})
		if err != nil && n > 0 && len(b) > 0 && !isMultitrack(kind, b) {
			t.Fatalf("%v after %d parts", err, n)
		}
	})
}

// enhancedZero is whether an enhanced video message has frame type 0.
func enhancedZero(enc string) bool { return enc[0]&0xF0 == 0x80 }

// isMultitrack is whether a message might have several parts.
func isMultitrack(kind media.Kind, b []byte) bool {
	return kind == media.Video && b[0]&0x80 != 0 || kind == media.Audio && b[0]>>4 == soundExHeader
}
