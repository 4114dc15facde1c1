// Package web serves what is not live media over HTTP: the pages, the list of
// streams and the files of www_dir, with net/http, on connections that the
// event loop hands over with the bytes it has already read. A connection that
// later asks for a live URL goes back to the loop the same way.
package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/core/object"
)

// What New puts in the place of zero values.
const (
	defaultHeaderTimeout   = 10 * time.Second
	defaultIdleTimeout     = 60 * time.Second
	defaultShutdownTimeout = 10 * time.Second
	defaultMaxHeaderBytes  = 64 << 10
)

// Options configure a Server. Only Handoff is required.
type Options struct {
	// Logger takes the server's own messages; nil discards them.
	Logger *slog.Logger
	// Handoff is where connections come from. The server closes it.
	Handoff *Handoff
	// Settings are in force until Apply changes them.
	Settings Settings
	// Streams lists the streams to show, in any order. It is called on request
	// goroutines, concurrently; the server keeps nothing of the result. nil
	// lists none.
	Streams func() []StreamInfo

	// Objects are served from memory below /flv, /hls and /mp4, before files;
	// nil: there are none.
	Objects *object.Store

	// IsLive tells whether the event loop serves a request. It is called on
	// request goroutines, concurrently. nil: never. The first request after
	// Deliver is taken for one that the loop does not serve, whatever IsLive
	// says: should the two disagree about a URL, the connection would go back
	// and forth for ever.
	IsLive func(r *http.Request) bool
	// ReturnToLoop gives the loop a connection whose next request is live,
	// with the ownership of c and prefix. c is what Deliver was given, without
	// deadlines; prefix is the head of that request and whatever followed it;
	// remote is what Deliver was given. After an error the server closes c.
	// Required with IsLive.
	ReturnToLoop func(c net.Conn, prefix []byte, remote net.Addr) error
	// Admit decides about a connection of HTTP/2, which no loop has seen, at its
	// first request: ok is false for a refusal, with a reason for the client.
	// It may block. nil: everybody may.
	Admit func(r *http.Request) (a Admission, reason string, ok bool)
	// Tunnel opens a connection to the loop for a live request that came over
	// HTTP/2, from a client at remote, with what Admit said of it; nil: there
	// are no such requests.
	Tunnel func(request []byte, remote net.Addr, a Admission) (Tunnel, error)

	// HeaderTimeout is the time for a request's head, and for a body that
	// nothing here wants; 0 means 10 s.
	HeaderTimeout time.Duration
	// IdleTimeout is the time between requests; 0 means 60 s.
	IdleTimeout time.Duration
	// ShutdownTimeout is the time that requests in progress get when Run's
	// context ends; 0 means 10 s.
	ShutdownTimeout time.Duration
	// MaxHeaderBytes bounds a request's head; 0 means 64 KiB.
	MaxHeaderBytes int
}

// Server answers HTTP requests on handed-over connections. It sets no write
// deadline: a download may be long, and a peer that stops reading is ended by
// the TCP_USER_TIMEOUT that the loop sets on every socket.
type Server struct {
	opts      Options
	log       *slog.Logger
	settings  atomic.Pointer[Settings]
	pages     pages
	manifests manifests
	records   records
	visitors  visitors
	http      *http.Server
}

// New checks o and returns a Server that is not yet running.
func New(o Options) (*Server, error) {
	if o.Handoff == nil {
		return nil, errors.New("web server needs a Handoff")
	}
	if (o.IsLive == nil) != (o.ReturnToLoop == nil) {
		return nil, errors.New("web server needs IsLive and ReturnToLoop together")
	}
	s := &Server{opts: withDefaults(o)}
	s.log = s.opts.Logger
	if err := s.Apply(o.Settings); err != nil {
		return nil, err
	}
	built, err := builtInPages()
	if err != nil {
		return nil, err
	}
	s.pages = pages{built}
	s.http = s.newHTTP()
	return s, nil
}

func withDefaults(o Options) Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Streams == nil {
		o.Streams = func() []StreamInfo { return nil }
	}
	if o.HeaderTimeout == 0 {
		o.HeaderTimeout = defaultHeaderTimeout
	}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = defaultIdleTimeout
	}
	if o.ShutdownTimeout == 0 {
		o.ShutdownTimeout = defaultShutdownTimeout
	}
	if o.MaxHeaderBytes == 0 {
		o.MaxHeaderBytes = defaultMaxHeaderBytes
	}
	return o
}

func (s *Server) newHTTP() *http.Server {
	return &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: s.opts.HeaderTimeout,
		IdleTimeout:       s.opts.IdleTimeout,
		MaxHeaderBytes:    s.opts.MaxHeaderBytes,
		ConnContext:       s.withConn,
		ConnState:         s.visitors.changed,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
}

// Run serves the Handoff until ctx ends, then lets the requests in progress
// finish within ShutdownTimeout, cuts those that have not, and returns nil. It
// returns nil after Close as well. Call it once.
func (s *Server) Run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(s.opts.Handoff) }()

	select {
	case err := <-served:
		return serveError(err)
	case <-ctx.Done():
	}
	s.shutdown(context.WithoutCancel(ctx))
	return serveError(<-served)
}

func (s *Server) shutdown(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.ShutdownTimeout)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		s.log.Warn("http requests cut at shutdown", "after", s.opts.ShutdownTimeout)
		_ = s.http.Close() // cutting them is all that can still be done
	}
}

// serveError turns what http.Server.Serve returns after Shutdown or Close,
// which is never nil, into nil.
func serveError(err error) error {
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return fmt.Errorf("serve http: %w", err)
}

// Close ends Run at once and closes every connection that the server holds.
// Safe for any goroutine, and more than once.
func (s *Server) Close() error {
	if err := s.http.Close(); err != nil {
		return fmt.Errorf("close http server: %w", err)
	}
	return s.opts.Handoff.Close() // http.Server knows it only once Run has begun
}
