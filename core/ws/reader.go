package ws

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// ErrShort says that all bytes were taken and no event is complete: call again
// with more.
var ErrShort = errors.New("short WebSocket input")

// ProtocolError is a client's breach of RFC 6455 (or of our message limit):
// send a close frame with Code, then end the connection.
type ProtocolError struct {
	Code   Code   // the close code to send
	Reason string // what was wrong, for the close frame and the log
	Offset int64  // of the frame's first byte since the start of the Reader
}

func (e *ProtocolError) Error() string {
	return fmt.Sprintf("read WebSocket frame at byte %d: %s (close code %d)", e.Offset, e.Reason, e.Code)
}

// Event is one thing that a client said.
type Event struct {
	// Op is OpPing, OpPong, OpClose, or OpText and OpBinary for the end of a
	// message.
	Op Opcode
	// Payload is the application data of a ping or pong. It is valid until
	// the next call of the Reader.
	Payload []byte
	// Code is that of a close frame, CloseNoStatus when it had none.
	Code Code
	// Reason is that of a close frame.
	Reason string
	// Size is the length in bytes of a text or binary message over all its
	// fragments. Its content is skipped: a viewer has nothing to say.
	Size int64
}

// Reader takes a client's bytes as they come and gives events. It keeps the
// payload of a control frame in progress, at most MaxControl bytes, and
// nothing else. Text is not checked to be UTF-8, since it is not kept.
// Not safe for concurrent use: event-loop goroutine only.
type Reader struct {
	max     int64  // largest message in bytes
	offset  int64  // bytes of complete frames so far
	err     error  // once set, for ever
	closed  bool   // a close frame came: what follows is ignored
	message Opcode // of the message in fragments, 0 when there is none
	size    int64  // payload bytes of the message so far

	head  [ws.MaxHeaderSize]byte // the header in progress
	headN int
	frame ws.Header // the frame in progress, when inFrame
	in    bool      // the header is complete, the payload is not
	left  int64     // payload bytes of the frame still to come
	ctl   []byte    // payload of the control frame in progress; nil until the first
}

// NewReader returns a Reader for the bytes after the handshake. Messages over
// max bytes are refused with CloseTooBig as soon as a header announces them.
func NewReader(max int64) Reader { return Reader{max: max} }

// Next takes bytes from b up to the end of one event and returns it with the
// number of bytes taken. With ErrShort all of b was taken and kept where it
// matters: call again with the bytes that follow, never with the same ones.
// A *ProtocolError is final. After a close frame, bytes are taken and ignored
// (RFC 6455 section 5.5.1).
func (r *Reader) Next(b []byte) (Event, int, error) {
	n := 0
	for r.err == nil && !r.closed {
		if !r.in {
			n += r.takeHeader(b[n:])
			if r.err != nil || !r.in {
				break
			}
		}
		n += r.takePayload(b[n:])
		if r.left > 0 {
			break
		}
		if ev, ok := r.endFrame(); ok {
			return ev, n, nil
		}
	}
	if r.err != nil {
		return Event{}, n, r.err
	}
	return Event{}, len(b), ErrShort
}

// takeHeader moves bytes of b into the header in progress; when the header is
// complete it is checked and the Reader is in its frame.
func (r *Reader) takeHeader(b []byte) int {
	taken := 0
	for r.headN < r.headSize() {
		if taken == len(b) {
			return taken
		}
		r.head[r.headN] = b[taken]
		r.headN++
		taken++
	}
	h, err := ws.ReadHeader(bytes.NewReader(r.head[:r.headN]))
	if err != nil {
		r.fail(CloseProtocol, err.Error())
		return taken
	}
	r.begin(h)
	return taken
}

