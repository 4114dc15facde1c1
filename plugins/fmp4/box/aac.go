package box

import (
	"encoding/binary"
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg1audio"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"

	"github.com/millrace/millrace/core/media"
)

// ObjectTypeIndications (MP4 registration authority).
const (
	objectAAC  = 0x40
	objectMP3  = 0x6B // MPEG-1
	objectMP3L = 0x69 // MPEG-2: low sample rates
)

// parseAAC reads an AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1), which
// goes into esds as it is.
func parseAAC(b []byte) (*Codec, error) {
	var asc mpeg4audio.AudioSpecificConfig
	if err := asc.Unmarshal(b); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	c := &Codec{
		Kind: media.Audio, EntryType: "mp4a", Object: objectAAC, Specific: append([]byte(nil), b...),
		Rate: asc.SampleRate, Channels: aacChannels(asc), FrameSamples: 1024, SampleBits: 16,
	}
	if asc.FrameLengthFlag {
		c.FrameSamples = 960
	}
	kind := asc.Type
	if asc.ExtensionType != 0 {
		kind = asc.ExtensionType
	}
	c.Name = fmt.Sprintf("mp4a.40.%d", kind)
	return c, nil
}

// aacChannels is 2 where a program config element has the say: players read
// that, and a sample entry must hold something.
func aacChannels(asc mpeg4audio.AudioSpecificConfig) int {
	switch n := int(asc.ChannelConfig); {
	case n >= 1 && n <= 6:
		return n
	case n == 7:
		return 8
	}
	return 2
}

// parseMP3 reads the header of the first frame (ISO/IEC 11172-3, 2.4.1.3).
func parseMP3(frame []byte) (*Codec, error) {
	if frame == nil {
		return nil, ErrNeedFrame
	}
	var h mpeg1audio.FrameHeader
	if err := h.Unmarshal(frame); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	c := &Codec{
		Kind: media.Audio, EntryType: "mp4a", Name: "mp4a.6B", Object: objectMP3,
		Rate: h.SampleRate, Channels: 2, FrameSamples: h.SampleCount(), SampleBits: 16,
	}
	if h.MPEG2 {
		c.Name, c.Object = "mp4a.69", objectMP3L
	}
	if h.ChannelMode == mpeg1audio.ChannelModeMono {
		c.Channels = 1
	}
	return c, nil
}

// appendESDS makes the ES_Descriptor (ISO/IEC 14496-1, 7.2.6.5; 14496-14,
// 3.1.2). ES_ID is 0 in files.
func (c *Codec) appendESDS(dst []byte, bitrate uint32) []byte {
	dst, at := beginFull(dst, "esds", 0, 0)
	specific := 0
	if len(c.Specific) > 0 {
		specific = 5 + len(c.Specific)
	}
	dst = descriptor(dst, 3, 3+5+13+specific+5+1)
	dst = append(dst, 0, 0, 0)
	dst = descriptor(dst, 4, 13+specific)
	dst = append(dst, c.Object, 5<<2|1, 0, 0, 0) // streamType audio; bufferSizeDB
	dst = u32(u32(dst, bitrate), bitrate)
	if len(c.Specific) > 0 {
		dst = append(descriptor(dst, 5, len(c.Specific)), c.Specific...)
	}
	dst = append(descriptor(dst, 6, 1), 2) // SLConfig: MP4 file
	return end(dst, at)
}

// descriptor appends a tag and its size in four bytes, the form that all
// readers know.
func descriptor(dst []byte, tag byte, size int) []byte {
	return append(dst, tag, 0x80|byte(size>>21), 0x80|byte(size>>14), 0x80|byte(size>>7), byte(size&0x7F))
}

// parseOpus reads an OpusHead (RFC 7845, 5.1) into a dOps (Opus in ISOBMFF,
// 4.3.2), which has other byte order and no magic.
func parseOpus(b []byte) (*Codec, error) {
	const size = 19
	if len(b) < size || string(b[:8]) != "OpusHead" || b[8]>>4 != 0 {
		return nil, ErrConfig
	}
	channels, family := b[9], b[18]
	body := []byte{0, channels}
	body = u16(body, binary.LittleEndian.Uint16(b[10:]))
	body = u32(body, binary.LittleEndian.Uint32(b[12:]))
	body = u16(body, binary.LittleEndian.Uint16(b[16:]))
	body = append(body, family)
	if family != 0 {
		if len(b) < size+2+int(channels) {
			return nil, fmt.Errorf("%w: channel mapping cut short", ErrConfig)
		}
		body = append(body, b[size:size+2+int(channels)]...)
	}
	return &Codec{
		Kind: media.Audio, EntryType: "Opus", Name: "opus", ConfigBox: full("dOps", nil, body),
		Rate: 48000, Channels: int(channels), FrameSamples: 960, SampleBits: 16,
	}, nil
}

// parseFLAC reads the stream marker and STREAMINFO (RFC 9639, 8.2) into a dfLa
// (FLAC in ISOBMFF, 3.3.2); the marker may be missing.
func parseFLAC(b []byte) (*Codec, error) {
	const size = 34
	if len(b) >= 4 && string(b[:4]) == "fLaC" {
		b = b[4:]
	}
	if len(b) >= 4+size && b[0]&0x7F == 0 && b[1] == 0 && b[2] == 0 && b[3] == size {
		b = b[4:]
	}
	if len(b) < size {
		return nil, ErrConfig
	}
	b = b[:size]
	bits := binary.BigEndian.Uint64(b[10:])
	c := &Codec{
		Kind: media.Audio, EntryType: "fLaC", Name: "fLaC",
		Rate: int(bits >> 44), Channels: int(bits>>41&7) + 1, SampleBits: int(bits>>36&31) + 1,
		FrameSamples: int(binary.BigEndian.Uint16(b[2:])),
	}
	// 0x80: the last metadata block.
	c.ConfigBox = full("dfLa", []byte{0, 0, 0, 0, 0x80, 0, 0, size}, b)
	if c.FrameSamples == 0 {
		return nil, fmt.Errorf("%w: blocks of no samples", ErrConfig)
	}
	return c, nil
}
