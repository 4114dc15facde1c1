package admin

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// fakeServer answers from its fields and keeps what it was asked to kick. One
// test owns it; only stats is asked from other goroutines.
type fakeServer struct {
	streams    []StreamStatus
	clients    []ClientStatus
	clientsErr error
	changed    []Change
	reloadErr  error
	stats      Stats
	scrapes    atomic.Int64

	kicked      string // app/name or client id
	reason      string
	hasDeadline bool
}

func (f *fakeServer) Streams() []StreamStatus { return append([]StreamStatus(nil), f.streams...) }

func (f *fakeServer) Stream(app, name string) (StreamStatus, bool) {
	for _, s := range f.streams {
		if s.App == app && s.Name == name {
			return s, true
		}
	}
	return StreamStatus{}, false
}

func (f *fakeServer) Clients(ctx context.Context) ([]ClientStatus, error) {
	_, f.hasDeadline = ctx.Deadline()
	return append([]ClientStatus(nil), f.clients...), f.clientsErr
}

func (f *fakeServer) KickStream(app, name, reason string) bool {
	_, ok := f.Stream(app, name)
	if ok {
		f.kicked, f.reason = app+"/"+name, reason
	}
	return ok
}

func (f *fakeServer) KickClient(ctx context.Context, id, reason string) (bool, error) {
	_, f.hasDeadline = ctx.Deadline()
	for _, c := range f.clients {
		if c.ID == id {
			f.kicked, f.reason = id, reason
			return true, f.clientsErr
		}
	}
	return false, f.clientsErr
}

func (f *fakeServer) Reload() ([]Change, error) { return f.changed, f.reloadErr }

func (f *fakeServer) Stats() Stats {
	f.scrapes.Add(1)
	return f.stats
}

var _ Server = (*fakeServer)(nil)

var since = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func newFake() *fakeServer {
	return &fakeServer{
		streams: []StreamStatus{
			{
				App: "live/eu", Name: "cam", State: StateLive,
				Publisher:            &PublisherStatus{ID: "c1", RemoteAddr: "192.0.2.1:5000", Protocol: ProtocolRTMP},
				Video:                &VideoStatus{Codec: "h264", Width: 1280, Height: 720, Profile: "high"},
				Audio:                &AudioStatus{Codec: "aac", SampleRate: 48000, Channels: 2},
				Viewers:              6,
				ViewersByProtocol:    ViewerCounts{RTMP: 1, HTTPFLV: 2, WSFLV: 3},
				BytesIn:              10,
				BytesOut:             20,
				FramesIn:             30,
				BitrateKbps:          40,
				TimestampCorrections: 50,
				DroppedFrames:        60,
				RingBytes:            70,
				RingFrames:           80,
				GOPFrames:            90,
				Session:              "01J",
				Since:                since,
			},
			{App: "live", Name: "radio", State: StateLost, Session: "01K", Since: since},
		},
		clients: []ClientStatus{
			{ID: "c3", Protocol: ProtocolHTTP, Role: RoleIdle, Since: since.Add(time.Second)},
			{ID: "c2", Protocol: ProtocolWSFLV, Role: RolePlayer, TLS: true, App: "live/eu", Name: "cam",
				RemoteAddr: "192.0.2.2:6000", UserAgent: "Chromium", BytesIn: 1, BytesOut: 2,
				LagMS: 3, DroppedFrames: 4, SocketQueue: 5, Since: since},
			{ID: "c1", Protocol: ProtocolRTMP, Role: RolePublisher, App: "live/eu", Name: "cam", Since: since},
		},
	}
}

// request is one exchange with a handler on 127.0.0.1:8502.
type request struct {
	method, target string
	host           string // "" is the listener's own
	header         map[string]string
}

func (q request) do(h http.Handler) *httptest.ResponseRecorder {
	r := httptest.NewRequest(q.method, q.target, http.NoBody)
	r.Host = "127.0.0.1:8502"
	if q.host != "" {
		r.Host = q.host
	}
	for k, v := range q.header {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func newHandlerFor(s Server) http.Handler {
	return Handler(Options{Listen: "127.0.0.1:8502", Server: s, Version: "1.2.3"})
}

func get(h http.Handler, target string) *httptest.ResponseRecorder {
	return request{method: "GET", target: target}.do(h)
}

// wantJSON checks status, headers and the exact body, white space apart.
func wantJSON(t *testing.T, w *httptest.ResponseRecorder, status int, want string) {
	t.Helper()
	if w.Code != status {
		t.Errorf("status %d, want %d", w.Code, status)
	}
	if ct := w.Header().Get("Content-Type"); ct != "application/json" {
		t.Errorf("Content-Type %q", ct)
	}
	if cc := w.Header().Get("Cache-Control"); cc != "no-store" {
		t.Errorf("Cache-Control %q", cc)
	}
	body, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := compact(t, string(body)), compact(t, want); got != want {
		t.Errorf("body\n%s\nwant\n%s", got, want)
	}
}

// compact removes white space between tokens; keys keep their order.
func compact(t *testing.T, s string) string {
	t.Helper()
	var b strings.Builder
	raw := json.RawMessage(s)
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(raw); err != nil {
		t.Fatalf("%v in %s", err, s)
	}
	return b.String()
}
