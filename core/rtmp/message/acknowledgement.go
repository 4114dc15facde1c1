package message

import "encoding/binary"

// Acknowledgement reports how much was received so far (section 5.4.3).
type Acknowledgement struct {
	// Sequence is in bytes, modulo 2^32.
	Sequence uint32
}

// DecodeAcknowledgement decodes a payload.
func DecodeAcknowledgement(b []byte) (Acknowledgement, error) {
	n, err := u32("acknowledgement", b)
	return Acknowledgement{Sequence: n}, err
}

// Type implements [Body].
func (Acknowledgement) Type() uint8 { return TypeAcknowledgement }

// Append implements [Body].
func (m Acknowledgement) Append(dst []byte) []byte {
	return binary.BigEndian.AppendUint32(dst, m.Sequence)
}
