// Package core puts the parts of the live server together: event loops,
// streams, the web and admin fronts.
package core

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/core/admin"
	"github.com/millrace/millrace/core/certificate"
	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/gate"
	"github.com/millrace/millrace/core/httpflv"
	"github.com/millrace/millrace/core/netloop"
	"github.com/millrace/millrace/core/object"
	"github.com/millrace/millrace/core/stream"
	"github.com/millrace/millrace/core/web"
)

// Options are what a server is made of.
type Options struct {
	Logger  *slog.Logger
	Version string
	// Loops is the number of event loops; 0 is one per CPU.
	Loops int
	// RTMP and HTTP are the addresses of the public listeners, Admin that of
	// the private one ("": none).
	RTMP, HTTP []netloop.Address
	Admin      string
	// ChunkSize is the size of the RTMP chunks sent, in bytes.
	ChunkSize int
	// PluginDir is the folder of the socket for the server's own plugins, made
	// if it is not there and closed to everybody else ("": no socket);
	// PluginSocket is the one for other processes.
	PluginDir    string
	PluginSocket PluginSocket
	// Endpoints and Collectors are those of other parts, for the admin
	// listener.
	Endpoints  []admin.Endpoint
	Collectors []prometheus.Collector
	// Drained is called at the end, when all streams have ended and plugins
	// can still store objects and read the rest; it ends them. nil: nothing.
	Drained func()
	// Awaited says of a session that ends whether a recorder may still come for
	// its media, which is kept then for stream.ring_time; nil: of none that no
	// recorder had begun to read. It runs with locks held: it must not block,
	// nor call the server.
	Awaited func(session string) bool
	// Hooks decide about peers and are told of events; nil: none.
	Hooks event.Decider
	Live  Live
	// Reload reads the configuration again and puts it in force.
	Reload func() ([]admin.Change, error)
}

// Live are the options that can change while the server runs.
type Live struct {
	Net     netloop.Settings
	Streams stream.Options
	// Certificates are those of the listeners with TLS.
	Certificates  []certificate.Pair
	Web           web.Settings
	Token         string
	StatsInterval time.Duration
	// Shutdown is how long a good-bye may take.
	Shutdown time.Duration
}

// Server is a live server.
type Server struct {
	options Options
	log     *slog.Logger
	live    atomic.Pointer[Live]
	streams *stream.Registry
	objects *object.Store
	engine  *netloop.Engine
	handoff *web.Handoff
	web     *web.Server
	gate    *gate.Gate
	admin   *admin.Admin
	lns     []*netloop.Listener
	hub     hub
	tokens  tokens
	plugins pluginFront
	certs   *certificate.Store // nil: no listener has TLS

	draining                 atomic.Bool
	reloadsOK, reloadsFailed atomic.Uint64
	ended                    ended
	rates                    rates
	started                  time.Time
}

// New binds all listeners; connections are served from then on.
func New(o Options) (*Server, error) {
	s := &Server{options: o, log: o.Logger, objects: object.New(time.Now), started: time.Now()}
	s.live.Store(&o.Live)
	s.plugins.handoff = web.NewHandoff(&net.UnixAddr{Net: "unix"})
	s.streams = stream.NewRegistry(o.Live.Streams, s.notice)
	s.streams.Await(o.Awaited)
	if h := o.Hooks; h != nil {
		s.hub.subscribe(h.Wants, func(e event.Event) { h.Notify(&e) })
	}
	s.gate = s.newGate()
	if err := s.start(); err != nil {
		s.abort()
		return nil, err
	}
	return s, nil
}

func (s *Server) start() error {
	if err := s.startWeb(); err != nil {
		return err
	}
	o := netloop.Options{
		Logger: s.log, Loops: s.options.Loops, ChunkSize: s.options.ChunkSize,
		Streams: s.streams, Settings: s.netSettings(&s.options.Live),
		Events: &s.hub, Decider: s.options.Hooks, Grant: s.grant, PluginHTTP: s.deliverPlugin,
		Objects: s.objects, HTTP: s.handoff.Deliver, HTTP2: s.handoff.DeliverTLS, Reserved: httpflv.Reserved,
	}
	var err error
	if s.wantsTLS() {
		if s.certs, err = certificate.New(s.log, s.options.Live.Certificates); err != nil {
			return err
		}
		o.TLS = s.certs.Config
	}
	if s.engine, err = netloop.New(o); err != nil {
		return err
	}
	if err := s.startPlugins(); err != nil {
		return err
	}
	if err := s.listen(); err != nil {
		return err
	}
	return s.startAdmin()
}

func (s *Server) wantsTLS() bool {
	secured := func(a netloop.Address) bool { return a.TLS }
	return slices.ContainsFunc(s.options.RTMP, secured) || slices.ContainsFunc(s.options.HTTP, secured)
}

func (s *Server) startWeb() (err error) {
	s.handoff = web.NewHandoff(&net.TCPAddr{})
	limits := s.options.Live.Net.Limits
	s.web, err = web.New(web.Options{
		Logger: s.log, Handoff: s.handoff, Settings: s.webSettings(&s.options.Live),
		Streams: s.list, Objects: s.objects, IsLive: s.isLive,
		ReturnToLoop: func(c net.Conn, prefix []byte, remote net.Addr) error {
			return s.engine.Return(c, prefix, remote)
		},
		Admit: s.admit,
		Tunnel: func(request []byte, remote net.Addr, a web.Admission) (web.Tunnel, error) {
			return s.engine.Tunnel(request, remote, a.(*netloop.Admission))
		},
		HeaderTimeout: limits.RequestHeaderTimeout, IdleTimeout: limits.IdleTimeout,
		ShutdownTimeout: s.options.Live.Shutdown,
	})
	return err
}

