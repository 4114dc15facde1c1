package sdk

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"google.golang.org/grpc"

	"github.com/millrace/millrace/core/event"
	pluginv1 "github.com/millrace/millrace/plugins/proto/v1"
	"github.com/millrace/millrace/plugins/sdk/wire"
)

// host is the server as the plugin sees it.
type host struct {
	conn     *grpc.ClientConn
	client   pluginv1.HostClient
	plane    *plane
	logger   *slog.Logger
	data     string
	state    string
	metrics  *metrics
	reported context.Context
	cancel   context.CancelFunc
}

var _ Host = (*host)(nil)

func newHost(conn *grpc.ClientConn, r *pluginv1.StartRequest, logger *slog.Logger) *host {
	h := &host{
		conn: conn, client: pluginv1.NewHostClient(conn), plane: newPlane(r.GetDataPlane()), logger: logger,
		data: r.GetDataDir(), state: r.GetStateDir(),
	}
	h.reported, h.cancel = context.WithCancel(context.Background())
	h.metrics = newMetrics(h.report)
	return h
}

// close ends what the plugin may no longer use.
func (h *host) close() {
	h.metrics.close()
	h.cancel()
	h.plane.close()
	h.conn.Close()
}

func (h *host) Logger() *slog.Logger { return h.logger }
func (h *host) DataDir() string      { return h.data }
func (h *host) StateDir() string     { return h.state }

func (h *host) OpenRecord(ctx context.Context, r RecordRequest) (RecordPlace, error) {
	a, err := h.client.OpenRecord(ctx, &pluginv1.OpenRecordRequest{
		App: r.App, Name: r.Name, Session: r.Session, Kind: r.Kind, Part: uint32(r.Part), Ext: r.Ext, Started: wire.Stamp(r.Started),
	})
	if err != nil {
		return RecordPlace{}, fmt.Errorf("open record: %w", err)
	}
	return RecordPlace{
		Skip: a.GetSkip(), Dir: a.GetDir(), Name: a.GetName(), SessionName: a.GetSessionName(),
		Rel: a.GetRel(), URL: a.GetUrl(), Alias: a.GetAlias(), Labels: a.GetLabels(),
	}, nil
}

func (h *host) Announce(ctx context.Context, e event.Event) error {
	if _, err := h.client.Announce(ctx, &pluginv1.AnnounceRequest{Event: wire.EventMessage(&e)}); err != nil {
		return fmt.Errorf("announce: %w", err)
	}
	return nil
}

func (h *host) Kick(ctx context.Context, id, reason string) (bool, error) {
	a, err := h.client.Kick(ctx, &pluginv1.KickRequest{Id: id, Reason: reason})
	if err != nil {
		return false, fmt.Errorf("kick: %w", err)
	}
	return a.GetFound(), nil
}

func (h *host) Streams(ctx context.Context) ([]event.Event, error) {
	a, err := h.client.Streams(ctx, &pluginv1.StreamsRequest{})
	if err != nil {
		return nil, fmt.Errorf("list streams: %w", err)
	}
	all := make([]event.Event, 0, len(a.GetStreams()))
	for _, m := range a.GetStreams() {
		all = append(all, wire.Event(m))
	}
	return all, nil
}

func (h *host) Gauge(name string, value float64, labels ...string) {
	h.metrics.set(name, value, labels)
}

func (h *host) Count(name string, add float64, labels ...string) {
	h.metrics.add(name, add, labels)
}

// callTimeout is how long the server may take to note something.
const callTimeout = 5 * time.Second

func (h *host) report(all []*pluginv1.Metric) {
	ctx, cancel := context.WithTimeout(h.reported, callTimeout)
	defer cancel()
	if _, err := h.client.ReportMetrics(ctx, &pluginv1.ReportMetricsRequest{Metrics: all}); err != nil {
		h.logger.Debug("metrics were not taken", "error", err)
	}
}

// streamFailed has the server attach a session once more, after a while.
func (h *host) streamFailed(session string, reason error) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	if _, err := h.client.ReportStream(ctx, &pluginv1.ReportStreamRequest{Session: session, Error: reason.Error()}); err != nil {
		h.logger.Debug("the end of a stream was not reported", "error", err)
	}
}
