package httpflv

import (
	"errors"
	"net/http"
	"time"
)

// Refusal is an answer with a status and a reason in words, for which
// Responder.AppendRefusal makes the bytes.
type Refusal struct {
	Status int    // 4xx or 5xx
	Reason string // the body, a short text; a line feed is added
	// RetryAfter, if positive, becomes Retry-After in full seconds, rounded
	// up.
	RetryAfter time.Duration
	// Close ends the connection after the answer, even if the client would
	// keep it.
	Close bool
}

func badRequest(reason string) *Refusal {
	return &Refusal{Status: http.StatusBadRequest, Reason: reason}
}

// RefusalOf returns the answer to a head that ParseHead did not accept; err is
// ErrTooLarge or a *SyntaxError. The connection must be closed after it.
func RefusalOf(err error) Refusal {
	var syntax *SyntaxError
	switch {
	case errors.Is(err, ErrTooLarge):
		return Refusal{Status: http.StatusRequestHeaderFieldsTooLarge, Reason: "request head is too large", Close: true}
	case errors.As(err, &syntax):
		return Refusal{Status: syntax.Status, Reason: syntax.Reason, Close: true}
	}
	return Refusal{Status: http.StatusBadRequest, Reason: "malformed request", Close: true}
}
