package core

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"github.com/millrace/millrace/core/httpflv"
	"github.com/millrace/millrace/core/netloop"
	"github.com/millrace/millrace/core/object"
	"github.com/millrace/millrace/core/web"
)

// PluginSocket is where processes that the server did not start find it.
type PluginSocket struct {
	Path string // "": nowhere
	Mode os.FileMode
	// Token is what they show; it is good for media and events.
	Token string
}

// PluginSocketName is that of the plugins' own socket, in Options.PluginDir.
const PluginSocketName = "plugins.sock"

// maxSocketPath is the longest path of a unix socket, in bytes (unix(7)); the
// engine makes it under a name that is longer by 4.
const maxSocketPath = 107 - 4

// foreign is the name of those who show PluginSocket.Token.
const foreign = "plugin_socket"

// pluginFront serves plugins with net/http: what is not a stream.
type pluginFront struct {
	path    string // of the private socket; "": there is none
	lns     []*netloop.Listener
	handoff *web.Handoff
	http    *http.Server
	ended   chan struct{}
	stop    context.CancelFunc // ends event streams
}

// PluginSocketPath is the socket that the server's own plugins use; "": there
// is none.
func (s *Server) PluginSocketPath() string { return s.plugins.path }

// startPlugins opens the plugins' sockets, if any are wanted.
func (s *Server) startPlugins() error {
	if s.options.PluginDir == "" && s.options.PluginSocket.Path == "" {
		return nil
	}
	s.startPluginHTTP()
	if err := s.listenPrivate(); err != nil {
		return err
	}
	return s.listenForeign()
}

func (s *Server) startPluginHTTP() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /events", s.serveEvents)
	mux.Handle(object.Prefix, s.objectHandler())
	mux.HandleFunc("/", misdirected)
	f := &s.plugins
	ctx, stop := context.WithCancel(context.Background())
	f.stop, f.ended = stop, make(chan struct{})
	f.http = &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: s.options.Live.Net.Limits.RequestHeaderTimeout,
		IdleTimeout:       s.options.Live.Net.Limits.IdleTimeout,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	go func() {
		defer close(f.ended)
		if err := f.http.Serve(f.handoff); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			s.log.Error("plugins' HTTP server failed", "reason", err.Error())
		}
	}()
}

// misdirected answers what net/http does not have. A stream it cannot have: the
// event loop serves those, on a connection that asked for nothing else before.
func misdirected(w http.ResponseWriter, r *http.Request) {
	if _, ok := httpflv.ParseLive(httpflv.FromRequest(r), httpflv.Reserved); !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Connection", "close")
	http.Error(w, "a stream needs a connection of its own: ask again on a new one", http.StatusMisdirectedRequest)
}

// listenPrivate opens the socket for the server's own plugins, in a folder
// that nobody else can enter.
func (s *Server) listenPrivate() error {
	dir := s.options.PluginDir
	if dir == "" {
		return nil
	}
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.Chmod(dir, 0o700)); err != nil {
		return fmt.Errorf("make folder of the plugins' socket: %w", err)
	}
	path := filepath.Join(dir, PluginSocketName)
	if err := s.listenPlugins(path, 0o600); err != nil {
		return err
	}
	s.plugins.path = path
	return nil
}

func (s *Server) listenForeign() error {
	p := s.options.PluginSocket
	if p.Path == "" {
		return nil
	}
	if p.Token == "" {
		return errors.New("plugin_socket.path needs plugin_socket.token")
	}
	s.tokens.set(p.Token, Holder{foreign, Rights{Media: true, Events: true}})
	return s.listenPlugins(p.Path, p.Mode)
}

func (s *Server) listenPlugins(path string, mode os.FileMode) error {
	if len(path) > maxSocketPath {
		return fmt.Errorf("path of a socket has more than %d bytes: %s", maxSocketPath, path)
	}
	ln, err := s.engine.ListenPlugins(path, mode)
	if err != nil {
		return err
	}
	s.plugins.lns = append(s.plugins.lns, ln)
	return nil
}

// deliverPlugin takes a plugin's connection that asks for no stream.
func (s *Server) deliverPlugin(c net.Conn, prefix []byte) error {
	return s.plugins.handoff.Deliver(c, prefix, nil)
}

// stopListening takes no more plugins.
func (f *pluginFront) stopListening() {
	for _, ln := range f.lns {
		ln.Close()
	}
}

// close ends event streams once they have told what there is, and then all
// else.
func (f *pluginFront) close(ctx context.Context) {
	if f.http == nil {
		return
	}
	f.stop()
	if f.http.Shutdown(ctx) != nil {
		f.http.Close()
	}
	f.handoff.Close()
	<-f.ended
}
