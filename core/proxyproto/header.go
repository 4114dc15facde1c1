// Package proxyproto tells who is behind a proxy: it parses the PROXY protocol
// header (versions 1 and 2) at the start of a connection, and finds the
// client's address in the header fields that HTTP proxies add. Bytes in,
// values out: no sockets, no goroutines, no clock.
//
// The specification is HAProxy's doc/proxy-protocol.txt.
package proxyproto

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
)

// Errors that callers branch on.
var (
	// ErrShort says that the header is not complete: call again with more.
	ErrShort = errors.New("short PROXY protocol header")
	// ErrNone says that the bytes do not begin with a PROXY protocol
	// signature. Where the header is expected, the connection must be closed:
	// the receiver "MUST not try to guess whether the protocol header is
	// present or not" (section 2).
	ErrNone = errors.New("no PROXY protocol header")
)

// SyntaxError says what is wrong in a header that began with a signature. The
// connection must be closed.
type SyntaxError struct {
	Reason string
	Offset int // of the wrong bytes, from the start of the connection
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("parse PROXY protocol header at byte %d: %s", e.Offset, e.Reason)
}

// Header is what a proxy says about the connection that it forwards.
type Header struct {
	// Source is the client's address and Destination the one that it dialled.
	// Both are invalid when the proxy does not say (UNKNOWN, LOCAL, UNSPEC,
	// UNIX): the connection's own addresses stand.
	Source, Destination netip.AddrPort
	// Local is true for a connection that the proxy made for itself, a health
	// check for example.
	Local bool
}

const (
	signature1 = "PROXY "
	signature2 = "\r\n\r\n\x00\r\nQUIT\n"
)

// Parse parses the header at the start of b, which holds a connection's first
// bytes, and returns its length in bytes. It needs no more of b than MaxLen
// bytes. The errors are ErrShort, ErrNone and *SyntaxError; n is 0 with each.
func Parse(b []byte) (h Header, n int, err error) {
	switch {
	case begins(b, signature1):
		return parse1(b)
	case begins(b, signature2):
		return parse2(b)
	}
	return Header{}, 0, ErrNone
}

// begins reports whether b begins with the signature, as far as b goes. The
// two signatures differ in the first byte, so that one byte decides.
func begins(b []byte, signature string) bool {
	n := min(len(b), len(signature))
	return bytes.Equal(b[:n], []byte(signature[:n]))
}
