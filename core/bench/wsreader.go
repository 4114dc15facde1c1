package bench

import (
	"encoding/binary"
	"errors"

	"github.com/millrace/millrace/core/ws"
)

// errFrame is returned for what breaks RFC 6455, section 5.2.
var errFrame = errors.New("malformed WebSocket frame")

// wsReader takes a server's WebSocket frames apart.
type wsReader struct {
	head    []byte // of the frame in progress
	op      ws.Opcode
	left    uint64 // of its payload, in bytes
	inside  bool
	control []byte // payload of a control frame
}

// maxFrame bounds a frame's payload in bytes.
const maxFrame = 1 << 30

// take calls sink for each run of a data frame's bytes, and returns what is to
// be sent.
func (r *wsReader) take(b []byte, sink func([]byte) error) (reply []byte, err error) {
	for {
		if !r.inside {
			n, err := r.header(b)
			if b = b[n:]; err != nil || !r.inside {
				return reply, err
			}
		}
		n := int(min(r.left, uint64(len(b))))
		if err := r.payload(b[:n], sink); err != nil {
			return reply, err
		}
		b = b[n:]
		if r.left -= uint64(n); r.left > 0 {
			return reply, nil
		}
		if reply, err = r.end(reply); err != nil {
			return reply, err
		}
	}
}

// header takes bytes of a header, all that there is of it.
func (r *wsReader) header(b []byte) (n int, err error) {
	for ; len(r.head) < r.headSize(); n++ {
		if n == len(b) {
			return n, nil
		}
		r.head = append(r.head, b[n])
	}
	const fixed = 0x70 // RSV bits; no extension was agreed on
	r.op, r.left = ws.Opcode(r.head[0]&0x0F), uint64(r.head[1])
	switch len(r.head) {
	case 4:
		r.left = uint64(binary.BigEndian.Uint16(r.head[2:]))
	case 10:
		r.left = binary.BigEndian.Uint64(r.head[2:])
	}
	// "A server MUST NOT mask any frames" (section 5.1).
	if r.head[0]&fixed != 0 || r.head[1]&0x80 != 0 || r.left > maxFrame || r.op.IsControl() && r.left > ws.MaxControl {
		return n, errFrame
	}
	r.inside, r.head = true, r.head[:0]
	return n, nil
}

func (r *wsReader) headSize() int {
	if len(r.head) < 2 {
		return 2
	}
	switch r.head[1] & 0x7F {
	case 126:
		return 4
	case 127:
		return 10
	}
	return 2
}

func (r *wsReader) payload(b []byte, sink func([]byte) error) error {
	if r.op.IsControl() {
		r.control = append(r.control, b...)
		return nil
	}
	if len(b) == 0 {
		return nil
	}
	return sink(b)
}

// end ends a frame.
func (r *wsReader) end(reply []byte) ([]byte, error) {
	r.inside = false
	switch r.op {
	case ws.OpPing:
		reply = ws.AppendMasked(reply, ws.OpPong, true, r.control, [4]byte{1, 2, 3, 4})
	case ws.OpClose:
		return reply, errEnded
	}
	r.control = r.control[:0]
	return reply, nil
}
