package codec

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/ac3"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/eac3"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg1audio"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
)

// readAAC reads an AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1). With a
// program config element, which says it otherwise, the channels are unknown.
func readAAC(b []byte) (Parameters, error) {
	if len(b) == 0 {
		return Parameters{}, ErrMissing
	}
	var asc mpeg4audio.AudioSpecificConfig
	if err := asc.Unmarshal(b); err != nil {
		return Parameters{}, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	p := Parameters{SampleRate: asc.SampleRate, Channels: int(asc.ChannelConfig)}
	if asc.ChannelConfig == 7 {
		p.Channels = 8
	}
	// What is coded at half the rate, or in mono, is heard otherwise.
	if asc.ExtensionSampleRate > 0 {
		p.SampleRate = asc.ExtensionSampleRate
	}
	if asc.ExtensionType == mpeg4audio.ObjectTypePS {
		p.Channels = 2
	}
	return p, nil
}

// readOpus reads an OpusHead (RFC 7845, 5.1). Whatever the rate of its input,
// Opus is decoded at 48 kHz.
func readOpus(b []byte) (Parameters, error) {
	if len(b) < 19 || string(b[:8]) != "OpusHead" {
		return Parameters{}, ErrMissing
	}
	return Parameters{SampleRate: 48000, Channels: int(b[9])}, nil
}

// readFLAC reads STREAMINFO (RFC 9639, 8.2), with or without the stream's
// marker and the header of its block.
func readFLAC(b []byte) (Parameters, error) {
	const size = 34
	b = bytes.TrimPrefix(b, []byte("fLaC"))
	if len(b) >= 4+size && b[0]&0x7F == 0 && b[1] == 0 && b[2] == 0 && b[3] == size {
		b = b[4:]
	}
	if len(b) < size {
		return Parameters{}, ErrMissing
	}
	bits := binary.BigEndian.Uint64(b[10:])
	return Parameters{SampleRate: int(bits >> 44), Channels: int(bits>>41&7) + 1}, nil
}

// readMP3 reads a frame's header (ISO/IEC 11172-3, 2.4.1.3).
func readMP3(b []byte) (Parameters, error) {
	if len(b) == 0 {
		return Parameters{}, ErrMissing
	}
	var h mpeg1audio.FrameHeader
	if err := h.Unmarshal(b); err != nil {
		return Parameters{}, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	p := Parameters{SampleRate: h.SampleRate, Channels: 2}
	if h.ChannelMode == mpeg1audio.ChannelModeMono {
		p.Channels = 1
	}
	return p, nil
}

// readAC3 reads a frame's syncinfo and bsi (ETSI TS 102 366, 4.3).
func readAC3(b []byte) (Parameters, error) {
	const syncinfo, header = 5, 8
	if len(b) < header {
		return Parameters{}, ErrMissing
	}
	var sync ac3.SyncInfo
	if err := sync.Unmarshal(b); err != nil {
		return Parameters{}, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	var info ac3.BSI
	if err := info.Unmarshal(b[syncinfo:]); err != nil {
		return Parameters{}, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	return Parameters{SampleRate: sync.SampleRate(), Channels: info.ChannelCount()}, nil
}

// readEAC3 reads a frame's syncinfo and bsi (ETSI TS 102 366, E.1.2). Channels
// of dependent substreams are not counted.
func readEAC3(b []byte) (Parameters, error) {
	if len(b) == 0 {
		return Parameters{}, ErrMissing
	}
	var sync eac3.SyncInfo
	if err := sync.Unmarshal(b); err != nil {
		return Parameters{}, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	return Parameters{SampleRate: sync.SampleRate(), Channels: sync.ChannelCount()}, nil
}
