package chunk

import (
	"errors"
	"fmt"
)

// What breaks the protocol, wrapped in a [*ProtocolError].
var (
	// ErrNoHeader says that a chunk stream starts with a chunk that has no
	// message length.
	ErrNoHeader = errors.New("first chunk of a chunk stream has no message length")
	// ErrChunkSize says that a chunk size is outside 1 to 0x7FFFFFFF.
	ErrChunkSize = errors.New("chunk size is out of range")
)

// ProtocolError is a peer's mistake in the chunk stream. Nothing more can be
// read from that peer.
type ProtocolError struct {
	// Op is what the reader did.
	Op string
	// Offset is the place in the stream, in bytes since the handshake.
	Offset int64
	Err    error
}

// Error implements error.
func (e *ProtocolError) Error() string {
	return fmt.Sprintf("%s at byte %d: %v", e.Op, e.Offset, e.Err)
}

// Unwrap gives the reason.
func (e *ProtocolError) Unwrap() error { return e.Err }

// LimitError says that a peer passed one of the [Limits]. Nothing more can be
// read from that peer.
type LimitError struct {
	// Key is the limit's name in the configuration.
	Key string
	// Limit is what is allowed, Value what the peer asked for.
	Limit, Value int
	// Offset is the place in the stream, in bytes since the handshake.
	Offset int64
}

// Error implements error.
func (e *LimitError) Error() string {
	return fmt.Sprintf("read chunk at byte %d: %d is more than %s (%d)", e.Offset, e.Value, e.Key, e.Limit)
}
