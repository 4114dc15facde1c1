package admin

import (
	"io"
	"net/http"
	"runtime"
)

type endpoint struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	About  string `json:"about"`
}

func (a *api) getIndex(w http.ResponseWriter, _ *http.Request) {
	var endpoints []endpoint
	for _, r := range a.routes() {
		endpoints = append(endpoints, endpoint{r.method, r.path(), r.about})
	}
	writeJSON(w, http.StatusOK, struct {
		Name      string     `json:"name"`
		Version   string     `json:"version"`
		Endpoints []endpoint `json:"endpoints"`
	}{"millrace", a.version, endpoints})
}

func (a *api) getVersion(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, struct {
		Version   string `json:"version"`
		GoVersion string `json:"go_version"`
	}{a.version, runtime.Version()})
}

func (a *api) getHealth(w http.ResponseWriter, _ *http.Request) {
	status, word := http.StatusOK, "ok"
	if a.draining() {
		status, word = http.StatusServiceUnavailable, "draining"
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, word) // a client that left needs no answer
}
