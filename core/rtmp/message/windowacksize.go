package message

import "encoding/binary"

// WindowAckSize asks the receiver for an acknowledgement each time that many
// bytes have come (section 5.4.4).
type WindowAckSize struct {
	// Size is in bytes.
	Size uint32
}

// DecodeWindowAckSize decodes a payload.
func DecodeWindowAckSize(b []byte) (WindowAckSize, error) {
	n, err := u32("window acknowledgement size", b)
	return WindowAckSize{Size: n}, err
}

// Type implements [Body].
func (WindowAckSize) Type() uint8 { return TypeWindowAckSize }

// Append implements [Body].
func (m WindowAckSize) Append(dst []byte) []byte {
	return binary.BigEndian.AppendUint32(dst, m.Size)
}
