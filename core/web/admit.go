package web

import (
	"context"
	"io"
	"net/http"
	"time"

	"golang.org/x/time/rate"
)

// Admission is what Options.Admit says of a connection, for Options.Tunnel.
type Admission interface {
	// Rate is how many bytes a second may be sent on it; 0: any.
	Rate() int64
	// Left is how long it may last from now; 0: for ever.
	Left() time.Duration
	// Idle is how long it may rest between requests; 0: as long as any.
	Idle() time.Duration
}

// guest is a visitor where nothing is said of one.
var guest = &visitor{ok: true}

// admit returns who sends r, with what was said of the connection; nil if it
// was refused: the client was answered then, and its connection ends.
func (s *Server) admit(w http.ResponseWriter, r *http.Request) *visitor {
	v, ok := r.Context().Value(visitorKey{}).(*visitor)
	if !ok || s.opts.Admit == nil {
		return guest // a loop has asked
	}
	v.once.Do(func() {
		if v.admission, v.reason, v.ok = s.opts.Admit(r); v.ok {
			v.bound()
		}
	})
	if !v.ok {
		w.Header().Set("Connection", "close")
		fail(w, http.StatusForbidden, "%s", v.reason)
		return nil
	}
	return v
}

// NewLimiter lets through so many bytes a second, some of them at once.
func NewLimiter(bytes int64) *rate.Limiter {
	return rate.NewLimiter(rate.Limit(bytes), int(min(max(bytes/10, 1), maxBurst)))
}

// maxBurst is how much of what has a rate is sent at once, in bytes.
const maxBurst = 64 << 10

// paced sends no faster than its limiter allows.
type paced struct {
	io.Writer
	ctx     context.Context
	limiter *rate.Limiter
}

// pacedBy is w at the visitor's rate.
func (v *visitor) pacedBy(ctx context.Context, w io.Writer) io.Writer {
	if v.limiter == nil {
		return w
	}
	return paced{w, ctx, v.limiter}
}

// Write is io.Writer's.
func (p paced) Write(b []byte) (sent int, err error) {
	for len(b) > 0 {
		n := min(len(b), p.limiter.Burst())
		if err := p.limiter.WaitN(p.ctx, n); err != nil {
			return sent, err
		}
		some, err := p.Writer.Write(b[:n])
		if sent += some; err != nil {
			return sent, err
		}
		b = b[n:]
	}
	return sent, nil
}

// pacedResponse is paced, for answers.
type pacedResponse struct {
	http.ResponseWriter
	body io.Writer
}

// respond is w at the visitor's rate.
func (v *visitor) respond(w http.ResponseWriter, r *http.Request) http.ResponseWriter {
	if v.limiter == nil {
		return w
	}
	return pacedResponse{w, v.pacedBy(r.Context(), w)}
}

// Write is io.Writer's.
func (p pacedResponse) Write(b []byte) (int, error) { return p.body.Write(b) }

// Unwrap leads http.ResponseController on.
func (p pacedResponse) Unwrap() http.ResponseWriter { return p.ResponseWriter }
