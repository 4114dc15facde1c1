// Package message holds the typed form of RTMP messages: protocol control,
// user control, commands, data and aggregates (RTMP 1.0, sections 5.4, 6 and
// 7). It sees payloads only; package chunk puts them on the wire.
//
// All functions are safe for concurrent use. Decoded values share no memory
// with the payload they came from, but for the parts of an [Aggregate].
package message

import "errors"

// Message types (RTMP 1.0, sections 5.4, 6.2 and 7.1).
const (
	TypeSetChunkSize     uint8 = 1
	TypeAbort            uint8 = 2
	TypeAcknowledgement  uint8 = 3
	TypeUserControl      uint8 = 4
	TypeWindowAckSize    uint8 = 5
	TypeSetPeerBandwidth uint8 = 6
	TypeAudio            uint8 = 8
	TypeVideo            uint8 = 9
	TypeDataAMF3         uint8 = 15
	TypeCommandAMF3      uint8 = 17
	TypeDataAMF0         uint8 = 18
	TypeCommandAMF0      uint8 = 20
	TypeAggregate        uint8 = 22
)

// ErrShort says that a payload ends before its message does. A payload is
// always whole here, so more bytes will not come.
var ErrShort = errors.New("message is cut short")

// Body is a message in typed form.
type Body interface {
	// Type is the message type that the payload travels under.
	Type() uint8
	// Append appends the payload to dst.
	Append(dst []byte) []byte
}
