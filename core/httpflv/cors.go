package httpflv

import "slices"

// CORS says which web pages may read our answers (the Fetch standard,
// "CORS protocol").
type CORS struct {
	// Origins is "*" alone for all, or a list of origins as browsers send
	// them ("https://example.org:8443", lower case, no path). Empty: none.
	Origins []string
}

// exposed are the fields of our answers that a page may read beside those
// which the Fetch standard always allows.
const exposed = "Content-Length, Content-Range, Date, ETag, Retry-After"

// Allow returns the value of Access-Control-Allow-Origin for a request's
// Origin, "" for none, and whether the answer depends on the Origin, so that
// caches must be told so by Vary.
func (c CORS) Allow(origin string) (value string, vary bool) {
	switch {
	case slices.Contains(c.Origins, "*"):
		return "*", false
	case origin != "" && slices.Contains(c.Origins, origin):
		return origin, true
	}
	return "", len(c.Origins) > 0
}

// appendTo appends the field lines that every answer to h carries.
func (c CORS) appendTo(dst []byte, h Head) []byte {
	allow, vary := c.Allow(h.Get("Origin"))
	if allow != "" {
		dst = appendField(dst, "Access-Control-Allow-Origin", allow)
		dst = appendField(dst, "Access-Control-Expose-Headers", exposed)
	}
	if vary {
		dst = appendField(dst, "Vary", "Origin")
	}
	return dst
}

// appendPreflight appends the field lines of the answer to a preflight beside
// those of appendTo. The fields that the page wants to send are all allowed:
// players let their users add any.
func (c CORS) appendPreflight(dst []byte, h Head) []byte {
	if allow, _ := c.Allow(h.Get("Origin")); allow == "" {
		return dst
	}
	dst = appendField(dst, "Access-Control-Allow-Methods", liveMethods)
	if want := h.Joined("Access-Control-Request-Headers"); want != "" && consistsOf(want, tokenMarks+", ") {
		dst = appendField(dst, "Access-Control-Allow-Headers", want)
	}
	// Chromium's private network access: a page on the Internet that plays
	// from a server on the local network asks first.
	if h.Get("Access-Control-Request-Private-Network") == "true" {
		dst = appendField(dst, "Access-Control-Allow-Private-Network", "true")
	}
	return appendField(dst, "Access-Control-Max-Age", "86400")
}
