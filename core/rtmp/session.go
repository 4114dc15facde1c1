// Package rtmp is the server's side of an RTMP connection (RTMP 1.0): bytes in,
// events and bytes out, without sockets, goroutines and clocks. A small client
// side for tests and load generators is [Client].
package rtmp

import (
	"errors"

	"github.com/millrace/millrace/core/rtmp/chunk"
	"github.com/millrace/millrace/core/rtmp/handshake"
	"github.com/millrace/millrace/core/rtmp/message"
)

// ErrNoVerdict is returned by Accept… and Reject… methods when the session
// does not wait for such a verdict, or no longer.
var ErrNoVerdict = errors.New("no such verdict is awaited")

// Session is the server's side of one connection: handshake, chunks, control
// messages and commands. It is fed bytes, asked for events, and gathers what
// is to be sent:
//
//	err := s.Feed(b)
//	for err == nil {
//		ev, e := s.Next()
//		…; until EventNone or an error
//	}
//	write(s.TakeOutput())
//
// After EventConnect, EventPublish and EventPlay nothing more is parsed until
// the verdict, and then Next is to be called again, also without a Feed. One
// stream per connection is published or played at a time; another is refused.
//
// A Session belongs to one goroutine: event-loop goroutine only.
type Session struct {
	wire
	opts  Options
	hs    *handshake.Server // nil when done
	err   error
	state State
	wait  *waiting // nil when no verdict is awaited

	app, query string // of connect
	capsEx     uint32 // what the client can do, of connect
	streams    uint16 // bit i: message stream i was created
	fcPublish  bool   // FCPublish came and waits for its answer
	current    uint32 // message stream that publishes or plays

	parts        message.Aggregate // that is being handed out
	bufferLength uint32
}

// NewSession returns a session before the first byte.
func NewSession(o Options) *Session {
	o = o.withDefaults()
	return &Session{
		wire: newWire(o.Limits, o.AMFDepth),
		opts: o,
		hs:   handshake.NewServer(o.Rand, o.Epoch),
	}
}

// State is where the session stands.
func (s *Session) State() State { return s.state }

// Waiting reports whether a verdict is awaited.
func (s *Session) Waiting() bool { return s.wait != nil }

// StreamID is the message stream that is published or played, if any.
func (s *Session) StreamID() uint32 { return s.current }

// BufferLength is what the player asked for with SetBufferLength, in ms.
func (s *Session) BufferLength() uint32 { return s.bufferLength }

// Ignored counts messages that were of no use: media on a stream that does not
// publish, unknown types, data that cannot be read.
func (s *Session) Ignored() uint64 { return s.ignored }

// Received is how many bytes were fed.
func (s *Session) Received() uint64 { return s.received }

// TakeOutput returns the bytes to send, nil if there are none. They belong to
// the caller, who also bounds what a peer that does not read may pile up.
func (s *Session) TakeOutput() []byte { return s.takeOutput() }

// Feed gives bytes to the session. It may refer to b until Next returns
// EventNone or an event that asks for a verdict. An error, which Next returns
// too, is final: that of the handshake, or that input piled up while a verdict
// was awaited.
func (s *Session) Feed(b []byte) error {
	s.received += uint64(len(b))
	if s.err != nil || s.state == Ended {
		return s.err
	}
	if s.hs != nil {
		b = s.shakeHands(b)
	}
	s.in.Feed(b)
	if s.wait != nil {
		s.keep()
	}
	return s.err
}

// shakeHands feeds the handshake and returns what is behind it.
func (s *Session) shakeHands(b []byte) []byte {
	n, out, done, err := s.hs.Feed(b)
	s.err = err
	s.out = append(s.out, out...)
	if done {
		s.hs = nil
		s.state = Connecting
	}
	return b[n:]
}

// keep keeps what cannot be parsed before a verdict.
func (s *Session) keep() {
	s.in.Keep()
	if n := s.in.Buffered(); n > s.opts.Pending {
		s.err = &chunk.LimitError{
			Key: "limits.connection_buffer", Limit: s.opts.Pending, Value: n, Offset: s.in.Offset(),
		}
	}
}

// Next returns the next event, EventNone if there is none. An error is final;
// it is one of the handshake, a *chunk.ProtocolError or a *chunk.LimitError.
func (s *Session) Next() (Event, error) {
	for s.err == nil && s.state != Ended {
		if ev := s.nextPart(); ev != nil {
			return ev, nil
		}
		if s.wait != nil {
			break
		}
		m, ok, err := s.in.Next()
		if err != nil {
			s.err = err
			break
		}
		if !ok {
			s.acknowledge()
			break
		}
		if ev := s.handle(m); ev != nil && s.err == nil {
			return ev, nil
		}
	}
	return EventNone{}, s.err
}

// fail ends the session with a peer's mistake.
func (s *Session) fail(op string, err error) {
	s.err = &chunk.ProtocolError{Op: op, Offset: s.in.Offset(), Err: err}
}

// end makes the session deaf.
func (s *Session) end() {
	s.state, s.wait, s.current = Ended, nil, 0
	s.parts = message.Aggregate{}
}
