package admin

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestClientsShape(t *testing.T) {
	t.Parallel()
	fake := newFake()
	wantJSON(t, get(newHandlerFor(fake), "/api/v1/clients?protocol=ws-flv"), 200, `{"clients":[
		{"id":"c2","protocol":"ws-flv","role":"player","tls":true,"app":"live/eu","name":"cam",
		"remote_addr":"192.0.2.2:6000","user_agent":"Chromium","bytes_in":1,"bytes_out":2,
		"lag_ms":3,"dropped_frames":4,"socket_queue":5,"since":"2026-03-04T05:06:07Z"}]}`)
	if !fake.hasDeadline {
		t.Error("the loops were asked without a deadline")
	}
	wantJSON(t, get(newHandlerFor(&fakeServer{}), "/api/v1/clients"), 200, `{"clients":[]}`)
}

func TestClientsFilter(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, query, want string }{
		{"all, oldest first", "", "c1 c2 c3"},
		{"role", "?role=publisher", "c1"},
		{"protocol", "?protocol=http", "c3"},
		{"app and name", "?app=live/eu&name=cam", "c1 c2"},
		{"everything", "?role=player&app=live/eu&name=cam&protocol=ws-flv", "c2"},
		{"empty value", "?app=", "c1 c2 c3"},
		{"none", "?name=x", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := get(newHandlerFor(newFake()), "/api/v1/clients"+tc.query)
			var answer struct{ Clients []struct{ ID string } }
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != 200 {
				t.Fatalf("status %d, %v", w.Code, err)
			}
			var ids []string
			for _, c := range answer.Clients {
				ids = append(ids, c.ID)
			}
			if got := strings.Join(ids, " "); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestClientsRefused(t *testing.T) {
	t.Parallel()
	h := newHandlerFor(newFake())
	wantJSON(t, get(h, "/api/v1/clients?role=viewer"), 400,
		`{"error":"role \"viewer\" is not one of publisher, player, waiting, idle, plugin"}`)
	wantJSON(t, get(h, "/api/v1/clients?protocol=dash"), 400,
		`{"error":"protocol \"dash\" is not one of rtmp, http-flv, ws-flv, http, plugin, hls, mp4, flv"}`)

	stuck := newFake()
	stuck.clientsErr = errors.New("loop 1 is stuck")
	wantJSON(t, get(newHandlerFor(stuck), "/api/v1/clients"), 503, `{"error":"list clients: loop 1 is stuck"}`)
}

func TestKickClient(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, target   string
		err            error
		status         int
		kicked, reason string
	}{
		{"no reason", "c2", nil, 204, "c2", defaultReason},
		{"reason", "c2?reason=bye", nil, 204, "c2", "bye"},
		{"reason that is no text", "c2?reason=%ff", nil, 400, "", ""},
		{"absent", "c9", nil, 404, "", ""},
		{"no id", "", nil, 404, "", ""},
		{"stuck loop", "c9", errors.New("loop 1 is stuck"), 503, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			fake := newFake()
			fake.clientsErr = tc.err
			w := request{method: "DELETE", target: "/api/v1/clients/" + tc.target}.do(newHandlerFor(fake))
			if w.Code != tc.status || fake.kicked != tc.kicked || fake.reason != tc.reason {
				t.Errorf("status %d, kicked %q for %q: %s", w.Code, fake.kicked, fake.reason, w.Body)
			}
			if tc.kicked != "" && !fake.hasDeadline {
				t.Error("the loop was asked without a deadline")
			}
		})
	}
}