// isLive reports whether an event loop answers r.
func (s *Server) isLive(r *http.Request) bool {
	_, ok := httpflv.ParseLive(httpflv.FromRequest(r), httpflv.Reserved)
	return ok || s.isObject(r)
}

// admit asks the hooks about a connection of HTTP/2.
func (s *Server) admit(r *http.Request) (web.Admission, string, bool) {
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return nil, "the client's address is not known", false
	}
	a, reason := s.engine.Admit(httpflv.FromRequest(r), remote)
	return a, reason, a != nil
}

func (s *Server) listen() error {
	open := func(all []netloop.Address, listen func(netloop.Address) (*netloop.Listener, error)) error {
		for _, a := range all {
			ln, err := listen(a)
			if err != nil {
				return err
			}
			s.lns = append(s.lns, ln)
		}
		return nil
	}
	if err := open(s.options.RTMP, s.engine.ListenRTMP); err != nil {
		return err
	}
	return open(s.options.HTTP, s.engine.ListenHTTP)
}

func (s *Server) startAdmin() (err error) {
	if s.options.Admin == "" {
		return nil
	}
	s.admin, err = admin.New(admin.Options{
		Logger: s.log, Listen: s.options.Admin, Server: s, Version: s.options.Version,
		Token:     func() string { return s.live.Load().Token },
		Draining:  s.draining.Load,
		Endpoints: s.options.Endpoints, Collectors: s.options.Collectors,
	})
	if err != nil {
		return err
	}
	s.log.Info("listening", "protocol", "admin", "addr", s.admin.Addr().String())
	return nil
}

// abort undoes what a start that failed half-way did.
func (s *Server) abort() {
	for _, ln := range s.lns {
		ln.Close()
	}
	s.plugins.stopListening()
	s.plugins.close(context.Background())
	if s.engine != nil {
		s.engine.Close()
	}
	if s.web != nil {
		s.web.Close()
	}
	if s.certs != nil {
		s.certs.Close()
	}
}

// Apply puts live options in force. After an error the old ones stay, all of
// them.
func (s *Server) Apply(l Live) error {
	if err := s.web.Apply(s.webSettings(&l)); err != nil {
		return fmt.Errorf("apply http settings: %w", err)
	}
	if s.certs != nil {
		if err := s.certs.Set(l.Certificates); err != nil {
			return errors.Join(err, s.web.Apply(s.live.Load().Web))
		}
	}
	s.engine.SetSettings(s.netSettings(&l))
	s.streams.SetOptions(l.Streams)
	s.live.Store(&l)
	return nil
}

// Run serves until ctx is done, then says good-bye to everybody.
func (s *Server) Run(ctx context.Context) error {
	background, stop := context.WithCancel(context.Background())
	defer stop()
	web := start(s.web.Run)
	private := start(s.runAdmin)
	go s.report(background)
	go s.sweep(background)

	var err error
	select {
	case <-ctx.Done():
	case err = <-web.failed:
	case err = <-private.failed:
	}
	err = errors.Join(err, s.shutdown(web), private.stop())
	s.log.Info("stopped", "uptime", time.Since(s.started).Round(time.Second).String())
	return err
}

func (s *Server) runAdmin(ctx context.Context) error {
	if s.admin == nil {
		<-ctx.Done()
		return nil
	}
	return s.admin.Run(ctx)
}

// part is something that runs until it is stopped or fails.
type part struct {
	cancel context.CancelFunc
	failed chan error // one value, when it has ended
}

func start(run func(context.Context) error) *part {
	ctx, cancel := context.WithCancel(context.Background())
	p := &part{cancel: cancel, failed: make(chan error, 1)}
	go func() {
		p.failed <- run(ctx)
		close(p.failed)
	}()
	return p
}

// stop ends the part and returns what it failed with, if that was not seen
// yet.
func (p *part) stop() error {
	p.cancel()
	return <-p.failed
}

// shutdown takes no more connections, ends those that there are, and stops
// the loops. Whoever does not go in time is cut off.
func (s *Server) shutdown(web *part) error {
	timeout := s.live.Load().Shutdown
	s.log.Info("shutting down", "timeout", timeout.String())
	s.draining.Store(true)
	for _, ln := range s.lns {
		ln.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	web.cancel()
	if err := s.engine.Drain(ctx); err != nil {
		s.log.Warn("connections were cut off", "reason", err.Error())
	}
	if s.options.Drained != nil {
		s.options.Drained()
	}
	s.plugins.stopListening()
	s.plugins.close(ctx)
	var err error
	select {
	case err = <-web.failed:
	case <-ctx.Done():
		err = s.web.Close()
	}
	s.gate.End("server is shutting down")
	err = errors.Join(err, s.engine.Close())
	if s.certs != nil {
		err = errors.Join(err, s.certs.Close())
	}
	return err
}
