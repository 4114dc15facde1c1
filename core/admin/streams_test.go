package admin

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

const (
	camJSON = `{"app":"live/eu","name":"cam","state":"live",
		"publisher":{"id":"c1","remote_addr":"192.0.2.1:5000","protocol":"rtmp"},
		"video":{"codec":"h264","width":1280,"height":720,"profile":"high"},
		"audio":{"codec":"aac","sample_rate":48000,"channels":2},
		"viewers":6,"viewers_by_protocol":{"rtmp":1,"http-flv":2,"ws-flv":3},
		"bytes_in":10,"bytes_out":20,"frames_in":30,"bitrate_kbps":40,
		"timestamp_corrections":50,"dropped_frames":60,
		"ring_bytes":70,"ring_frames":80,"gop_frames":90,
		"session":"01J","since":"2026-03-04T05:06:07Z"}`
	radioJSON = `{"app":"live","name":"radio","state":"lost","publisher":null,"video":null,"audio":null,
		"viewers":0,"viewers_by_protocol":{"rtmp":0,"http-flv":0,"ws-flv":0},
		"bytes_in":0,"bytes_out":0,"frames_in":0,"bitrate_kbps":0,
		"timestamp_corrections":0,"dropped_frames":0,
		"ring_bytes":0,"ring_frames":0,"gop_frames":0,
		"session":"01K","since":"2026-03-04T05:06:07Z"}`
)

func TestStreams(t *testing.T) {
	t.Parallel()
	wantJSON(t, get(newHandlerFor(newFake()), "/api/v1/streams"), 200, `{"streams":[`+radioJSON+`,`+camJSON+`]}`)
	wantJSON(t, get(newHandlerFor(&fakeServer{}), "/api/v1/streams"), 200, `{"streams":[]}`)
}

func TestStream(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, path string
		status     int
		want       string
	}{
		{"nested app", "live/eu/cam", 200, camJSON},
		{"nested app, escaped slash", "live%2Feu/cam", 200, camJSON},
		{"plain app", "live/radio", 200, radioJSON},
		{"absent", "live/none", 404, `{"error":"no such stream: live/none"}`},
		{"app of a nested name", "live/eu", 404, `{"error":"no such stream: live/eu"}`},
		{"no app", "cam", 404, `{"error":"no such stream: /cam"}`},
		{"no name", "live/eu/", 404, `{"error":"no such stream: live/eu/"}`},
		{"nothing", "", 404, `{"error":"no such stream: /"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			wantJSON(t, get(newHandlerFor(newFake()), "/api/v1/streams/"+tc.path), tc.status, tc.want)
		})
	}
}

func TestKickStream(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxReason+1)
	for _, tc := range []struct {
		name, target   string
		status         int
		kicked, reason string
	}{
		{"no reason", "live/eu/cam", 204, "live/eu/cam", defaultReason},
		{"reason", "live/eu/cam?reason=" + url.QueryEscape("too loud"), 204, "live/eu/cam", "too loud"},
		{"longest reason", "live/radio?reason=" + long[1:], 204, "live/radio", long[1:]},
		{"too long a reason", "live/radio?reason=" + long, 400, "", ""},
		{"reason that is no text", "live/radio?reason=%ff", 400, "", ""},
		{"absent", "live/none", 404, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			fake := newFake()
			w := request{method: "DELETE", target: "/api/v1/streams/" + tc.target}.do(newHandlerFor(fake))
			if w.Code != tc.status || fake.kicked != tc.kicked || fake.reason != tc.reason {
				t.Errorf("status %d, kicked %q for %q", w.Code, fake.kicked, fake.reason)
			}
			if tc.status == 204 && w.Body.Len() != 0 {
				t.Errorf("204 with a body: %s", w.Body)
			}
		})
	}
}

// TestBelowStream has endpoints below a stream's path found, whose app may
// contain slashes.
func TestBelowStream(t *testing.T) {
	t.Parallel()
	got := ""
	serve := func(r *http.Request) (any, error) {
		app, name := StreamOf(r)
		got = r.Method + " " + app + " " + name + " " + r.PathValue("plugin")
		return nil, nil
	}
	f := newFake()
	h := Handler(Options{Listen: "127.0.0.1:8502", Server: f, Endpoints: []Endpoint{
		{Method: "POST", Pattern: "/api/v1/streams/{stream...}/recordings/{plugin}", Serve: serve},
		{Method: "DELETE", Pattern: "/api/v1/streams/{stream...}/recordings/{plugin}", Serve: serve},
		{Method: "POST", Pattern: "/api/v1/cut/{stream...}", Serve: serve},
	}})
	for _, tt := range []struct {
		method, path string
		status       int
		got          string
	}{
		{"POST", "/api/v1/streams/live/cam/recordings/flv", 204, "POST live cam flv"},
		{"DELETE", "/api/v1/streams/live/eu/cam/recordings/flv", 204, "DELETE live/eu cam flv"},
		{"GET", "/api/v1/streams/live/cam/recordings/flv", 405, ""},
		{"POST", "/api/v1/streams/live/cam", 405, ""},
		{"POST", "/api/v1/streams/live/cam/recordings/", 405, ""},
		{"DELETE", "/api/v1/streams/live/recordings/flv", 404, ""}, // the stream flv
		{"POST", "/api/v1/cut/live/cam", 204, "POST live cam "},
	} {
		got = ""
		if w := (request{method: tt.method, target: tt.path}).do(h); w.Code != tt.status || got != tt.got {
			t.Errorf("%s %s: %d %q", tt.method, tt.path, w.Code, got)
		}
	}
}
