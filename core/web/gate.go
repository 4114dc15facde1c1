package web

import (
	"bytes"
	"context"
	"io"
	"math"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// Gate decides who may read what this server has beside live streams. It is
// called on request goroutines, concurrently, and may block as long as the
// request's context lives.
type Gate interface {
	// Active reports whether Check may say anything but that a request passes.
	// It is cheap, and called from any goroutine.
	Active() bool
	Check(r *http.Request) Decision
	// Lists tells, for each of these paths of files, whether the client of r
	// may know that there is one.
	Lists(r *http.Request, paths []string) []bool
}

// Decision is a Gate's answer. The zero value lets the request pass.
type Decision struct {
	// Status, if not 0, is the refusal, such as 403.
	Status int
	Reason string // one line for the client
	// Redirect, if not "", is where the client is sent (302).
	Redirect string
	// Headers are added to the answer.
	Headers map[string]string
	// Path is what is served instead of the request's own; "": that.
	Path string
	// Answer, if not nil, accompanies the answer to its end.
	Answer Answer
}

// Answer accompanies the answer to one request. Its methods are called on the
// request's goroutine.
type Answer interface {
	// Rewrites reports whether playlists go through Rewrite.
	Rewrites() bool
	// Rewrite makes of an HLS playlist what this client gets.
	Rewrite(playlist []byte) []byte
	// Send waits until some of n bytes may be sent, and returns how many. An
	// error ends the answer.
	Send(ctx context.Context, n int) (int, error)
	// End is called once, when nothing more will be sent.
	End()
}

// guarded has the gate decide about a request before next serves it.
func (s *Server) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		gate := s.settings.Load().Gate
		if gate == nil {
			next.ServeHTTP(w, r)
			return
		}
		if !gate.Active() {
			next.ServeHTTP(w, r)
			return
		}
		d := gate.Check(r)
		if d.Answer != nil {
			defer d.Answer.End()
		}
		s.serveDecided(w, r, d, next)
	})
}

func (s *Server) serveDecided(w http.ResponseWriter, r *http.Request, d Decision, next http.Handler) {
	h := w.Header()
	switch {
	case d.Redirect != "":
		h.Set("Cache-Control", "no-store")
		h.Set("Location", d.Redirect)
		w.WriteHeader(http.StatusFound)
		return
	case d.Status != 0:
		h.Set("Cache-Control", "no-store")
		fail(w, d.Status, "%s", d.Reason)
		return
	}
	if d.Path != "" {
		r = r.Clone(r.Context())
		r.URL.Path, r.URL.RawPath = d.Path, ""
	}
	if d.Answer != nil || len(d.Headers) > 0 {
		w = &accompanied{ResponseWriter: w, ctx: r.Context(), answer: d.Answer, headers: d.Headers}
	}
	if d.Answer != nil && d.Answer.Rewrites() && path.Ext(r.URL.Path) == ".m3u8" {
		rewritePlaylist(w, r, d.Answer, next)
		return
	}
	next.ServeHTTP(w, r)
}

// accompanied sends as its Answer allows, with the headers of the decision in
// the place of others of the same name.
type accompanied struct {
	http.ResponseWriter
	ctx     context.Context
	answer  Answer // nil: none
	headers map[string]string
	begun   bool
}

// sendStep is how much is sent, in bytes, before Answer is asked again.
const sendStep = 256 << 10

func (a *accompanied) WriteHeader(status int) {
	a.begun = true
	for name, value := range a.headers {
		a.Header().Set(name, value)
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *accompanied) begin() {
	if !a.begun {
		a.WriteHeader(http.StatusOK)
	}
}

// allowed is how many of n bytes may go now.
func (a *accompanied) allowed(n int64) (int64, error) {
	n = min(n, sendStep)
	if a.answer == nil {
		return n, nil
	}
	some, err := a.answer.Send(a.ctx, int(n))
	return int64(some), err
}

func (a *accompanied) Write(p []byte) (sent int, err error) {
	a.begin()
	for len(p) > 0 {
		n, err := a.allowed(int64(len(p)))
		if err != nil {
			return sent, err
		}
		some, err := a.ResponseWriter.Write(p[:n])
		sent += some
		if err != nil {
			return sent, err
		}
		p = p[n:]
	}
	return sent, nil
}

// ReadFrom leaves net/http its way to sendfile, a step at a time.
func (a *accompanied) ReadFrom(src io.Reader) (sent int64, err error) {
	a.begin()
	all, ok := src.(*io.LimitedReader)
	if !ok {
		all = &io.LimitedReader{R: src, N: math.MaxInt64}
	}
	for all.N > 0 {
		n, err := a.allowed(all.N)
		if err != nil {
			return sent, err
		}
		some, err := io.Copy(a.ResponseWriter, &io.LimitedReader{R: all.R, N: n})
		sent, all.N = sent+some, all.N-some
		if err != nil || some < n {
			return sent, err
		}
	}
	return sent, nil
}

// Unwrap leads http.ResponseController to hijacking and deadlines.
func (a *accompanied) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// rewritePlaylist answers with what next has for r, rewritten. It is one
// client's own then: there are no ranges and conditions for it, and no cache
// may keep it.
func rewritePlaylist(w http.ResponseWriter, r *http.Request, answer Answer, next http.Handler) {
	r = r.Clone(r.Context())
	for _, name := range []string{"Range", "If-Range", "If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since"} {
		r.Header.Del(name)
	}
	c := &captured{header: w.Header(), status: http.StatusOK}
	next.ServeHTTP(c, r)
	body := c.body.Bytes()
	h := w.Header()
	if c.status == http.StatusOK && strings.Contains(h.Get("Content-Type"), "mpegurl") {
		for _, name := range []string{"ETag", "Last-Modified", "Accept-Ranges", "Content-Length"} {
			h.Del(name)
		}
		h.Set("Cache-Control", "private, no-store")
		body = answer.Rewrite(body)
		if r.Method != http.MethodHead {
			h.Set("Content-Length", strconv.Itoa(len(body)))
		}
	}
	w.WriteHeader(c.status)
	_, _ = w.Write(body) // a client that has gone needs no answer
}

// captured keeps an answer's body; its header is that of the real one.
type captured struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (c *captured) Header() http.Header         { return c.header }
func (c *captured) WriteHeader(status int)      { c.status = status }
func (c *captured) Write(p []byte) (int, error) { return c.body.Write(p) }
