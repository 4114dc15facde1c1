package box

import "encoding/binary"

// Boxes are appended to a slice: begin leaves room for the size, end fills it
// in (ISO/IEC 14496-12, 4.2).

func begin(dst []byte, kind string) ([]byte, int) {
	at := len(dst)
	return append(append(dst, 0, 0, 0, 0), kind...), at
}

// beginFull begins a FullBox (4.2): version in the highest byte, then flags.
func beginFull(dst []byte, kind string, version byte, flags uint32) ([]byte, int) {
	dst, at := begin(dst, kind)
	return u32(dst, uint32(version)<<24|flags), at
}

func end(dst []byte, at int) []byte {
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at))
	return dst
}

func u16(dst []byte, v uint16) []byte { return binary.BigEndian.AppendUint16(dst, v) }
func u32(dst []byte, v uint32) []byte { return binary.BigEndian.AppendUint32(dst, v) }
func u64(dst []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(dst, v) }

func zeros(dst []byte, n int) []byte { return append(dst, make([]byte, n)...) }
