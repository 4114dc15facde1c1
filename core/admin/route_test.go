package admin

import (
	"encoding/json"
	"net/http"
	"runtime"
	"strings"
	"testing"
)

func TestWrongMethod(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ method, target, allow string }{
		{"POST", "/api/v1/streams", "GET, HEAD"},
		{"PUT", "/api/v1/streams/live/radio", "DELETE, GET, HEAD"},
		{"DELETE", "/api/v1/clients", "GET, HEAD"},
		{"GET", "/api/v1/clients/c1", "DELETE"},
		{"GET", "/api/v1/config/reload", "POST"},
		{"OPTIONS", "/metrics", "GET, HEAD"},
		{"DELETE", "/healthz", "GET, HEAD"},
		{"POST", "/debug/pprof/heap", "GET, HEAD"},
	} {
		t.Run(tc.method+tc.target, func(t *testing.T) {
			t.Parallel()
			w := request{method: tc.method, target: tc.target}.do(newHandlerFor(newFake()))
			wantJSON(t, w, 405, `{"error":"method not allowed; this path takes `+tc.allow+`"}`)
			if got := w.Header().Get("Allow"); got != tc.allow {
				t.Errorf("Allow %q, want %q", got, tc.allow)
			}
		})
	}
}

func TestUnknownPath(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"/x", "/api", "/api/v1", "/api/v2/streams", "/api/v1/streams/../version",
		"//api/v1/version", "/api/v1/clients/c1/x", "/healthz/", "/debug/pprof/nosuch", "/debug/",
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			want, err := json.Marshal(errorAnswer{"no such path: " + path})
			if err != nil {
				t.Fatal(err)
			}
			h := newHandlerFor(newFake())
			r := request{method: "GET", target: "http://127.0.0.1:8502" + path}
			wantJSON(t, r.do(h), 404, string(want))
		})
	}
}

func TestHead(t *testing.T) {
	t.Parallel()
	if w := (request{method: "HEAD", target: "/api/v1/streams"}).do(newHandlerFor(newFake())); w.Code != 200 {
		t.Errorf("status %d", w.Code)
	}
}

func TestIndex(t *testing.T) {
	t.Parallel()
	w := get(newHandlerFor(newFake()), "/")
	var index struct {
		Name, Version string
		Endpoints     []endpoint
	}
	if err := json.Unmarshal(w.Body.Bytes(), &index); err != nil {
		t.Fatal(err)
	}
	if index.Name != "millrace" || index.Version != "1.2.3" {
		t.Errorf("index of %q %q", index.Name, index.Version)
	}
	listed := map[string]bool{}
	for _, e := range index.Endpoints {
		listed[e.Method+" "+e.Path] = true
	}
	for _, want := range []string{
		"GET /", "GET /api/v1/streams", "GET /api/v1/streams/{app}/{name}", "DELETE /api/v1/streams/{app}/{name}",
		"GET /api/v1/clients", "DELETE /api/v1/clients/{id}", "POST /api/v1/config/reload", "GET /api/v1/version",
		"GET /healthz", "GET /metrics", "GET /debug/pprof/",
	} {
		if !listed[want] {
			t.Errorf("the index does not list %s", want)
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	wantJSON(t, get(newHandlerFor(newFake()), "/api/v1/version"), 200,
		`{"version":"1.2.3","go_version":"`+runtime.Version()+`"}`)
}

func TestHealth(t *testing.T) {
	t.Parallel()
	draining := false
	h := Handler(Options{Server: newFake(), Draining: func() bool { return draining }})
	for _, step := range []struct {
		draining bool
		status   int
		body     string
	}{{false, 200, "ok"}, {true, 503, "draining"}} {
		draining = step.draining
		w := get(h, "/healthz")
		if w.Code != step.status || w.Body.String() != step.body {
			t.Errorf("draining %v: %d %q", step.draining, w.Code, w.Body)
		}
		if cc := w.Header().Get("Cache-Control"); cc != "no-store" {
			t.Errorf("Cache-Control %q", cc)
		}
	}
}

func TestPprof(t *testing.T) {
	t.Parallel()
	h := newHandlerFor(newFake())
	for target, want := range map[string]string{
		"/debug/pprof/":                  "goroutine",
		"/debug/pprof/cmdline":           "admin.test",
		"/debug/pprof/goroutine?debug=1": "goroutine profile:",
		"/debug/pprof/symbol":            "num_symbols",
	} {
		w := get(h, target)
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: status %d, no %q in it", target, w.Code, want)
		}
		if cc := w.Header().Get("Cache-Control"); cc != "no-store" {
			t.Errorf("%s: Cache-Control %q", target, cc)
		}
	}
}

func TestAnswerThatIsNoJSON(t *testing.T) {
	t.Parallel()
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		writeJSON(w, 200, make(chan int))
	})
	wantJSON(t, get(h, "/"), 500, `{"error":"the answer cannot be written as JSON"}`)
}
