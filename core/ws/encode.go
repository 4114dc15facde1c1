package ws

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// MaxHeader is the size in bytes of the longest header that a server sends
// (it does not mask).
const MaxHeader = 10

// maxReason is what a close frame has left for its reason after the code.
const maxReason = MaxControl - 2

// AppendHeader appends the header of an unfragmented server frame with n bytes
// of payload to dst: FIN, unmasked, the length in the fewest bytes (RFC 6455
// section 5.2).
func AppendHeader(dst []byte, op Opcode, n int) []byte {
	var buf [MaxHeader]byte
	return append(dst, buf[:putHeader(&buf, op, n)]...)
}

// PutBinaryHeader writes the header of a binary server frame with n bytes of
// payload to the start of buf and returns the header's length: 2, 4 or 10. It
// does not allocate.
func PutBinaryHeader(buf *[MaxHeader]byte, n int) int {
	return putHeader(buf, OpBinary, n)
}

func putHeader(buf *[MaxHeader]byte, op Opcode, n int) int {
	const fin = 0x80
	buf[0] = fin | byte(op)
	switch {
	case n <= 125:
		buf[1] = byte(n)
		return 2
	case n <= 0xFFFF:
		buf[1] = 126
		binary.BigEndian.PutUint16(buf[2:], uint16(n))
		return 4
	default:
		buf[1] = 127
		binary.BigEndian.PutUint64(buf[2:], uint64(n))
		return 10
	}
}

// AppendPing appends a ping frame to dst. Payload past MaxControl bytes is
// left out.
func AppendPing(dst, payload []byte) []byte { return appendControl(dst, OpPing, payload) }

// AppendPong appends the answer to a ping to dst; payload is the ping's ("must
// have identical Application data", RFC 6455 section 5.5.3), which a Reader
// has held to MaxControl bytes.
func AppendPong(dst, payload []byte) []byte { return appendControl(dst, OpPong, payload) }

func appendControl(dst []byte, op Opcode, payload []byte) []byte {
	payload = payload[:min(len(payload), MaxControl)]
	return append(AppendHeader(dst, op, len(payload)), payload...)
}

// AppendClose appends a close frame to dst. The reason is cut to the 123 bytes
// that a close frame has for it, never inside a character. CloseNoStatus sends
// neither code nor reason, as that code must not be on the wire (RFC 6455
// section 7.4.1); it is the answer to a close frame without a code.
func AppendClose(dst []byte, code Code, reason string) []byte {
	if code == CloseNoStatus {
		return AppendHeader(dst, OpClose, 0)
	}
	reason = cutReason(reason)
	dst = AppendHeader(dst, OpClose, 2+len(reason))
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	return append(dst, reason...)
}

func cutReason(s string) string {
	if len(s) <= maxReason {
		return s
	}
	cut := maxReason
	for cut > maxReason-utf8.UTFMax && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut]
}

// AppendMasked appends a client's frame to dst: the header with FIN as given,
// the mask, and the payload under the mask (RFC 6455 section 5.3). Servers
// never send it; test clients and load generators do. The payload itself is
// not changed. A real client draws each mask from a strong source of entropy;
// that is the caller's part.
func AppendMasked(dst []byte, op Opcode, fin bool, payload []byte, mask [4]byte) []byte {
	var buf [MaxHeader]byte
	n := putHeader(&buf, op, len(payload))
	if !fin {
		buf[0] &^= 0x80
	}
	buf[1] |= 0x80
	dst = append(append(dst, buf[:n]...), mask[:]...)
	start := len(dst)
	dst = append(dst, payload...)
	ws.Cipher(dst[start:], mask, 0)
	return dst
}
