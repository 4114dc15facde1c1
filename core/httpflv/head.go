// Package httpflv is the HTTP/1.x front as an event loop needs it: the parser
// of request heads, what a head says about a live stream (HTTP-FLV and
// WebSocket-FLV), and the heads of our answers. Bytes in, values and bytes
// out: no sockets, no goroutines, no clock.
//
// Requests that are not for a live stream go to net/http with the very bytes
// that were parsed here. So this parser is the stricter of the two: whatever it
// accepts, net/http reads as the same request.
package httpflv

import (
	"errors"
	"fmt"
	"net/http"
)

// Errors that callers branch on.
var (
	// ErrShort says that the head is not complete: call again with more.
	ErrShort = errors.New("short HTTP request head")
	// ErrTooLarge says that the head does not end within the limit: answer
	// 431 and close.
	ErrTooLarge = errors.New("HTTP request head is too large")
)

// SyntaxError says what is wrong in a request head: answer with Status and
// close, as nobody can tell where the next request would begin.
type SyntaxError struct {
	Status int    // 400, 501 or 505
	Reason string // never contains bytes of the request
	Offset int    // of the wrong line or byte; 0 when the head as a whole is wrong
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("parse HTTP request head at byte %d: %s", e.Offset, e.Reason)
}

func bad(offset int, reason string) error {
	return &SyntaxError{Status: http.StatusBadRequest, Reason: reason, Offset: offset}
}

// Head is a request head (RFC 9112 section 3). Its strings are copies: it does
// not hold the buffer that it was parsed from. It is immutable.
type Head struct {
	Method   string
	Target   string // as sent
	Path     string // percent-decoded once, not cleaned; "*" for OPTIONS *
	RawQuery string // without the question mark
	Minor    int    // of the version HTTP/1.Minor: 0 or 1
	Host     string // of an absolute target, otherwise the Host field

	// ContentLength is the size of the body in bytes, 0 when none is
	// announced, -1 when it comes in chunks.
	ContentLength int64
	Chunked       bool
	// KeepAlive says that the client leaves the connection open for another
	// request: the rules of RFC 9112 section 9.3.
	KeepAlive bool

	fields fields
}

// Get returns the value of the first field line with the given name in any
// case, "" when there is none. It does not allocate.
func (h Head) Get(name string) string {
	value, _ := h.fields.first(name)
	return value
}

// Each calls f for each field line, in order.
func (h Head) Each(f func(name, value string)) {
	for rest := h.fields; len(rest) > 0; {
		var name, value string
		name, value, rest = rest.next()
		f(name, value)
	}
}

// Joined returns the values of all field lines with the given name, joined by
// commas, as RFC 9110 section 5.3 allows a recipient to do. It allocates only
// when there are several.
func (h Head) Joined(name string) string { return h.fields.joined(name) }

// HasToken reports whether the comma-separated lists in the fields with the
// given name hold token, both in any case. It does not allocate.
func (h Head) HasToken(name, token string) bool { return h.fields.hasToken(name, token) }

// HasBody reports whether the client announced a body, which follows the head.
func (h Head) HasBody() bool { return h.Chunked || h.ContentLength > 0 }
