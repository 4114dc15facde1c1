package bench

// Audio is AAC-LC, mono, 44.1 kHz: silence, with a stamp and filler in data
// stream elements (ISO/IEC 14496-3, 4.4.2.7), which decoders pass over.
const (
	sampleRate      = 44100
	samplesPerFrame = 1024
	audioBitrate    = 64_000
)

// aacHeader are the first bytes of tag data: AAC; rate, size and channels are
// always these (FLV 10.1, E.4.2.1).
const aacHeader = 0xAF

// silence is a single_channel_element without anything in it, and the end.
var silence = []byte{0x00, 0xC8, 0x00, 0x80, 0x23, 0x80}

// aacConfig is the tag data of the sequence header (AudioSpecificConfig: AAC
// LC, 44.1 kHz, one channel).
func aacConfig() []byte { return []byte{aacHeader, 0, 0x12, 0x08} }

// aacFrame is the tag data of a frame, size bytes in all if there is room for
// what it needs and one element holds the rest.
func aacFrame(size int) []byte {
	const (
		dataElement = 0x81 // id_syn_ele 4, instance 0, byte aligned
		most        = 255 + 255
	)
	data := emptyStamp()
	left := size - 2 - 2 - len(data) - len(silence)
	if len(data)+left >= 255 {
		left-- // its length takes two bytes
	}
	left = min(max(left, 0), most-len(data))
	data = append(data, make([]byte, left)...)
	b := []byte{aacHeader, 1, dataElement, byte(min(len(data), 255))}
	if len(data) >= 255 {
		b = append(b, byte(len(data)-255))
	}
	return append(append(b, data...), silence...)
}
