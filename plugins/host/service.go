package host

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/plugins/host/place"
	pluginv1 "github.com/millrace/millrace/plugins/proto/v1"
	"github.com/millrace/millrace/plugins/sdk"
	"github.com/millrace/millrace/plugins/sdk/wire"
)

// service is the server as one plugin may use it.
type service struct {
	pluginv1.UnimplementedHostServer
	h *Host
	s *supervisor
}

var _ pluginv1.HostServer = (*service)(nil)

func (v *service) OpenRecord(ctx context.Context, r *pluginv1.OpenRecordRequest) (*pluginv1.OpenRecordResponse, error) {
	at, err := v.h.namer.Open(ctx, v.s.name, sdk.RecordRequest{
		App: r.GetApp(), Name: r.GetName(), Session: r.GetSession(), Kind: r.GetKind(),
		Part: int(r.GetPart()), Ext: r.GetExt(), Started: wire.Time(r.GetStarted()),
	})
	if errors.Is(err, place.ErrRefused) {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	if err != nil {
		return nil, err
	}
	return &pluginv1.OpenRecordResponse{
		Skip: at.Skip, Dir: at.Dir, Name: at.Name, SessionName: at.SessionName,
		Rel: at.Rel, Url: at.URL, Alias: at.Alias, Labels: at.Labels,
	}, nil
}

func (v *service) Announce(_ context.Context, r *pluginv1.AnnounceRequest) (*pluginv1.AnnounceResponse, error) {
	e := wire.Event(r.GetEvent())
	if e.Event != event.Segment && e.Event != event.RecordDone {
		return nil, status.Error(codes.InvalidArgument, fmt.Sprintf("only %s and %s may be announced", event.Segment, event.RecordDone))
	}
	e.Plugin = v.s.name
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	if e.StreamID == "" && e.Name != "" {
		e.StreamID = e.App + "/" + e.Name
	}
	if known, ok := v.h.known(e.Session); ok && e.Labels == nil {
		e.Labels = known.Labels
	}
	v.h.tell(e)
	if v.h.o.Announced != nil {
		v.h.o.Announced(e)
	}
	return &pluginv1.AnnounceResponse{}, nil
}

func (v *service) Kick(_ context.Context, r *pluginv1.KickRequest) (*pluginv1.KickResponse, error) {
	if v.h.o.Kick == nil {
		return &pluginv1.KickResponse{}, nil
	}
	return &pluginv1.KickResponse{Found: v.h.o.Kick(r.GetId(), r.GetReason())}, nil
}

func (v *service) Streams(context.Context, *pluginv1.StreamsRequest) (*pluginv1.StreamsResponse, error) {
	answer := &pluginv1.StreamsResponse{}
	for _, e := range v.s.streams() {
		answer.Streams = append(answer.Streams, wire.EventMessage(&e))
	}
	return answer, nil
}

// metricName is what Prometheus takes behind our prefix.
var metricName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,80}$`)

// maxLabels bounds what one metric can cost.
const maxLabels = 8

func (v *service) ReportMetrics(_ context.Context, r *pluginv1.ReportMetricsRequest) (*pluginv1.ReportMetricsResponse, error) {
	for _, m := range r.GetMetrics() {
		if !metricName.MatchString(m.GetName()) || len(m.GetLabels()) > maxLabels {
			return nil, status.Error(codes.InvalidArgument, fmt.Sprintf("metric %q is not named as it should be, or has too many labels", m.GetName()))
		}
		if v.h.o.Metrics != nil {
			v.h.o.Metrics(Metric{
				Plugin: v.s.name, Name: m.GetName(), Value: m.GetValue(), Labels: m.GetLabels(),
				Counter: m.GetKind() == pluginv1.MetricKind_METRIC_KIND_COUNTER,
			})
		}
	}
	return &pluginv1.ReportMetricsResponse{}, nil
}

func (v *service) ReportStream(_ context.Context, r *pluginv1.ReportStreamRequest) (*pluginv1.ReportStreamResponse, error) {
	v.s.post(func() { v.s.doStreamFailed(r.GetSession(), r.GetError()) })
	return &pluginv1.ReportStreamResponse{}, nil
}
