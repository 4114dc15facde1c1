package httpflv

import (
	"net/http"
	"net/url"
	"strings"
)

// setTarget parses the request target, RFC 9112 section 3.2.
func (h *Head) setTarget(target string, offset int) error {
	h.Target = target
	switch {
	case h.Method == http.MethodConnect:
		return &SyntaxError{Status: http.StatusNotImplemented, Reason: "CONNECT is not served", Offset: offset}
	case !isTarget(target):
		return bad(offset, "malformed request target")
	case target[0] == '/':
		return h.setOrigin(target, offset)
	case target == "*" && h.Method == http.MethodOptions:
		h.Path = "*"
		return nil
	}
	return h.setAbsolute(target, offset)
}

// isTarget refuses what would end the target for another recipient, white
// space (control characters are out already) and a fragment, which clients
// must keep to themselves. Bytes past ASCII are against RFC 3986 and pass all
// the same: curl sends a file name as it was typed.
func isTarget(s string) bool {
	return s != "" && !strings.ContainsAny(s, " \t#")
}

// setOrigin takes "/path?query".
func (h *Head) setOrigin(target string, offset int) error {
	escaped, query, _ := strings.Cut(target, "?")
	path, err := url.PathUnescape(escaped)
	if err != nil {
		return bad(offset, "malformed percent-encoding")
	}
	h.Path, h.RawQuery = path, query
	return nil
}

// setAbsolute takes "http://host/path?query", which clients send to proxies
// and "a server MUST accept" (RFC 9112 section 3.2.2). Its host goes before
// the Host field.
func (h *Head) setAbsolute(target string, offset int) error {
	u, err := url.ParseRequestURI(target)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return bad(offset, "malformed request target")
	}
	// "a recipient SHOULD parse for userinfo and treat its presence as an
	// error" (RFC 9110 section 4.2.4).
	if u.User != nil || u.Host == "" || !isHost(u.Host) {
		return bad(offset, "malformed host in the request target")
	}
	h.Host, h.Path, h.RawQuery = u.Host, u.Path, u.RawQuery
	if h.Path == "" {
		h.Path = "/"
	}
	return nil
}

// escapedPath is the path as sent, for what decoding hides.
func (h Head) escapedPath() string {
	path, _, _ := strings.Cut(h.Target, "?")
	return path
}
