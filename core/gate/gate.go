// Package gate decides who may read playlists, segments and recordings, and
// counts who watches by them: one viewing session, one viewer.
//
// A session begins at the first request below a stream's folder and has
// on_play run once. Its id, signed, stands in the playlists that it is given,
// so that later requests are known by it; a request without one is known by
// who sends it. It ends three target durations after its last request.
package gate

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/web"
)

// Events takes the notices of viewers. It must not block.
type Events interface {
	Wants(name string) bool
	Notify(e *event.Event)
}

// Options are what a Gate works with.
type Options struct {
	// Logger takes a line for each session's begin and end, and for refusals.
	Logger *slog.Logger
	// Decider is asked about sessions and requests; nil: nobody is.
	Decider event.Decider
	// Events is told of viewers; nil: nobody is.
	Events Events
	// Trusted are the proxies that may tell a client's address in a header;
	// nil: none. Any goroutine.
	Trusted func() []netip.Prefix
	// Access is asked before anybody else, about files only: the place of
	// rules by path, signed links and tokens. nil: all may pass.
	Access func(r *http.Request) web.Decision
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

var _ web.Gate = (*Gate)(nil)

// Gate is a web.Gate. Its methods may be called from any goroutine.
type Gate struct {
	options Options
	log     *slog.Logger
	key     [32]byte // signs ids; of this process, as sessions are

	mu sync.Mutex
	// sessions are those that run, by id; by are the same by who watches. past
	// are those that ended, for players that come back from a pause.
	sessions, by, past map[string]*session
	bytes              map[string]uint64 // sent in those that ended, by protocol
	lists              map[string]listed // what is in lists, for whom

	listing chan struct{} // a place for each verdict that lists wait for
}

// New returns a Gate without sessions.
func New(o Options) *Gate {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Trusted == nil {
		o.Trusted = func() []netip.Prefix { return nil }
	}
	g := &Gate{
		options: o, log: o.Logger,
		sessions: make(map[string]*session), by: make(map[string]*session), past: make(map[string]*session),
		bytes: make(map[string]uint64), lists: make(map[string]listed),
		listing: make(chan struct{}, maxListing),
	}
	_, _ = rand.Read(g.key[:]) // it never fails
	return g
}

// decides reports whether anybody decides about events of a name.
func (g *Gate) decides(name string) bool {
	return g.options.Decider != nil && g.options.Decider.Wants(name)
}

// follows reports whether sessions are of interest to anybody.
func (g *Gate) follows() bool {
	return g.decides(event.Play) || g.decides(event.ViewerStart) || g.decides(event.Stop)
}

// Active reports whether anybody has rules for files, or wants to know who
// watches them. If not, playlists are served as they are.
func (g *Gate) Active() bool {
	return g.options.Access != nil || g.follows() || g.decides(event.Request)
}

// Check decides about a request.
func (g *Gate) Check(r *http.Request) web.Decision {
	f, isFile := placeOf(r.URL.Path)
	if len(r.URL.Path) > maxPath {
		return web.Decision{Status: http.StatusRequestURITooLong, Reason: "the path is too long"}
	}
	if isFile && g.options.Access != nil {
		if d := g.options.Access(r); d.Status != 0 || d.Redirect != "" {
			return d
		}
	}
	ev := g.event(r)
	a := &answer{gate: g, request: r}
	var d web.Decision
	if isFile && g.follows() {
		s, refusal := g.enter(r, f, ev)
		if s == nil {
			return refusal
		}
		a.session = s
		d.Path, d.Answer = s.pathOf(r.URL.Path), a
		ev.ClientID = s.id
	}
	if !g.decides(event.Request) {
		return d
	}
	if isFile {
		f.describe(&ev)
	}
	return g.checkRequest(r.Context(), ev, a, d)
}

// gone is for a client that did not wait for a verdict.
var gone = web.Decision{Status: http.StatusServiceUnavailable, Reason: "nobody waits for an answer"}

// checkRequest has on_request decide, and adds to d what it says.
func (g *Gate) checkRequest(ctx context.Context, ev event.Event, a *answer, d web.Decision) web.Decision {
	ev.Event = event.Request
	v, ok := g.askFor(ctx, ev)
	if !ok {
		a.End()
		return gone
	}
	if refusal := g.refusal(ev, v); refusal.Status != 0 || refusal.Redirect != "" {
		a.End()
		return refusal
	}
	d.Headers = v.Headers
	if v.Rate > 0 {
		a.limiter = web.NewLimiter(v.Rate)
		d.Answer = a
	}
	return d
}

// ask waits for a verdict, which is certain to come.
func (g *Gate) ask(ev event.Event) event.Verdict {
	v, _ := g.askFor(context.Background(), ev)
	return v
}

// askFor is ask for a client that may go before there is a verdict: false.
func (g *Gate) askFor(ctx context.Context, ev event.Event) (event.Verdict, bool) {
	verdict := make(chan event.Verdict, 1)
	g.options.Decider.Decide(&ev, func(v event.Verdict) { verdict <- v })
	select {
	case v := <-verdict:
		return v, true
	case <-ctx.Done():
		return event.Verdict{}, false
	}
}

// refusal is what a verdict means for the client, if it is not let pass.
func (g *Gate) refusal(ev event.Event, v event.Verdict) web.Decision {
	switch {
	case v.Redirect != "":
		return web.Decision{Redirect: v.Redirect}
	case v.Allow:
		return web.Decision{}
	}
	attrs := []any{"event", ev.Event, "path", ev.Path, event.RemoteAddr, ev.RemoteAddr, event.Reason, v.Reason}
	if v.Err != nil {
		attrs = append(attrs, "hook_error", v.Err.Error())
	}
	g.log.Warn("refused by a hook", attrs...)
	return web.Decision{Status: http.StatusForbidden, Reason: v.Reason}
}
