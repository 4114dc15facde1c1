package sdk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	pluginv1 "github.com/millrace/millrace/plugins/proto/v1"
	"github.com/millrace/millrace/plugins/sdk/wire"
)

var errNoClient = errors.New("the SDK has no client of plugins")

// server answers the server's calls by calling the plugin.
type server struct {
	pluginv1.UnimplementedPluginServer
	p      Plugin
	logger *slog.Logger
	dial   func(id uint32) (*grpc.ClientConn, error)
	exit   func(code int)
	losing sync.Once
	// finished is closed when the plugin's Stop has returned.
	finished chan struct{}

	mu      sync.Mutex
	state   state
	host    *host
	streams map[string]*stream // by session
}

// state is where a process is in its life.
type state uint8

const (
	fresh state = iota
	running
	stopped
)

func newServer(p Plugin, logger *slog.Logger) *server {
	return &server{p: p, logger: logger, exit: os.Exit, finished: make(chan struct{}), streams: map[string]*stream{}}
}

var _ pluginv1.PluginServer = (*server)(nil)

func (s *server) Info(context.Context, *pluginv1.InfoRequest) (*pluginv1.InfoResponse, error) {
	i := s.p.Info()
	c := &pluginv1.Capabilities{Events: i.Events, Objects: i.Objects, Handover: i.Handover}
	if m := i.Media; m != nil {
		c.Media = &pluginv1.MediaWanted{
			Streams: m.Streams, Codecs: m.Codecs, Merge: durationpb.New(m.Merge), AllTracks: m.AllTracks, OnDemand: m.OnDemand,
		}
	}
	return &pluginv1.InfoResponse{Name: i.Name, Version: i.Version, Capabilities: c}, nil
}

func (s *server) Configure(_ context.Context, r *pluginv1.ConfigureRequest) (*pluginv1.ConfigureResponse, error) {
	answer := &pluginv1.ConfigureResponse{}
	for _, p := range s.p.Configure(Config{Values: wire.Values(r.GetConfig())}) {
		answer.Problems = append(answer.Problems, &pluginv1.Problem{Key: p.Key, Message: p.Message})
	}
	return answer, nil
}

func (s *server) Start(ctx context.Context, r *pluginv1.StartRequest) (*pluginv1.StartResponse, error) {
	if err := s.begin(); err != nil {
		return nil, err
	}
	if err := s.start(ctx, r); err != nil {
		s.setStopped()
		close(s.finished)
		return nil, err
	}
	return &pluginv1.StartResponse{}, nil
}

func (s *server) start(ctx context.Context, r *pluginv1.StartRequest) error {
	if t := r.GetDataPlane().GetTransport(); t != transportUnix {
		return fmt.Errorf("the data plane's transport is %q; this SDK knows %q", t, transportUnix)
	}
	conn, err := s.dial(r.GetHostService())
	if err != nil {
		return fmt.Errorf("reach the server's service: %w", err)
	}
	h := newHost(conn, r, s.logger)
	s.mu.Lock()
	s.host = h
	s.mu.Unlock()
	if err := s.p.Start(ctx, h); err != nil {
		h.close()
		return err
	}
	return nil
}

func (s *server) begin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != fresh {
		return status.Error(codes.FailedPrecondition, "started before")
	}
	s.state = running
	return nil
}

// Stop ends the work: the process exits when the server closes the connection.
func (s *server) Stop(ctx context.Context, _ *pluginv1.StopRequest) (*pluginv1.StopResponse, error) {
	s.detachAll(ctx, Stopped, "the plugin is stopped")
	if s.setStopped() != running {
		return &pluginv1.StopResponse{}, nil
	}
	defer close(s.finished)
	err := s.p.Stop(ctx)
	s.host.close()
	if err != nil {
		return nil, fmt.Errorf("stop: %w", err)
	}
	return &pluginv1.StopResponse{}, nil
}

// setStopped makes the state stopped, and returns what it was.
func (s *server) setStopped() state {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.state
	s.state = stopped
	return was
}

// awaitStop waits for a Stop that is under way.
func (s *server) awaitStop(ctx context.Context) {
	select {
	case <-s.finished:
	case <-ctx.Done():
	}
}

// Drain puts all streams on disk.
func (s *server) Drain(ctx context.Context, _ *pluginv1.DrainRequest) (*pluginv1.DrainResponse, error) {
	s.detachAll(ctx, Stopped, "drained")
	return &pluginv1.DrainResponse{}, nil
}

