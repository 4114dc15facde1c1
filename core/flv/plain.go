package flv

import (
	"encoding/binary"

	"github.com/millrace/millrace/core/media"
)

// AppendPlain appends the header with which every viewer gets a part: that of
// classic FLV where it has a number for the codec, otherwise the enhanced one
// for a single track. mpegts.js reads avc1 and mp4a under their numbers only.
func AppendPlain(dst []byte, kind media.Kind, h Header) []byte {
	video := kind == media.Video
	switch {
	case h.Flags&media.Extra != 0:
		return appendEnhanced(dst, kind, h)
	case video && h.Codec == media.AVC:
		return append(dst, h.Type<<4|videoAVC, legacyPacket(h), byte(h.CTS>>16), byte(h.CTS>>8), byte(h.CTS))
	case !video && h.Codec == media.AAC:
		return append(dst, soundAAC<<4|15, legacyPacket(h))
	case !video && h.Codec == media.MP3:
		return append(dst, soundMP3<<4|15)
	}
	return appendEnhanced(dst, kind, h)
}

func appendEnhanced(dst []byte, kind media.Kind, h Header) []byte {
	packet := enhancedPacket(kind, h)
	if kind == media.Audio {
		dst = append(dst, soundExHeader<<4|packet)
	} else {
		dst = append(dst, 0x80|h.Type<<4|packet)
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(h.Codec))
	return appendCTS(dst, packet, kind, h)
}

// HasPlain reports whether there is such a header. Classic FLV has no end of
// sequence for audio, and no sequence header for MP3.
func HasPlain(kind media.Kind, h Header) bool {
	switch {
	case kind != media.Audio || h.Flags&media.Extra != 0:
		return true
	case h.Codec == media.AAC:
		return h.Flags&media.EndOfSequence == 0
	case h.Codec == media.MP3:
		return h.Flags&(media.EndOfSequence|media.Config) == 0
	}
	return true
}

// legacyPacket is AVCPacketType, or AACPacketType.
func legacyPacket(h Header) byte {
	switch {
	case h.Flags&media.Config != 0:
		return 0
	case h.Flags&media.EndOfSequence != 0:
		return 2
	}
	return 1
}

func enhancedPacket(kind media.Kind, h Header) byte {
	switch {
	case h.Flags&(media.Config|media.Extra) == media.Config|media.Extra:
		return packetTSStart
	case h.Flags&media.Extra != 0:
		return packetMetadata
	case h.Flags&media.Config != 0:
		return packetSequenceStart
	case h.Flags&media.EndOfSequence != 0:
		return packetSequenceEnd
	case kind == media.Video && hasCTS(h.Codec) && h.CTS == 0:
		return packetCodedFramesX
	}
	return packetCodedFrames
}

func appendCTS(dst []byte, packet byte, kind media.Kind, h Header) []byte {
	if kind == media.Video && packet == packetCodedFrames && hasCTS(h.Codec) {
		dst = append(dst, byte(h.CTS>>16), byte(h.CTS>>8), byte(h.CTS))
	}
	return dst
}

// AllHeader is the header with which viewers of all tracks get f, nil if it is
// the one that f has: track 0 is plain, others are OneTrack messages (Enhanced
// RTMP v2, "Multitrack Streaming"). The default track may be another than 0.
func AllHeader(f *media.Frame) []byte {
	if f.Kind == media.Data || f.Track == 0 && f.Nano == 0 {
		return nil
	}
	h := Header{Codec: f.Codec, Flags: f.Flags, CTS: f.CTS, Type: frameType(f)}
	packet := enhancedPacket(f.Kind, h)
	outer := packet
	multi := f.Track != 0
	if multi {
		outer = packetMultitrack
		if f.Kind == media.Audio {
			outer = packetAudioMultitrack
		}
	}
	dst := appendFirst(nil, f, h.Type, outer)
	if multi {
		dst = append(dst, multitrackOne<<4|packet)
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(f.Codec))
	if multi {
		dst = append(dst, f.Track)
	}
	return appendCTS(dst, packet, f.Kind, h)
}

// appendFirst appends the first byte of an enhanced header, with a ModEx
// between it and the packet type if the frame has an offset in ns.
func appendFirst(dst []byte, f *media.Frame, frameType, packet byte) []byte {
	head := byte(soundExHeader << 4)
	if f.Kind == media.Video {
		head = 0x80 | frameType<<4
	}
	if f.Nano == 0 {
		return append(dst, head|packet)
	}
	return append(dst, head|packetModEx, 2, byte(f.Nano>>16), byte(f.Nano>>8), byte(f.Nano), modExNano<<4|packet)
}

func frameType(f *media.Frame) byte {
	if f.Flags&(media.Keyframe|media.Config) != 0 {
		return frameKey
	}
	return 2
}

// IsHEVCConfig reports whether an AVC sequence header really holds a HEVC
// decoder configuration: OBS before 29.1 labels HEVC as AVC (ISO/IEC 14496-15,
// 5.3.3.1.2 and 8.3.3.1.2; told apart by their reserved bits).
func IsHEVCConfig(b []byte) bool {
	if len(b) < 23 || b[0] != 1 || b[4]&0xFC == 0xFC && b[5]&0xE0 == 0xE0 {
		return false
	}
	return b[13]&0xF0 == 0xF0 && b[15]&0xFC == 0xFC && b[16]&0xFC == 0xFC && b[17]&0xF8 == 0xF8 && b[18]&0xF8 == 0xF8
}
