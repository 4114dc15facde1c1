package admin

import (
	"net/http"
	"net/http/pprof"
	runtimepprof "runtime/pprof"
)

// pprofRoutes serve net/http/pprof by name. Importing it also fills
// http.DefaultServeMux, which nothing here serves.
func pprofRoutes() []route {
	return []route{
		{"GET", "/debug/pprof/{$}", "index of the profiles", pprof.Index},
		{"GET", "/debug/pprof/cmdline", "command line", pprof.Cmdline},
		{"GET", "/debug/pprof/profile", "CPU profile; ?seconds=", pprof.Profile},
		{"GET", "/debug/pprof/symbol", "names of program counters", pprof.Symbol},
		{"POST", "/debug/pprof/symbol", "names of program counters, asked in the body", pprof.Symbol},
		{"GET", "/debug/pprof/trace", "execution trace; ?seconds=", pprof.Trace},
		{"GET", "/debug/pprof/{profile}", "one profile: heap, goroutine, allocs, …", getProfile},
	}
}

func getProfile(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("profile")
	if runtimepprof.Lookup(name) == nil {
		notFound(w, r)
		return
	}
	pprof.Handler(name).ServeHTTP(w, r)
}