func (s *server) detachAll(ctx context.Context, why Why, reason string) {
	s.mu.Lock()
	all := make([]*stream, 0, len(s.streams))
	for _, st := range s.streams {
		all = append(all, st)
	}
	s.mu.Unlock()
	var wg sync.WaitGroup
	for _, st := range all {
		wg.Go(func() { st.detach(ctx, request{why: why, reason: reason}) })
	}
	wg.Wait()
}

func (s *server) Health(ctx context.Context, _ *pluginv1.HealthRequest) (*pluginv1.HealthResponse, error) {
	answer := &pluginv1.HealthResponse{}
	if c, ok := s.p.(HealthChecker); ok {
		if err := c.Health(ctx); err != nil {
			answer.Error = err.Error()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range s.streams {
		answer.Streams = append(answer.Streams, st.health(time.Now()))
	}
	return answer, nil
}

// HandleEvents gives the plugin one event after the other until the server
// ends the call.
func (s *server) HandleEvents(events grpc.ClientStreamingServer[pluginv1.HandleEventsRequest, pluginv1.HandleEventsResponse]) error {
	handler, _ := s.p.(EventHandler)
	for {
		r, err := events.Recv()
		if errors.Is(err, io.EOF) {
			return events.SendAndClose(&pluginv1.HandleEventsResponse{})
		}
		if err != nil {
			return err
		}
		if r.GetDropped() > 0 {
			s.logger.Warn("events were dropped because the plugin is slow", "dropped", r.GetDropped())
		}
		if handler != nil {
			e := wire.Event(r.GetEvent())
			handler.HandleEvent(events.Context(), &e)
		}
	}
}

// Attach begins a stream. A session that is attached already is answered as
// an error.
func (s *server) Attach(ctx context.Context, r *pluginv1.AttachRequest) (*pluginv1.AttachResponse, error) {
	recorder, ok := s.p.(Recorder)
	if !ok {
		return nil, status.Error(codes.Unimplemented, "the plugin takes no media")
	}
	st, err := s.add(r)
	if err != nil {
		return nil, err
	}
	if err := st.begin(ctx, recorder, r); err != nil {
		s.remove(st)
		st.abandon(err)
		return nil, fmt.Errorf("attach %s/%s: %w", r.GetApp(), r.GetName(), err)
	}
	return &pluginv1.AttachResponse{}, nil
}

func (s *server) add(r *pluginv1.AttachRequest) (*stream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != running || s.host == nil {
		return nil, status.Error(codes.FailedPrecondition, "not started, or stopped")
	}
	if s.streams[r.GetSession()] != nil {
		return nil, status.Error(codes.AlreadyExists, "this session is attached")
	}
	media := s.p.Info().Media
	st := newStream(s, r, media != nil && media.AllTracks)
	s.streams[r.GetSession()] = st
	return st, nil
}

func (s *server) remove(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams[st.at.Session] == st {
		delete(s.streams, st.at.Session)
	}
}

// Detach ends a stream. One that is not attached ended by an error, or never
// was.
func (s *server) Detach(ctx context.Context, r *pluginv1.DetachRequest) (*pluginv1.DetachResponse, error) {
	s.mu.Lock()
	st := s.streams[r.GetSession()]
	s.mu.Unlock()
	if st == nil {
		return nil, status.Error(codes.NotFound, "this session is not attached")
	}
	want := request{why: whyOf(r.GetReason()), reason: r.GetMessage(), atKeyframe: r.GetAtKeyframe(), end: r.GetEndSeq()}
	if timeout := r.GetTimeout().AsDuration(); timeout > 0 {
		want.deadline = time.Now().Add(timeout)
	}
	d, at, err := st.detach(ctx, want)
	if err != nil {
		return nil, fmt.Errorf("detach: %w", err)
	}
	return &pluginv1.DetachResponse{AtSeq: at, DurableSeq: d.Durable, Handover: d.Handover}, nil
}

func whyOf(r pluginv1.DetachReason) Why {
	switch r {
	case pluginv1.DetachReason_DETACH_REASON_ENDED:
		return Ended
	case pluginv1.DetachReason_DETACH_REASON_HANDOVER:
		return Handover
	}
	return Stopped
}
