package admin

import (
	"fmt"
	"log/slog"
	"net/http"
	"path"
)

// api answers the routes. It holds no state of its own.
type api struct {
	server   Server
	version  string
	draining func() bool
	log      *slog.Logger
	metrics  http.Handler
	more     []Endpoint
}

// Handler is what [Admin] serves, for tests and for other listeners.
//
// With a token everything but /healthz needs it. Without one, o.Listen must
// name a loopback address (anything else, "" included, is refused with 403),
// and requests that a foreign page could cause in a browser are refused: a
// Host that is not loopback or o.Listen's, and cross-origin requests that
// change something or take a profile.
func Handler(o Options) http.Handler {
	o = o.withDefaults()
	return newHandler(o, newGuard(o.Token, o.Listen))
}

func newHandler(o Options, g *guard) http.Handler {
	a := &api{
		server:   o.Server,
		version:  o.Version,
		draining: o.Draining,
		log:      o.Logger,
		metrics:  metricsHandler(o.Server, o.Version, o.Logger, o.Collectors),
		more:     o.Endpoints,
	}
	mux := newMux(a.routes())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if no := g.check(r); no != nil {
			if no.status == http.StatusUnauthorized {
				w.Header().Set("WWW-Authenticate", `Bearer realm="millrace"`)
			}
			writeError(w, no.status, no.reason)
			return
		}
		if !isClean(r.URL.Path) {
			notFound(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// isClean keeps ServeMux from redirecting, with a page for people, to the
// path that it thinks was meant.
func isClean(p string) bool {
	c := path.Clean(p)
	return p == c || p == c+"/"
}

func notFound(w http.ResponseWriter, r *http.Request) {
	writeError(w, http.StatusNotFound, fmt.Sprintf("no such path: %s", r.URL.Path))
}
