package box

import (
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/ac3"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/eac3"

	"github.com/millrace/millrace/core/media"
)

// parseAC3 makes a dac3 of the first frame (ETSI TS 102 366, F.4).
func parseAC3(frame []byte) (*Codec, error) {
	if frame == nil {
		return nil, ErrNeedFrame
	}
	var sync ac3.SyncInfo
	var info ac3.BSI
	if err := sync.Unmarshal(frame); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if len(frame) < 8 { // the parser below does not look
		return nil, fmt.Errorf("%w: frame cut short", ErrConfig)
	}
	if err := info.Unmarshal(frame[5:]); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	bits := uint32(sync.Fscod)<<22 | uint32(info.Bsid)<<17 | uint32(info.Bsmod)<<14 |
		uint32(info.Acmod)<<11 | flag(info.LfeOn)<<10 | uint32(sync.Frmsizecod>>1)<<5
	return &Codec{
		Kind: media.Audio, EntryType: "ac-3", Name: "ac-3",
		ConfigBox: full("dac3", nil, []byte{byte(bits >> 16), byte(bits >> 8), byte(bits)}),
		Rate:      sync.SampleRate(), Channels: info.ChannelCount(), FrameSamples: ac3.SamplesPerFrame, SampleBits: 16,
	}, nil
}

// parseEAC3 makes a dec3 of the first frame (ETSI TS 102 366, F.6), for one
// independent substream.
func parseEAC3(frame []byte) (*Codec, error) {
	if frame == nil {
		return nil, ErrNeedFrame
	}
	var sync eac3.SyncInfo
	if err := sync.Unmarshal(frame); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	rate, samples := sync.SampleRate(), 256*sync.NumBlocks()
	if rate <= 0 || samples <= 0 {
		return nil, ErrConfig
	}
	kbps := uint64(sync.FrameSize()) * 8 * uint64(rate) / uint64(samples) / 1000
	bits := min(kbps, 1<<13-1)<<27 | uint64(sync.Fscod)<<22 | uint64(sync.Bsid)<<17 |
		uint64(sync.Acmod)<<9 | uint64(flag(sync.Lfeon))<<8
	return &Codec{
		Kind: media.Audio, EntryType: "ec-3", Name: "ec-3",
		ConfigBox: full("dec3", nil, []byte{byte(bits >> 32), byte(bits >> 24), byte(bits >> 16), byte(bits >> 8), byte(bits)}),
		Rate:      rate, Channels: sync.ChannelCount(), FrameSamples: samples, SampleBits: 16,
	}, nil
}

func flag(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}
