package admin

import (
	"net/http"
	"unicode/utf8"
)

const (
	defaultReason = "kicked by the operator"
	// maxReason is what a WebSocket close frame has room for: 125 bytes, of
	// which the status code takes 2 (RFC 6455 section 5.5).
	maxReason = 123
)

// kickReason is ?reason= or a default. False: it was refused, and answered.
func kickReason(w http.ResponseWriter, r *http.Request) (string, bool) {
	reason := r.URL.Query().Get("reason")
	if reason == "" {
		return defaultReason, true
	}
	if len(reason) > maxReason || !utf8.ValidString(reason) {
		writeError(w, http.StatusBadRequest, "reason must be at most 123 bytes of UTF-8")
		return "", false
	}
	return reason, true
}
