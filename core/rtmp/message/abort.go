package message

import "encoding/binary"

// Abort tells the receiver to drop the message that is in progress on a chunk
// stream (section 5.4.2).
type Abort struct {
	ChunkStream uint32
}

// DecodeAbort decodes a payload.
func DecodeAbort(b []byte) (Abort, error) {
	id, err := u32("abort", b)
	return Abort{ChunkStream: id}, err
}

// Type implements [Body].
func (Abort) Type() uint8 { return TypeAbort }

// Append implements [Body].
func (m Abort) Append(dst []byte) []byte {
	return binary.BigEndian.AppendUint32(dst, m.ChunkStream)
}
