package media

// Kind is the medium of a frame. Its values are FLV tag types, which are RTMP
// message types too (Adobe FLV 10.1 E.4.1, RTMP 1.0 section 7.1).
type Kind uint8

// The kinds of frames.
const (
	Audio Kind = 8
	Video Kind = 9
	Data  Kind = 18
)

// String names the kind as logs and the API do.
func (k Kind) String() string {
	switch k {
	case Audio:
		return "audio"
	case Video:
		return "video"
	case Data:
		return "data"
	}
	return "unknown"
}

// FourCC names a codec by four characters, as Enhanced RTMP does. Codecs that
// FLV knows by number only have a code of our own, made by [LegacyVideo] and
// [LegacyAudio]: its first byte is 0.
type FourCC uint32

// MakeFourCC packs a four-character code, first character in the highest byte.
func MakeFourCC(s string) FourCC {
	return FourCC(s[0])<<24 | FourCC(s[1])<<16 | FourCC(s[2])<<8 | FourCC(s[3])
}

// Codecs that Enhanced RTMP names.
var (
	AVC  = MakeFourCC("avc1")
	HEVC = MakeFourCC("hvc1")
	VVC  = MakeFourCC("vvc1")
	AV1  = MakeFourCC("av01")
	VP8  = MakeFourCC("vp08")
	VP9  = MakeFourCC("vp09")

	AAC  = MakeFourCC("mp4a")
	MP3  = MakeFourCC(".mp3")
	Opus = MakeFourCC("Opus")
	FLAC = MakeFourCC("fLaC")
	AC3  = MakeFourCC("ac-3")
	EAC3 = MakeFourCC("ec-3")
)

// LegacyVideo is the code of a video codec known by its FLV number, 0 to 15.
func LegacyVideo(id uint8) FourCC { return FourCC('v')<<8 | FourCC(id) }

// LegacyAudio is the code of an audio codec known by its FLV number, 0 to 15.
func LegacyAudio(id uint8) FourCC { return FourCC('a')<<8 | FourCC(id) }

var names = map[FourCC]string{
	AVC: "h264", HEVC: "hevc", VVC: "vvc", AV1: "av1", VP8: "vp8", VP9: "vp9",
	AAC: "aac", MP3: "mp3", Opus: "opus", FLAC: "flac", AC3: "ac3", EAC3: "eac3",
	LegacyVideo(2): "h263", LegacyVideo(3): "screen", LegacyVideo(4): "vp6",
	LegacyVideo(5): "vp6a", LegacyVideo(6): "screen2",
	LegacyAudio(0): "pcm", LegacyAudio(1): "adpcm", LegacyAudio(3): "pcm_le",
	LegacyAudio(4): "nellymoser16", LegacyAudio(5): "nellymoser8", LegacyAudio(6): "nellymoser",
	LegacyAudio(7): "pcm_alaw", LegacyAudio(8): "pcm_mulaw", LegacyAudio(11): "speex",
	LegacyAudio(14): "mp3_8k",
}

// String is the codec's name as the API and logs give it.
func (c FourCC) String() string {
	if c == 0 {
		return ""
	}
	if name, ok := names[c]; ok {
		return name
	}
	if c>>24 == 0 {
		return "flv_" + string(rune(c>>8&0xFF)) + itoa(uint8(c))
	}
	return c.Code()
}

// InBand reports whether a codec's parameters are in its frames: it has no
// sequence header, or one that does not tell them, at least by some encoders.
func (c FourCC) InBand() bool {
	switch c {
	case AV1, VP8, VP9, MP3, AC3, EAC3:
		return true
	}
	return false
}

// Printable reports whether the code is four printable ASCII characters.
func (c FourCC) Printable() bool {
	for shift := 0; shift < 32; shift += 8 {
		if b := byte(c >> shift); b < ' ' || b > '~' {
			return false
		}
	}
	return true
}

// Code is the four characters.
func (c FourCC) Code() string {
	return string([]byte{byte(c >> 24), byte(c >> 16), byte(c >> 8), byte(c)})
}

func itoa(n uint8) string {
	if n >= 10 {
		return string([]byte{'0' + n/10%10, '0' + n%10})
	}
	return string([]byte{'0' + n})
}
