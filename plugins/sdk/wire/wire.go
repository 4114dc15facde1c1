// Package wire is what both ends of the plugin protocol agree on: the
// handshake, and values of Go as messages.
package wire

import (
	"fmt"
	"math"
	"time"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/millrace/millrace/core/event"
	pluginv1 "github.com/millrace/millrace/plugins/proto/v1"
)

// Version is the version of the protocol in package pluginv1, as go-plugin
// negotiates it.
const Version = 1

// Name is what the only service of a plugin is called in go-plugin's set.
const Name = "millrace"

// Handshake keeps programs that are no plugins from being taken for one.
func Handshake() plugin.HandshakeConfig {
	return plugin.HandshakeConfig{MagicCookieKey: "MILLRACE_PLUGIN", MagicCookieValue: "3f1c7a52-millrace"}
}

// Stamp is t as a message, nil if it is zero.
func Stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// Time is a message as a time, zero if there is none.
func Time(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

// Struct is a plugin's table as a message.
func Struct(values map[string]any) (*structpb.Struct, error) {
	plain, err := plainValue(values, 0)
	if err != nil {
		return nil, fmt.Errorf("encode configuration: %w", err)
	}
	m, _ := plain.(map[string]any)
	s, err := structpb.NewStruct(m)
	if err != nil {
		return nil, fmt.Errorf("encode configuration: %w", err)
	}
	return s, nil
}

// maxDepth is more than any table has.
const maxDepth = 32

// plainValue makes of what a TOML parser gives what structpb takes.
func plainValue(v any, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("tables nested deeper than %d", maxDepth)
	}
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for key, value := range v {
			p, err := plainValue(value, depth+1)
			if err != nil {
				return nil, err
			}
			m[key] = p
		}
		return m, nil
	case []map[string]any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = v[i]
		}
		return plainValue(list, depth)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			p, err := plainValue(v[i], depth+1)
			if err != nil {
				return nil, err
			}
			list[i] = p
		}
		return list, nil
	case time.Time:
		return v.Format(time.RFC3339Nano), nil
	}
	return v, nil
}

// Values is the table that Struct made a message of, except that whole numbers
// are int64, however they were written.
func Values(s *structpb.Struct) map[string]any {
	m, _ := whole(s.AsMap()).(map[string]any)
	return m
}

func whole(v any) any {
	const maxExact = 1 << 53
	switch v := v.(type) {
	case map[string]any:
		for key := range v {
			v[key] = whole(v[key])
		}
	case []any:
		for i := range v {
			v[i] = whole(v[i])
		}
	case float64:
		if v == math.Trunc(v) && math.Abs(v) <= maxExact {
			return int64(v)
		}
	}
	return v
}

// EventMessage is an event as a message. It shares its maps.
func EventMessage(e *event.Event) *pluginv1.Event {
	return &pluginv1.Event{
		Event: e.Event, Time: Stamp(e.Time),
		App: e.App, Name: e.Name, StreamId: e.StreamID, Session: e.Session,
		ClientId: e.ClientID, Protocol: e.Protocol, RemoteAddr: e.RemoteAddr, Params: e.Params,
		TcUrl: e.TCURL, PageUrl: e.PageURL, FlashVer: e.FlashVer, UserAgent: e.UserAgent,
		Headers: e.Headers, Method: e.Method, Path: e.Path, Host: e.Host,
		VideoCodec: e.VideoCodec, AudioCodec: e.AudioCodec, Width: int64(e.Width), Height: int64(e.Height),
		Fps: e.FPS, SampleRate: int64(e.SampleRate), Channels: int64(e.Channels),
		Reason: e.Reason, BytesIn: e.BytesIn, BytesOut: e.BytesOut, Duration: e.Duration, Gap: e.Gap,
		DroppedFrames: e.DroppedFrames,
		Plugin:        e.Plugin, File: e.File, Url: e.URL, Part: int64(e.Part), Number: e.Number, Size: e.Size,
		Sha256: e.SHA256, Started: Stamp(e.Started), FromSeq: e.FromSeq, ToSeq: e.ToSeq, Labels: e.Labels,
	}
}

// Event is a message as an event. It shares its maps.
func Event(m *pluginv1.Event) event.Event {
	return event.Event{
		Event: m.GetEvent(), Time: Time(m.GetTime()),
		App: m.GetApp(), Name: m.GetName(), StreamID: m.GetStreamId(), Session: m.GetSession(),
		ClientID: m.GetClientId(), Protocol: m.GetProtocol(), RemoteAddr: m.GetRemoteAddr(), Params: m.GetParams(),
		TCURL: m.GetTcUrl(), PageURL: m.GetPageUrl(), FlashVer: m.GetFlashVer(), UserAgent: m.GetUserAgent(),
		Headers: m.GetHeaders(), Method: m.GetMethod(), Path: m.GetPath(), Host: m.GetHost(),
		VideoCodec: m.GetVideoCodec(), AudioCodec: m.GetAudioCodec(), Width: int(m.GetWidth()), Height: int(m.GetHeight()),
		FPS: m.GetFps(), SampleRate: int(m.GetSampleRate()), Channels: int(m.GetChannels()),
		Reason: m.GetReason(), BytesIn: m.GetBytesIn(), BytesOut: m.GetBytesOut(), Duration: m.GetDuration(), Gap: m.GetGap(),
		DroppedFrames: m.GetDroppedFrames(),
		Plugin:        m.GetPlugin(), File: m.GetFile(), URL: m.GetUrl(), Part: int(m.GetPart()), Number: m.GetNumber(), Size: m.GetSize(),
		SHA256: m.GetSha256(), Started: Time(m.GetStarted()), FromSeq: m.GetFromSeq(), ToSeq: m.GetToSeq(), Labels: m.GetLabels(),
	}
}
