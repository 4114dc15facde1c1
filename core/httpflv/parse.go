package httpflv

import (
	"net/http"
	"strconv"
	"strings"
)

// ParseHead parses the request head at the start of b and returns its length
// in bytes, the empty line included; what follows in b is the body or the next
// request. The head must end within limit bytes. The errors are ErrShort,
// ErrTooLarge and *SyntaxError; n is 0 with each.
//
// Bytes that no head can hold (a TLS or RTMP handshake, a line that ends in a
// bare LF) are refused as soon as they are there; the rest is judged when the
// head is complete. Nothing is kept between calls.
func ParseHead(b []byte, limit int) (h Head, n int, err error) {
	n, err = headEnd(b[:min(len(b), limit)])
	if err == ErrShort && len(b) >= limit {
		err = ErrTooLarge
	}
	if err != nil {
		return Head{}, 0, err
	}
	if h, err = parseHead(string(b[:n])); err != nil {
		return Head{}, 0, err
	}
	return h, n, nil
}

// headEnd returns the length of the head. Control characters are refused
// wherever they stand: a recipient that takes a bare CR or LF for the end of a
// line, or NUL for the end of a string, sees another request than we do
// (RFC 9112 sections 2.2 and 11.2). Only HTAB may stand in a field's value.
func headEnd(b []byte) (int, error) {
	line := 0 // where the current line starts
	for i, c := range b {
		if c >= ' ' && c != 0x7F || c == '\t' {
			continue
		}
		switch {
		case c == '\n' && i > 0 && b[i-1] == '\r':
			if i == line+1 {
				return i + 1, nil
			}
			line = i + 1
		case c == '\r' && (i+1 == len(b) || b[i+1] == '\n'):
		case c == '\r' || c == '\n':
			return 0, bad(i, "line does not end in CR LF")
		default:
			return 0, bad(i, "control character")
		}
	}
	return 0, ErrShort
}

// parseHead parses a complete head, whose lines headEnd has seen.
func parseHead(s string) (Head, error) {
	line, rest, _ := strings.Cut(s, "\r\n")
	h := Head{}
	if err := h.setRequestLine(line); err != nil {
		return h, err
	}
	h.fields = fields(strings.TrimSuffix(rest, "\r\n"))
	if err := h.fields.check(len(line) + 2); err != nil {
		return h, err
	}
	if err := h.setHost(); err != nil {
		return h, err
	}
	if err := h.setBody(); err != nil {
		return h, err
	}
	// RFC 9112 section 9.3: close wins; then 1.1 persists, and 1.0 does if it
	// says so.
	h.KeepAlive = !h.HasToken("Connection", "close") &&
		(h.Minor == 1 || h.HasToken("Connection", "keep-alive"))
	return h, nil
}

// setRequestLine parses "method SP request-target SP HTTP-version".
func (h *Head) setRequestLine(line string) error {
	method, rest, _ := strings.Cut(line, " ")
	if !isToken(method) {
		return bad(0, "malformed method")
	}
	target, version, found := strings.Cut(rest, " ")
	if !found {
		return bad(len(method)+1, "malformed request line")
	}
	h.Method = method
	if err := h.setVersion(version, len(line)-len(version)); err != nil {
		return err
	}
	return h.setTarget(target, len(method)+1)
}

func (h *Head) setVersion(version string, offset int) error {
	switch version {
	case "HTTP/1.1":
		h.Minor = 1
		return nil
	case "HTTP/1.0":
		return nil
	}
	digit := func(c byte) bool { return c >= '0' && c <= '9' }
	if len(version) == 8 && version[:5] == "HTTP/" && version[6] == '.' && digit(version[5]) && digit(version[7]) {
		return &SyntaxError{Status: http.StatusHTTPVersionNotSupported, Reason: "unsupported HTTP version", Offset: offset}
	}
	return bad(offset, "malformed HTTP version")
}

// setHost applies RFC 9112 section 3.2: "A server MUST respond with a 400 (Bad
// Request) status code to any HTTP/1.1 request message that lacks a Host header
// field and to any request message that contains more than one Host header
// field line or a Host header field with an invalid field value." The host of
// an absolute target goes before it.
func (h *Head) setHost() error {
	host, n := h.fields.first("Host")
	switch {
	case n == 0 && h.Minor == 1:
		return bad(0, "no Host")
	case n > 1:
		return bad(0, "more than one Host")
	case !isHost(host):
		return bad(0, "malformed Host")
	}
	if h.Host == "" {
		h.Host = host
	}
	return nil
}

// setBody finds out how the body is delimited (RFC 9112 section 6), and
// refuses every form that two recipients could read in two ways.
func (h *Head) setBody() error {
	length, lengths := h.fields.first("Content-Length")
	coding, codings := h.fields.first("Transfer-Encoding")
	switch {
	case lengths > 1:
		return bad(0, "more than one Content-Length")
	case lengths > 0 && codings > 0:
		return bad(0, "both Content-Length and Transfer-Encoding")
	case codings > 0 && h.Minor == 0:
		return bad(0, "Transfer-Encoding in HTTP/1.0")
	case codings > 1 || codings == 1 && !equalFold(coding, "chunked"):
		return &SyntaxError{Status: http.StatusNotImplemented, Reason: "unsupported Transfer-Encoding"}
	case codings == 1:
		h.Chunked, h.ContentLength = true, -1
		return nil
	case lengths == 0:
		return nil
	}
	n, err := strconv.ParseUint(length, 10, 63)
	if err != nil {
		return bad(0, "malformed Content-Length")
	}
	h.ContentLength = int64(n)
	return nil
}
