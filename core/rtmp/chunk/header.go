package chunk

import "encoding/binary"

// maxHeader is the longest chunk header: 3 bytes of basic header, 11 of
// message header, 4 of extended timestamp.
const maxHeader = 18

// extended in the 24-bit timestamp field says that 32 bits follow (section
// 5.3.1.3).
const extended = 0xFFFFFF

// header is a chunk header without the extended timestamp that may follow a
// type 3 header.
type header struct {
	format   uint8
	csid     uint32
	extended bool
	field    uint32 // timestamp (type 0) or delta, the extended one if there is one
	length   uint32
	typ      uint8
	streamID uint32
}

var messageHeaderSize = [4]int{11, 7, 3, 0}

// parseHeader reads a header and returns its length, 0 if b is too short.
func parseHeader(b []byte) (h header, n int) {
	if len(b) == 0 {
		return h, 0
	}
	h.format, h.csid, n = b[0]>>6, uint32(b[0]&63), 1
	if h.csid < 2 {
		if n = 2 + int(h.csid); len(b) < n {
			return h, 0
		}
		h.csid = longID(b[:n])
	}
	b = b[n:]
	size := messageHeaderSize[h.format]
	if size == 0 {
		return h, n
	}
	if len(b) < size || !h.parseMessage(b, size) {
		return h, 0
	}
	if h.extended {
		size += 4
	}
	return h, n + size
}

// longID reads a basic header of 2 or 3 bytes (section 5.3.1.1).
func longID(b []byte) uint32 {
	id := 64 + uint32(b[1])
	if len(b) == 3 {
		id += uint32(b[2]) << 8
	}
	return id
}

// parseMessage reads a message header (section 5.3.1.2) of size bytes, and
// reports whether its extended timestamp is there.
func (h *header) parseMessage(b []byte, size int) bool {
	h.field = u24(b)
	if size >= 7 {
		h.length, h.typ = u24(b[3:]), b[6]
	}
	if size == 11 {
		// "Message stream ID is stored in little-endian format."
		h.streamID = binary.LittleEndian.Uint32(b[7:])
	}
	if h.field != extended {
		return true
	}
	if len(b) < size+4 {
		return false
	}
	h.extended, h.field = true, binary.BigEndian.Uint32(b[size:])
	return true
}

func u24(b []byte) uint32 { return uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2]) }
