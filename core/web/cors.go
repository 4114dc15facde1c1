package web

import (
	"net/http"
	"slices"
	"strings"
)

// AllowOrigin returns the Access-Control-Allow-Origin value for a request from
// origin ("" when it has none), or "" to send none, and whether the answer
// differs by origin, in which case it needs "Vary: Origin". It is exported so
// that live answers, which the event loop writes, follow the same rule.
func AllowOrigin(allowed []string, origin string) (value string, vary bool) {
	if slices.Contains(allowed, "*") {
		return "*", false
	}
	match := func(a string) bool { return strings.EqualFold(a, origin) }
	if origin != "" && slices.ContainsFunc(allowed, match) {
		return origin, true
	}
	return "", len(allowed) > 0
}

// setCORS lets pages of the allowed origins read the answer.
func setCORS(h http.Header, allowed []string, origin string) (ok bool) {
	value, vary := AllowOrigin(allowed, origin)
	if vary {
		h.Add("Vary", "Origin")
	}
	if value == "" {
		return false
	}
	h.Set("Access-Control-Allow-Origin", value)
	h.Set("Access-Control-Expose-Headers", "Content-Length, Content-Range, ETag")
	return true
}

// answerOptions answers OPTIONS on any path: what is allowed, and to a
// browser's preflight request (Fetch standard §3.2.2) that it may go on.
func answerOptions(w http.ResponseWriter, corsAllowed bool) {
	h := w.Header()
	h.Set("Allow", allowedMethods)
	if corsAllowed {
		h.Set("Access-Control-Allow-Methods", allowedMethods)
		h.Set("Access-Control-Allow-Headers", "Authorization, If-Range, Range")
		h.Set("Access-Control-Max-Age", "7200") // browsers cap it there
	}
	w.WriteHeader(http.StatusNoContent)
}
