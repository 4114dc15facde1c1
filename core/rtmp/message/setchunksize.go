package message

import (
	"encoding/binary"
	"fmt"
)

// SetChunkSize announces the sender's new chunk size (section 5.4.1).
type SetChunkSize struct {
	// Size is in bytes. The decoder does not judge it.
	Size uint32
}

// DecodeSetChunkSize decodes a payload.
func DecodeSetChunkSize(b []byte) (SetChunkSize, error) {
	n, err := u32("set chunk size", b)
	return SetChunkSize{Size: n}, err
}

// Type implements [Body].
func (SetChunkSize) Type() uint8 { return TypeSetChunkSize }

// Append implements [Body].
func (m SetChunkSize) Append(dst []byte) []byte {
	return binary.BigEndian.AppendUint32(dst, m.Size)
}

// u32 reads the number that a protocol control message consists of. Bytes
// behind it are ignored.
func u32(what string, b []byte) (uint32, error) {
	if len(b) < 4 {
		return 0, fmt.Errorf("decode %s: %w", what, ErrShort)
	}
	return binary.BigEndian.Uint32(b), nil
}
