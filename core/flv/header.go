// Package flv reads and writes FLV: the file header, the codec headers that
// FLV tags and RTMP messages share, and onMetaData (Adobe FLV and F4V 10.1,
// annex E).
package flv

import (
	"errors"

	"github.com/millrace/millrace/core/media"
)

// FileHeaderSize is the size of a file header with the PreviousTagSize0 that
// follows it, in bytes.
const FileHeaderSize = 13

// AppendFileHeader appends the FLV header and PreviousTagSize0 (E.2, E.3).
func AppendFileHeader(dst []byte, audio, video bool) []byte {
	var flags byte
	if audio {
		flags |= 4
	}
	if video {
		flags |= 1
	}
	return append(dst, 'F', 'L', 'V', 1, flags, 0, 0, 0, 9, 0, 0, 0, 0)
}

// Header is what the first bytes of an audio or video tag's data say.
type Header struct {
	Codec media.FourCC
	Flags media.Flags
	// CTS is the composition time offset in ms, Nano what is to be added to
	// the timestamp in ns.
	CTS  int32
	Nano uint32
	// Track is 0 unless the message names another.
	Track uint8
	// Type is the frame type of video: 1 for a keyframe, 2 for an inter frame…
	Type uint8
	// Size is the header's length in bytes; the coded media follows it.
	Size int
}

// Part is one track's share of a message.
type Part struct {
	Header
	// Enhanced: the header is one of Enhanced RTMP.
	Enhanced bool
	// Start and End bound the coded media in the message.
	Start, End int
}

// Split calls each for the tracks of a message: one, unless it is a Multitrack
// message of Enhanced RTMP v2. After an error nothing more of it is of use.
func Split(kind media.Kind, b []byte, each func(Part)) error {
	if len(b) > 0 && (kind == media.Audio && b[0]>>4 == soundExHeader || kind == media.Video && b[0]&0x80 != 0) {
		return splitEnhanced(kind, b, each)
	}
	h, err := ParseHeader(kind, b)
	if err != nil {
		return err
	}
	each(Part{Header: h, Start: h.Size, End: len(b)})
	return nil
}

// Errors of ParseHeader. The message is of no use to any viewer; the stream
// goes on without it.
var (
	ErrEmpty       = errors.New("empty media message")
	ErrTruncated   = errors.New("media message ends within its header")
	ErrCommand     = errors.New("video info or command frame")
	ErrUnsupported = errors.New("enhanced RTMP header")
)

// ParseHeader reads the header of the tag data of an audio or video tag
// (E.4.2.1, E.4.3.1).
func ParseHeader(kind media.Kind, b []byte) (Header, error) {
	if len(b) == 0 {
		return Header{}, ErrEmpty
	}
	parse := parseVideo
	if kind == media.Audio {
		parse = parseAudio
	}
	h, err := parse(b)
	// Some encoders send headers with nothing behind them. In force, such a
	// sequence header would take the real one from newcomers.
	if err == nil && h.Size == len(b) && h.Flags&media.EndOfSequence == 0 {
		return Header{}, ErrEmpty
	}
	return h, err
}

const (
	soundExHeader = 9
	soundAAC      = 10
	soundMP3      = 2
)

func parseAudio(b []byte) (Header, error) {
	switch id := b[0] >> 4; id {
	case soundExHeader:
		return Header{}, ErrUnsupported
	case soundMP3:
		return Header{Codec: media.MP3, Size: 1}, nil
	case soundAAC:
		if len(b) < 2 {
			return Header{}, ErrTruncated
		}
		h := Header{Codec: media.AAC, Size: 2}
		if b[1] == 0 {
			h.Flags = media.Config
		}
		return h, nil
	default:
		return Header{Codec: media.LegacyAudio(id), Size: 1}, nil
	}
}

// Frame types (E.4.3.1).
const (
	frameKey          = 1
	frameGeneratedKey = 4
	frameCommand      = 5
)

const (
	videoAVC  = 7
	videoHEVC = 12
)

func parseVideo(b []byte) (Header, error) {
	if b[0]&0x80 != 0 {
		return Header{}, ErrUnsupported
	}
	frameType, id := b[0]>>4, b[0]&15
	if frameType == frameCommand {
		return Header{}, ErrCommand
	}
	h := Header{Type: frameType}
	if frameType == frameKey || frameType == frameGeneratedKey {
		h.Flags = media.Keyframe
	}
	if id != videoAVC && id != videoHEVC {
		h.Codec, h.Size = media.LegacyVideo(id), 1
		return h, nil
	}
	return parseAVC(h, b)
}

// parseAVC reads AVCPacketType and CompositionTime (E.4.3.2).
func parseAVC(h Header, b []byte) (Header, error) {
	if len(b) < 5 {
		return Header{}, ErrTruncated
	}
	h.Codec, h.Size = media.AVC, 5
	if b[0]&15 == videoHEVC {
		h.Codec = media.HEVC // codec id 12, as Chinese CDNs agreed on
	}
	switch b[1] {
	case 0:
		h.Flags = media.Config
	case 2:
		h.Flags = media.EndOfSequence
	default:
		h.CTS = int32(uint32(b[2])<<24|uint32(b[3])<<16|uint32(b[4])<<8) >> 8
	}
	return h, nil
}
