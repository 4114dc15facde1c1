package box

import (
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/eac3"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/opus"

	"github.com/millrace/millrace/core/media"
)

// Samples is how many audio samples a frame holds, at the codec's Rate. Where
// the frame does not tell, it is FrameSamples.
func (c *Codec) Samples(body []byte) int {
	n := 0
	switch c.FourCC {
	case media.Opus:
		n = int(opus.PacketDuration2(body))
	case media.FLAC:
		n = flacSamples(body)
	case media.EAC3:
		var sync eac3.SyncInfo
		if sync.Unmarshal(body) == nil {
			n = 256 * sync.NumBlocks()
		}
	}
	if n <= 0 {
		return c.FrameSamples
	}
	return n
}

// flacSamples is the block size in a frame's header, 0 if it is not FLAC
// (RFC 9639, 9.1.1).
func flacSamples(b []byte) int {
	if len(b) < 5 || b[0] != 0xFF || b[1]&0xFC != 0xF8 {
		return 0
	}
	code := int(b[2] >> 4)
	switch {
	case code == 1:
		return 192
	case code >= 2 && code <= 5:
		return 576 << (code - 2)
	case code >= 8:
		return 256 << (code - 8)
	}
	// The coded number, as long as its first byte says, comes between.
	at := 5
	for mask := byte(0x80); b[4]&0x80 != 0 && b[4]&(mask>>1) != 0 && mask > 2; mask >>= 1 {
		at++
	}
	switch {
	case code == 6 && len(b) > at:
		return int(b[at]) + 1
	case code == 7 && len(b) > at+1:
		return int(b[at])<<8 | int(b[at+1]) + 1
	}
	return 0
}
