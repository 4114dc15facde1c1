package amf

import (
	"errors"
	"fmt"
)

// What a decoder may return, wrapped; a [*SyntaxError] is the other case.
var (
	// ErrShort says that the bytes end inside a value.
	ErrShort = errors.New("value is cut short")
	// ErrDepth says that containers nest deeper than Limits.Depth.
	ErrDepth = errors.New("values nest too deep")
	// ErrValues says that there are more values than Limits.Values.
	ErrValues = errors.New("too many values")
	// ErrBytes says that references repeat more bytes than Limits.Bytes.
	ErrBytes = errors.New("references repeat too many bytes")
)

// SyntaxError is a value that breaks the format, or one that is refused.
type SyntaxError struct {
	Offset  int // bytes from the start of the input
	Problem string
}

// Error implements error.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("decode amf at offset %d: %s", e.Offset, e.Problem)
}
