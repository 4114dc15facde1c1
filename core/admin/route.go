package admin

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// route is one method of one path: how it is served, and the line that the
// index and README.md have about it.
type route struct {
	method  string
	pattern string // http.ServeMux's
	about   string
	serve   http.HandlerFunc
}

// path is the pattern as people write it.
func (r route) path() string {
	p := strings.Replace(r.pattern, "{stream...}", "{app}/{name}", 1)
	return strings.TrimSuffix(p, "{$}")
}

func (a *api) routes() []route {
	all := append([]route{
		{"GET", "/{$}", "this index", a.getIndex},
		{"GET", "/api/v1/streams", "all streams", a.getStreams},
		{"GET", "/api/v1/streams/{stream...}", "one stream; app may contain slashes", a.getStream},
		{"DELETE", "/api/v1/streams/{stream...}", "end its publisher; ?reason=", a.kickStream},
		{"GET", "/api/v1/clients", "all connections and viewing sessions of files; ?role= ?app= ?name= ?protocol= narrow the list", a.getClients},
		{"DELETE", "/api/v1/clients/{id}", "end one connection; ?reason=", a.kickClient},
		{"POST", "/api/v1/config/reload", "read the configuration again", a.reload},
		{"GET", "/api/v1/version", "version of the server", a.getVersion},
		{"GET", "/healthz", "200 ok, or 503 while the server drains; needs no token", a.getHealth},
		{"GET", "/metrics", "Prometheus metrics", a.metrics.ServeHTTP},
	}, pprofRoutes()...)
	for _, e := range a.more {
		all = append(all, e.route())
	}
	return all
}

// newMux answers what ServeMux would answer in text, a wrong method or an
// unknown path, in JSON.
func newMux(routes []route) *http.ServeMux {
	byPattern := map[string]methods{}
	for _, r := range routes {
		if byPattern[r.pattern] == nil {
			byPattern[r.pattern] = methods{}
		}
		byPattern[r.pattern][r.method] = r.serve
		if r.method == http.MethodGet {
			byPattern[r.pattern][http.MethodHead] = r.serve
		}
	}
	mux := http.NewServeMux()
	for pattern, m := range byPattern {
		mux.Handle(pattern, m)
	}
	mux.HandleFunc("/", notFound)
	return mux
}

// methods serves one path.
type methods map[string]http.HandlerFunc

func (m methods) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if serve, ok := m[r.Method]; ok {
		serve(w, r)
		return
	}
	// RFC 9110 section 15.5.6: the answer MUST list the allowed methods.
	allow := strings.Join(slices.Sorted(maps.Keys(m)), ", ")
	w.Header().Set("Allow", allow)
	writeError(w, http.StatusMethodNotAllowed, "method not allowed; this path takes "+allow)
}
