package web

import (
	"net/http"

	"github.com/millrace/millrace/core/httpflv"
)

// setCORS lets pages of the allowed origins read the answer.
func setCORS(h http.Header, allowed []string, origin string) (ok bool) {
	value, vary := httpflv.CORS{Origins: allowed}.Allow(origin)
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
