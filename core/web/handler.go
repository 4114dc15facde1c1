package web

import (
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"time"
)

const allowedMethods = "GET, HEAD, OPTIONS"

// handler is the whole of what a request meets: the guards that hold for all,
// then the event loop's URLs, then the routes.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/streams.json", s.serveStreams)
	mux.HandleFunc("/records.json", s.serveRecords)
	for _, folder := range dataFolders {
		mux.HandleFunc("/"+folder+"/", s.serveData)
	}
	mux.HandleFunc("/", s.servePage)
	guarded := s.guarded(mux)

	return s.surviving(func(w http.ResponseWriter, r *http.Request) {
		s.boundBody(w, r)
		toLoop := s.belongsToLoop(r) // asked of each request: it counts them
		visitor := s.admit(w, r)
		switch {
		case visitor == nil:
		case !methodAllowed(r.Method):
			refuseMethod(w, r)
		case toLoop:
			s.returnLive(w, r)
		case r.ProtoMajor > 1 && s.opts.Tunnel != nil && s.opts.IsLive(r):
			s.relayLive(w, r, visitor)
		default:
			s.route(guarded, visitor.respond(w, r), r)
		}
	})
}

// belongsToLoop tells live requests, other than the first that the loop handed
// over (see Options.IsLive). To be called once for each request.
func (s *Server) belongsToLoop(r *http.Request) bool {
	c := connOf(r)
	if c == nil || s.opts.IsLive == nil {
		return false
	}
	first := !c.served
	c.served = true
	return !first && s.opts.IsLive(r)
}

func (s *Server) route(next http.Handler, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	cors := setCORS(w.Header(), s.settings.Load().CORSOrigins, r.Header.Get("Origin"))
	if r.Method == http.MethodOptions {
		answerOptions(w, cors)
		return
	}
	next.ServeHTTP(w, r)
}

func methodAllowed(m string) bool {
	return m == http.MethodGet || m == http.MethodHead || m == http.MethodOptions
}

func refuseMethod(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Allow", allowedMethods)
	fail(w, http.StatusMethodNotAllowed, "%s is not possible here; use GET, HEAD or OPTIONS", r.Method)
}

// fail answers with a status and one line that says what is wrong.
func fail(w http.ResponseWriter, status int, format string, args ...any) {
	http.Error(w, fmt.Sprintf(format, args...), status)
}

func hasBody(r *http.Request) bool { return r.ContentLength != 0 }

// boundBody sees to a request body, which nothing here wants. net/http reads
// and drops some of it after the answer, with no deadline of its own, so that
// a body sent slowly would hold the connection.
func (s *Server) boundBody(w http.ResponseWriter, r *http.Request) {
	if !hasBody(r) {
		return
	}
	w.Header().Set("Connection", "close")
	deadline := time.Now().Add(s.opts.HeaderTimeout)
	if err := http.NewResponseController(w).SetReadDeadline(deadline); err != nil {
		s.log.Debug("bound request body", "err", err)
	}
}

// surviving keeps a panic to its request: 500 if nothing was sent yet, else
// the connection is cut, so that half an answer does not pass for a whole one.
func (s *Server) surviving(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t := &tracked{ResponseWriter: w}
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler { // a handler's own way to cut
				panic(v)
			}
			s.log.Error("panic in http handler", "path", r.URL.Path, "panic", v, "stack", string(debug.Stack()))
			if t.wrote {
				panic(http.ErrAbortHandler)
			}
			fail(t, http.StatusInternalServerError, "the server made a mistake; its log says more")
		}()
		next(t, r)
	})
}

// tracked is a ResponseWriter that remembers whether the answer has begun.
type tracked struct {
	http.ResponseWriter
	wrote bool
}

func (t *tracked) WriteHeader(status int) {
	t.wrote = true
	t.ResponseWriter.WriteHeader(status)
}

func (t *tracked) Write(p []byte) (int, error) {
	t.wrote = true
	return t.ResponseWriter.Write(p)
}

// ReadFrom keeps net/http's way to sendfile open.
func (t *tracked) ReadFrom(r io.Reader) (int64, error) {
	t.wrote = true
	return io.Copy(t.ResponseWriter, r)
}

// Unwrap leads http.ResponseController to hijacking and deadlines.
func (t *tracked) Unwrap() http.ResponseWriter { return t.ResponseWriter }
