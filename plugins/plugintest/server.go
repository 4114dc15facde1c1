package plugintest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/flv"
	"github.com/millrace/millrace/core/media"
)

// Server stands in for the server's data plane: media and objects over a unix
// socket, and events by SSE, for plugins that run as processes. Any goroutine may use it.
type Server struct {
	Socket string
	http   *http.Server

	mu      sync.Mutex
	tokens  map[string]bool
	streams map[string]*Publication // the live ones, by "APP/NAME"
	kept    map[string]*Publication // by session, those that have ended, too
	objects map[string][]byte
	reads   []string // the targets of media requests
	open    int      // streams that are being read

	listeners map[*listener]bool
}

// NewServer serves on a socket in a private folder until the test ends.
func NewServer(t testing.TB) *Server {
	t.Helper()
	// Not t.TempDir: a unix socket's path has at most 107 bytes.
	dir, err := os.MkdirTemp("", "mr-media-")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{
		Socket: filepath.Join(dir, "media.sock"), tokens: map[string]bool{},
		streams: map[string]*Publication{}, kept: map[string]*Publication{}, objects: map[string][]byte{},
		listeners: map[*listener]bool{},
	}
	l, err := net.Listen("unix", s.Socket)
	if err != nil {
		t.Fatal(err)
	}
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: 5 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve media: %v", err)
		}
	}()
	t.Cleanup(func() {
		s.http.Close()
		<-done
		os.RemoveAll(dir)
	})
	return s
}

// IssueToken makes a token that requests may carry.
func (s *Server) IssueToken() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	token := ulid.Make().String()
	s.tokens[token] = true
	return token
}

// RevokeToken ends a token.
func (s *Server) RevokeToken(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tokens, token)
}

// Tokens is how many tokens there are.
func (s *Server) Tokens() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.tokens)
}

// Reads are the targets of the media requests so far.
func (s *Server) Reads() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.reads)
}

// Object is the body stored under a path.
func (s *Server) Object(path string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.objects[path]
	return b, ok
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	s.mu.Lock()
	known := s.tokens[token]
	s.mu.Unlock()
	if !known {
		http.Error(w, "a valid token is needed", http.StatusUnauthorized)
		return
	}
	if path, ok := strings.CutPrefix(r.URL.Path, "/objects/"); ok {
		s.object(w, r, path)
		return
	}
	if r.URL.Path == "/events" {
		s.serveEvents(w, r)
		return
	}
	p := s.find(r)
	if p == nil {
		http.NotFound(w, r)
		return
	}
	s.count(1)
	defer s.count(-1)
	p.serve(w, r)
}

func (s *Server) count(add int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open += add
}

// Open is how many media requests are being answered.
func (s *Server) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// find is the publication that a request is for: of a session, or the live one.
func (s *Server) find(r *http.Request) *Publication {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads = append(s.reads, r.URL.RequestURI())
	stream, ok := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/"), ".flv")
	if !ok {
		return nil
	}
	session, _, _ := strings.Cut(r.URL.Query().Get("from"), ":")
	if p := s.kept[session]; p != nil && p.App+"/"+p.Name == stream {
		return p
	}
	return s.streams[stream]
}

func (s *Server) object(w http.ResponseWriter, r *http.Request, path string) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<20))
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.Method {
	case http.MethodPut:
		if parts := r.Header.Get("Millrace-Parts"); parts != "" {
			body = nil
			for part := range strings.SplitSeq(parts, ",") {
				body = append(body, s.objects[part]...)
			}
		}
		s.objects[path] = body
		w.WriteHeader(http.StatusCreated)
	case http.MethodDelete:
		delete(s.objects, path)
		w.WriteHeader(http.StatusNoContent)
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

// Publication is a publish session at a Server. Any goroutine may use it.
type Publication struct {
	s          *Server
	App, Name  string
	Session    string
	Started    time.Time
	ring       int
	mu         sync.Mutex
	headers    []*media.Frame
	frames     []*media.Frame // by number, from first on
	first      uint64
	ended      bool
	changed    chan struct{}
	generation chan struct{} // closed to break all connections
}

// Publish begins a session whose ring holds that many frames.
func (s *Server) Publish(app, name string, ring int) *Publication {
	p := &Publication{
		s: s, App: app, Name: name, Session: ulid.Make().String(), Started: time.Now(), ring: ring, first: 1,
		changed: make(chan struct{}), generation: make(chan struct{}),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams[app+"/"+name] = p
	s.kept[p.Session] = p
	return p
}

// Event is the publication as an event of that name describes it.
func (p *Publication) Event(name string) event.Event {
	e := event.Event{
		Event: name, Time: time.Now(), App: p.App, Name: p.Name, StreamID: p.App + "/" + p.Name,
		Session: p.Session, Started: p.Started, VideoCodec: "h264", AudioCodec: "aac",
	}
	if name == event.Unpublish {
		e.ToSeq = p.Next()
	}
	return e
}

// Headers puts sequence headers in force that nobody counts.
func (p *Publication) Headers(frames ...*media.Frame) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.headers = append(p.headers, frames...)
}

// Feed appends frames.
func (p *Publication) Feed(frames ...*media.Frame) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frames = append(p.frames, frames...)
	if over := len(p.frames) - p.ring; over > 0 {
		p.frames = p.frames[over:]
		p.first += uint64(over)
	}
	p.wake()
}

