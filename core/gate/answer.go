package gate

import (
	"context"
	"errors"
	"net/http"

	"golang.org/x/time/rate"

	"github.com/millrace/millrace/core/web"
)

var _ web.Answer = (*answer)(nil)

// answer accompanies the answer to one request of a session's, or to one
// without a session that has a rate.
type answer struct {
	gate    *Gate
	request *http.Request
	session *session      // nil: none
	limiter *rate.Limiter // of the request; nil: none
}

var errOver = errors.New("the viewing session has ended")

// Rewrites is so in a session: its id goes into playlists.
func (a *answer) Rewrites() bool { return a.session != nil }

// Send waits for the rates of the request and of the session.
func (a *answer) Send(ctx context.Context, n int) (int, error) {
	limiters := []*rate.Limiter{a.limiter, nil}
	if s := a.session; s != nil {
		limiters[1] = s.limiter
	}
	for _, l := range limiters {
		if l != nil {
			n = min(n, l.Burst())
		}
	}
	for _, l := range limiters {
		if l == nil {
			continue
		}
		if err := l.WaitN(ctx, n); err != nil {
			return 0, err
		}
	}
	if s := a.session; s != nil {
		if s.over.Load() != nil {
			return 0, errOver
		}
		s.bytes.Add(uint64(n))
	}
	return n, nil
}

// End is the end of the request.
func (a *answer) End() {
	if a.session != nil {
		a.gate.leave(a.session)
	}
}
