package sdk

import (
	"context"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/stats"

	pluginv1 "github.com/millrace/millrace/plugins/proto/v1"
	"github.com/millrace/millrace/plugins/sdk/wire"
)

// Serve is the main function of a plugin's program: it serves the plugin that
// factory makes until the server stops it, and ends the process when the
// server is gone.
func Serve(factory func() Plugin) {
	logger := newLogger(os.Stderr) // go-plugin replaces os.Stderr
	s := newServer(factory(), logger)
	watch := &connections{gone: s.lose}
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	// Nobody reads the log of a process whose server is gone: a line must not
	// end it before its files are closed. Not ignored, since its own children
	// would inherit that.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	go func() {
		<-terminated
		s.lose()
	}()
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  wire.Handshake(),
		VersionedPlugins: map[int]plugin.PluginSet{wire.Version: {wire.Name: &service{server: s}}},
		Logger:           hclog.NewNullLogger(),
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(opts, grpc.StatsHandler(watch),
				grpc.InitialWindowSize(window), grpc.InitialConnWindowSize(window))...)
		},
	})
	s.lose()
}

// window is how many bytes of events may be on their way, or wait for a plugin
// that is slow: a fixed size, since gRPC would let it grow to 16 MiB.
const window = 64 << 10

// service registers the server with go-plugin.
type service struct {
	plugin.NetRPCUnsupportedPlugin
	server *server
}

var _ plugin.GRPCPlugin = (*service)(nil)

func (p *service) GRPCServer(broker *plugin.GRPCBroker, s *grpc.Server) error {
	p.server.dial = func(id uint32) (*grpc.ClientConn, error) { return broker.Dial(id) }
	pluginv1.RegisterPluginServer(s, p.server)
	return nil
}

func (*service) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errNoClient
}

// connections notices when the server's only connection ends: the server
// exited, or was killed.
type connections struct {
	open atomic.Int64
	gone func()
}

func (c *connections) HandleConn(_ context.Context, s stats.ConnStats) {
	switch s.(type) {
	case *stats.ConnBegin:
		c.open.Add(1)
	case *stats.ConnEnd:
		if c.open.Add(-1) == 0 {
			go c.gone()
		}
	}
}

func (c *connections) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (c *connections) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (c *connections) HandleRPC(context.Context, stats.RPCStats)                         {}

// lostTimeout is how long a plugin may take to put everything on disk when
// the server is gone.
const lostTimeout = 5 * time.Second

// lose detaches all streams because the server is gone, and exits, with all
// that the plugin started. After Stop it exits only.
func (s *server) lose() {
	s.losing.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), lostTimeout)
		defer cancel()
		switch s.setStopped() {
		case running:
			s.logger.Warn("server is gone, closing what is open")
			s.detachAll(ctx, Lost, "the server is gone")
			endGroup()
		case stopped:
			s.awaitStop(ctx)
		}
		s.exit(0)
	})
}

// endGroup ends the process with all that it started, as the server would.
func endGroup() {
	if pid := os.Getpid(); syscall.Getpgrp() == pid {
		_ = syscall.Kill(-pid, syscall.SIGKILL)
	}
}