func (p *Publication) wake() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// Next is the number of the frame that is fed next.
func (p *Publication) Next() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.first + uint64(len(p.frames))
}

// End ends the session, and its connections cleanly. What was sent is kept, as
// the server does for a while, until Forget.
func (p *Publication) End() {
	p.mu.Lock()
	p.ended = true
	p.wake()
	p.mu.Unlock()
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	if key := p.App + "/" + p.Name; p.s.streams[key] == p {
		delete(p.s.streams, key)
	}
}

// Keeps reports whether the media of a session can be read.
func (s *Server) Keeps(session string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept[session] != nil
}

// Forget drops what is kept of a session that has ended.
func (p *Publication) Forget() {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	delete(p.s.kept, p.Session)
}

// Break cuts all connections in the middle.
func (p *Publication) Break() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.generation)
	p.generation = make(chan struct{})
}

// begin finds out where a reader begins; false: its session is not this one.
func (p *Publication) begin(from string) (seq uint64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	session, number, given := strings.Cut(from, ":")
	if !given {
		return p.gop(), true
	}
	seq, err := strconv.ParseUint(number, 10, 64)
	if seq == 0 {
		seq = p.gop()
	}
	return seq, err == nil && session == p.Session
}

// awaitMedia waits until there is media, as the server does, since what comes
// first tells of it. false: the reader is gone.
func (p *Publication) awaitMedia(ctx context.Context) bool {
	for {
		p.mu.Lock()
		some := p.ended || len(p.frames) > 0
		changed, broken := p.changed, p.generation
		p.mu.Unlock()
		if some || !await(ctx, changed, broken) {
			return some
		}
	}
}

// gop is the number of the newest keyframe of video, or of the next frame.
func (p *Publication) gop() uint64 {
	for i := len(p.frames) - 1; i >= 0; i-- {
		if f := p.frames[i]; f.Kind == media.Video && f.Is(media.Keyframe) {
			return p.first + uint64(i)
		}
	}
	return p.first + uint64(len(p.frames))
}

func (p *Publication) serve(w http.ResponseWriter, r *http.Request) {
	seq, ok := p.begin(r.URL.Query().Get("from"))
	if !ok {
		http.Error(w, "no such session", http.StatusConflict)
		return
	}
	w.Header().Set("Content-Type", "video/x-flv")
	_ = http.NewResponseController(w).Flush()
	if !p.awaitMedia(r.Context()) {
		panic(http.ErrAbortHandler) // no clean end
	}
	b := flv.AppendFileHeader(nil, true, true)
	p.mu.Lock()
	for _, f := range p.headers {
		b = append(b, f.Tag()...)
	}
	broken := p.generation
	p.mu.Unlock()
	b = appendScript(b, "onSequence", amf.ECMAArray{{Name: "session", Value: p.Session}, {Name: "seq", Value: float64(seq)}})
	for {
		more, next, changed := p.after(seq)
		b = append(b, more...)
		seq = next
		if len(b) > 0 {
			if _, err := w.Write(b); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			b = b[:0]
			continue
		}
		if changed == nil {
			return
		}
		if !await(r.Context(), changed, broken) {
			panic(http.ErrAbortHandler) // no clean end
		}
	}
}

func await(ctx context.Context, changed, broken <-chan struct{}) bool {
	select {
	case <-changed:
		return true
	case <-broken:
	case <-ctx.Done():
	}
	return false
}

// after is what follows seq, and what to wait for if that is nothing; nil at
// the end.
func (p *Publication) after(seq uint64) (b []byte, next uint64, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if seq < p.first {
		b = appendScript(b, "onGap", amf.ECMAArray{
			{Name: "from", Value: float64(seq)}, {Name: "to", Value: float64(p.first)}, {Name: "reason", Value: "lag"},
		})
		seq = p.first
	}
	const batch = 50 // frames
	for i := 0; i < batch && seq < p.first+uint64(len(p.frames)); i++ {
		b = append(b, p.frames[seq-p.first].Tag()...)
		seq++
	}
	if p.ended {
		return b, seq, nil
	}
	return b, seq, p.changed
}

// appendScript appends a script tag.
func appendScript(b []byte, name string, props amf.ECMAArray) []byte {
	data := amf.Append0(amf.Append0(nil, name), props)
	room := media.NewRoom(len(data))
	copy(media.Payload(room), data)
	f := media.NewFrame(media.Data, room, 0)
	f.Seal()
	return append(b, f.Tag()...)
}
