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
	p := strings.Replace(r.pattern, streamPart, "{app}/{name}", 1)
	return strings.TrimSuffix(p, "{$}")
}

func (a *api) routes() []route {
	all := append([]route{
		{"GET", "/{$}", "this index", a.getIndex},
		{"GET", "/api/v1/streams", "all streams", a.getStreams},
		{"GET", "/api/v1/streams/{stream...}", "one stream; app may contain slashes", a.getStream},
		{"DELETE", "/api/v1/streams/{stream...}", "end its publisher; ?reason=", a.kickStream},
		{"GET", "/api/v1/clients", "all connections; ?role= ?app= ?name= ?protocol= narrow the list", a.getClients},
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
	mux, trees := http.NewServeMux(), map[string]*tree{}
	for pattern, m := range byPattern {
		if before, below, ok := strings.Cut(pattern, streamPart); ok {
			treeAt(trees, before+streamPart).add(below, m)
			continue
		}
		mux.Handle(pattern, m)
	}
	for pattern, t := range trees {
		mux.Handle(pattern, t)
	}
	mux.HandleFunc("/", notFound)
	return mux
}

// streamPart is the part of a pattern that is "APP/NAME".
const streamPart = "{stream...}"

// tree serves a stream's path and what is below it: ServeMux has "{stream...}"
// at the end of a pattern only, since an app may contain slashes.
type tree struct {
	stream methods
	below  []branch
}

// branch serves "{stream...}/WORD/{KEY}".
type branch struct {
	word, key string
	methods   methods
}

func treeAt(all map[string]*tree, pattern string) *tree {
	if all[pattern] == nil {
		all[pattern] = &tree{}
	}
	return all[pattern]
}

func (t *tree) add(below string, m methods) {
	if below == "" {
		t.stream = m
		return
	}
	word, key, _ := strings.Cut(strings.Trim(below, "/"), "/")
	t.below = append(t.below, branch{word, strings.Trim(key, "{}"), m})
}

func (t *tree) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.PathValue("stream")
	rest, value, _ := cutLast(path)
	id, word, _ := cutLast(rest)
	for _, b := range t.below {
		// Two segments are left at least: the path of the stream app/WORD/x is
		// another one.
		if b.word == word && value != "" && strings.Contains(id, "/") {
			r.SetPathValue("stream", id)
			r.SetPathValue(b.key, value)
			b.methods.ServeHTTP(w, r)
			return
		}
	}
	if t.stream == nil {
		notFound(w, r)
		return
	}
	t.stream.ServeHTTP(w, r)
}

func cutLast(path string) (before, after string, found bool) {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i], path[i+1:], true
	}
	return "", path, false
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
