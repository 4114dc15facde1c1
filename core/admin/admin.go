package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	headerTimeout  = 10 * time.Second
	idleTimeout    = time.Minute
	maxHeaderBytes = 64 << 10
	// lastAnswers is how long answers in progress may take once Run's context
	// has ended; a profile that still runs is cut off.
	lastAnswers = 2 * time.Second
)

// ErrTokenRequired is returned by [New] for an address that others can reach
// while there is no token.
var ErrTokenRequired = errors.New("admin listener is not on loopback and has no token")

// Options says what an admin listener serves and where.
type Options struct {
	Logger *slog.Logger // nil: silent
	// Listen is the host:port to bind. It also decides, for a listener without
	// a token, whose requests are believed: see [Handler].
	Listen string
	Server Server // required
	// Token is asked at each request, so that it can be reloaded: "" means no
	// token. A nil Token is the same as none. Any goroutine.
	Token   func() string
	Version string
	// Draining makes /healthz answer 503. Nil: never. Any goroutine.
	Draining func() bool
	// Endpoints and Collectors are those of parts that this package does not
	// know: hooks and plugins. They are guarded, listed and shown as its own.
	Endpoints  []Endpoint
	Collectors []prometheus.Collector
}

// Endpoint is one method of one path.
type Endpoint struct {
	Method string
	// Pattern is http.ServeMux's, without a method; "{stream...}" is
	// "{app}/{name}", see StreamOf, and "/WORD/{KEY}" may follow it.
	Pattern string
	About   string // the line of the index
	// Serve answers with what it returns, as JSON; an error as {"error": …}
	// with the status of a [StatusError], or 500. A nil answer is 204.
	Serve func(r *http.Request) (any, error)
}

// StatusError is an error with the status of its answer.
type StatusError struct {
	Status int
	Err    error
}

func (e *StatusError) Error() string { return e.Err.Error() }

func (e *StatusError) Unwrap() error { return e.Err }

func (e Endpoint) route() route {
	return route{e.Method, e.Pattern, e.About, func(w http.ResponseWriter, r *http.Request) {
		answer, err := e.Serve(r)
		var with *StatusError
		switch {
		case errors.As(err, &with):
			writeError(w, with.Status, with.Error())
		case err != nil:
			writeError(w, http.StatusInternalServerError, err.Error())
		case answer == nil:
			w.WriteHeader(http.StatusNoContent)
		default:
			writeJSON(w, http.StatusOK, answer)
		}
	}}
}

// withDefaults fills what may be left out.
func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Token == nil {
		o.Token = func() string { return "" }
	}
	if o.Draining == nil {
		o.Draining = func() bool { return false }
	}
	return o
}

// Admin is one bound admin listener. Its methods may be called from any
// goroutine.
type Admin struct {
	log *slog.Logger
	ln  net.Listener
	srv *http.Server
}

// New binds o.Listen, so that a clash of ports is found at the start; nothing
// is answered before [Admin.Run]. An address that is not loopback without a
// token is [ErrTokenRequired].
func New(o Options) (*Admin, error) {
	o = o.withDefaults()
	if o.Server == nil {
		return nil, errors.New("create admin listener: no server")
	}
	ln, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("bind admin listener: %w", err)
	}
	bound := ln.Addr().String()
	g := newGuard(o.Token, bound, o.Listen)
	if !g.loopback && o.Token() == "" {
		_ = ln.Close() // unused; the reason for closing it is the error that matters
		return nil, fmt.Errorf("bind admin listener on %s: %w", bound, ErrTokenRequired)
	}
	return &Admin{log: o.Logger, ln: ln, srv: &http.Server{
		Handler:           newHandler(o, g),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(o.Logger.Handler(), slog.LevelWarn),
		// No WriteTimeout: a profile runs for as long as its caller asks.
	}}, nil
}

// Addr is the address that was bound, with the real port when 0 was asked.
func (a *Admin) Addr() net.Addr { return a.ln.Addr() }

// Run serves until ctx ends or [Admin.Close] is called, which both return nil.
// It may be called once. While the server drains keep ctx alive, so that
// /healthz can say so.
func (a *Admin) Run(ctx context.Context) error {
	a.srv.BaseContext = func(net.Listener) context.Context { return ctx }
	served := make(chan error, 1)
	go func() { served <- a.srv.Serve(a.ln) }()
	select {
	case err := <-served:
		if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
			return nil
		}
		return fmt.Errorf("serve admin: %w", err)
	case <-ctx.Done():
		return a.finish(served)
	}
}

// finish lets answers in progress end within lastAnswers.
func (a *Admin) finish(served <-chan error) error {
	ctx, cancel := context.WithTimeout(context.Background(), lastAnswers)
	defer cancel()
	err := a.srv.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = a.srv.Close()
	}
	<-served
	if err != nil {
		return fmt.Errorf("stop admin: %w", err)
	}
	return nil
}

// Close ends Run at once and frees the address, also when Run was never
// called. Calling it again is harmless.
func (a *Admin) Close() error {
	err := a.srv.Close()
	// Serve closes the listener only if it ran.
	if lnErr := a.ln.Close(); err == nil && !errors.Is(lnErr, net.ErrClosed) {
		err = lnErr
	}
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close admin: %w", err)
	}
	return nil
}
