package message

import (
	"encoding/binary"
	"fmt"
)

// Events of [UserControl] (section 7.1.7).
const (
	StreamBegin      uint16 = 0
	StreamEOF        uint16 = 1
	StreamDry        uint16 = 2
	SetBufferLength  uint16 = 3
	StreamIsRecorded uint16 = 4
	PingRequest      uint16 = 6
	PingResponse     uint16 = 7
)

// UserControl is an event about a message stream, or a ping (section 6.2).
type UserControl struct {
	Event uint16
	// Value is the message stream id, or the timestamp in ms of a ping.
	Value uint32
	// BufferLength is in ms and belongs to SetBufferLength only.
	BufferLength uint32
}

// DecodeUserControl decodes a payload. Events that are not in the list keep
// their number and first value.
func DecodeUserControl(b []byte) (UserControl, error) {
	if len(b) < 6 {
		return UserControl{}, fmt.Errorf("decode user control: %w", ErrShort)
	}
	m := UserControl{Event: binary.BigEndian.Uint16(b), Value: binary.BigEndian.Uint32(b[2:])}
	if m.Event != SetBufferLength {
		return m, nil
	}
	if len(b) < 10 {
		return UserControl{}, fmt.Errorf("decode set buffer length: %w", ErrShort)
	}
	m.BufferLength = binary.BigEndian.Uint32(b[6:])
	return m, nil
}

// Type implements [Body].
func (UserControl) Type() uint8 { return TypeUserControl }

// Append implements [Body].
func (m UserControl) Append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, m.Event)
	dst = binary.BigEndian.AppendUint32(dst, m.Value)
	if m.Event == SetBufferLength {
		dst = binary.BigEndian.AppendUint32(dst, m.BufferLength)
	}
	return dst
}