// headSize is the size of the header in progress as its first two bytes tell,
// 2 while they are not there.
func (r *Reader) headSize() int {
	if r.headN < 2 {
		return 2
	}
	n := 2
	switch r.head[1] & 0x7F {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if r.head[1]&0x80 != 0 {
		n += 4
	}
	return n
}

// begin checks a complete header against the rules and the state of the
// message, and enters its frame.
func (r *Reader) begin(h ws.Header) {
	state := ws.StateServerSide
	if r.message != 0 {
		state = state.Set(ws.StateFragmented)
	}
	if err := ws.CheckHeader(h, state); err != nil {
		r.fail(CloseProtocol, err.Error())
		return
	}
	// "The minimal number of bytes MUST be used to encode the length."
	if ws.HeaderSize(h) != r.headN {
		r.fail(CloseProtocol, "payload length is not in its shortest form")
		return
	}
	if h.OpCode.IsData() && !r.beginData(h) {
		return
	}
	r.frame, r.in, r.left = h, true, h.Length
	r.ctl = r.ctl[:0]
}

func (r *Reader) beginData(h ws.Header) bool {
	if h.OpCode != OpContinuation {
		r.message, r.size = h.OpCode, 0
	}
	// Compared by subtraction: a sum of lengths from the wire could overflow.
	if h.Length > r.max-r.size {
		r.fail(CloseTooBig, fmt.Sprintf("message is longer than %d bytes", r.max))
		return false
	}
	r.size += h.Length
	return true
}

// takePayload takes what b holds of the frame's payload; only a control
// frame's is kept.
func (r *Reader) takePayload(b []byte) int {
	n := int(min(int64(len(b)), r.left))
	if r.frame.OpCode.IsControl() {
		r.ctl = append(r.ctl, b[:n]...)
	}
	r.left -= int64(n)
	return n
}

// endFrame leaves a complete frame and returns its event, if it makes one.
func (r *Reader) endFrame() (Event, bool) {
	ev, ok := r.event()
	r.offset += int64(r.headN) + r.frame.Length
	r.in, r.headN = false, 0
	return ev, ok
}

func (r *Reader) event() (Event, bool) {
	if r.frame.OpCode.IsData() {
		return r.dataEvent()
	}
	ws.Cipher(r.ctl, r.frame.Mask, 0)
	if r.frame.OpCode == OpClose {
		return r.closeEvent()
	}
	return Event{Op: r.frame.OpCode, Payload: r.ctl}, true
}

func (r *Reader) dataEvent() (Event, bool) {
	if !r.frame.Fin {
		return Event{}, false
	}
	ev := Event{Op: r.message, Size: r.size}
	r.message, r.size = 0, 0
	return ev, true
}

// closeEvent reads the body of a close frame, RFC 6455 section 5.5.1: nothing,
// or a code of two bytes and a reason in UTF-8.
func (r *Reader) closeEvent() (Event, bool) {
	if len(r.ctl) == 0 {
		r.closed = true
		return Event{Op: OpClose, Code: CloseNoStatus}, true
	}
	if len(r.ctl) == 1 {
		r.fail(CloseProtocol, "close frame with half a code")
		return Event{}, false
	}
	code := Code(binary.BigEndian.Uint16(r.ctl))
	if !sendable(code) {
		r.fail(CloseProtocol, fmt.Sprintf("close code %d must not be sent", code))
		return Event{}, false
	}
	if !utf8.Valid(r.ctl[2:]) {
		r.fail(CloseInvalidData, "close reason is not UTF-8")
		return Event{}, false
	}
	r.closed = true
	return Event{Op: OpClose, Code: code, Reason: string(r.ctl[2:])}, true
}

// sendable reports whether an endpoint may put code in a close frame: those of
// RFC 6455 section 7.4.1 that are not reserved for local use, 1012 to 1014,
// which IANA registered later (gobwas does not know them), and the ranges of
// libraries and applications.
func sendable(code Code) bool {
	switch {
	case code >= 1000 && code <= 1003, code >= 1007 && code <= 1014:
		return true
	default:
		return code >= 3000 && code <= 4999
	}
}

func (r *Reader) fail(code Code, reason string) {
	r.err = &ProtocolError{Code: code, Reason: reason, Offset: r.offset}
}
