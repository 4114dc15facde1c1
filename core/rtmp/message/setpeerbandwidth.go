package message

import (
	"encoding/binary"
	"fmt"
)

// Limit types of [SetPeerBandwidth].
const (
	LimitHard    uint8 = 0
	LimitSoft    uint8 = 1
	LimitDynamic uint8 = 2
)

// SetPeerBandwidth limits what the receiver may have sent without an
// acknowledgement (section 5.4.5).
type SetPeerBandwidth struct {
	// Size is in bytes.
	Size  uint32
	Limit uint8
}

// DecodeSetPeerBandwidth decodes a payload.
func DecodeSetPeerBandwidth(b []byte) (SetPeerBandwidth, error) {
	if len(b) < 5 {
		return SetPeerBandwidth{}, fmt.Errorf("decode set peer bandwidth: %w", ErrShort)
	}
	return SetPeerBandwidth{Size: binary.BigEndian.Uint32(b), Limit: b[4]}, nil
}

// Type implements [Body].
func (SetPeerBandwidth) Type() uint8 { return TypeSetPeerBandwidth }

// Append implements [Body].
func (m SetPeerBandwidth) Append(dst []byte) []byte {
	return append(binary.BigEndian.AppendUint32(dst, m.Size), m.Limit)
}
