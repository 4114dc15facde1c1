package admin

import (
	"strings"
	"testing"
)

func TestToken(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, token, target, authorization string
		status                             int
	}{
		{"right", "s3cret", "/api/v1/version", "Bearer s3cret", 200},
		{"scheme in another case", "s3cret", "/api/v1/version", "bearer s3cret", 200},
		{"wrong", "s3cret", "/api/v1/version", "Bearer s3creT", 401},
		{"prefix", "s3cret", "/api/v1/version", "Bearer s3cre", 401},
		{"longer", "s3cret", "/api/v1/version", "Bearer s3crets", 401},
		{"empty", "s3cret", "/api/v1/version", "Bearer ", 401},
		{"none", "s3cret", "/api/v1/version", "", 401},
		{"basic", "s3cret", "/api/v1/version", "Basic s3cret", 401},
		{"scheme alone", "s3cret", "/api/v1/version", "Bearer", 401},
		{"metrics", "s3cret", "/metrics", "", 401},
		{"metrics with it", "s3cret", "/metrics", "Bearer s3cret", 200},
		{"pprof", "s3cret", "/debug/pprof/", "", 401},
		{"index", "s3cret", "/", "", 401},
		{"unknown path", "s3cret", "/x", "", 401},
		{"unclean path", "s3cret", "/healthz/../api/v1/version", "", 401},
		{"health", "s3cret", "/healthz", "", 200},
		{"no token needed", "", "/api/v1/version", "", 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := Handler(Options{Listen: "127.0.0.1:8502", Server: newFake(), Token: func() string { return tc.token }})
			w := request{method: "GET", target: tc.target, header: map[string]string{"Authorization": tc.authorization}}.do(h)
			if w.Code != tc.status {
				t.Errorf("status %d, want %d", w.Code, tc.status)
			}
			challenge := w.Header().Get("WWW-Authenticate")
			if (challenge != "") != (tc.status == 401) || challenge != "" && !strings.HasPrefix(challenge, "Bearer") {
				t.Errorf("WWW-Authenticate %q with %d", challenge, w.Code)
			}
		})
	}
}

func TestTokenIsAskedEachTime(t *testing.T) {
	t.Parallel()
	token := ""
	h := Handler(Options{Listen: "127.0.0.1:8502", Server: newFake(), Token: func() string { return token }})
	for _, step := range []struct {
		token  string
		status int
	}{{"", 200}, {"a", 401}, {"", 200}} {
		token = step.token
		if w := get(h, "/api/v1/version"); w.Code != step.status {
			t.Errorf("token %q: status %d, want %d", step.token, w.Code, step.status)
		}
	}
}

var hostCases = []struct {
	listen, host string
	status       int
}{
	{"127.0.0.1:8502", "127.0.0.1:8502", 200},
	{"127.0.0.1:8502", "localhost:8502", 200},
	{"127.0.0.1:8502", "LOCALHOST", 200},
	{"127.0.0.1:8502", "localhost:9000", 200}, // ssh -L 9000:localhost:8502
	{"127.0.0.1:8502", "127.0.0.2", 200},
	{"127.0.0.1:8502", "[::1]:8502", 200},
	{"127.0.0.1:8502", "[::1]", 200},
	{"[::1]:8502", "[::1]:8502", 200},
	{"localhost:8502", "localhost:8502", 200},
	{"127.0.0.1:8502", "evil.example:8502", 403},
	{"127.0.0.1:8502", "evil.example", 403},
	{"127.0.0.1:8502", "localhost.evil.example:8502", 403},
	{"127.0.0.1:8502", "127.0.0.1.evil.example:8502", 403},
	{"127.0.0.1:8502", "0.0.0.0:8502", 403},
	{"127.0.0.1:8502", "192.0.2.1:8502", 403},
	{"127.0.0.1:8502", " ", 403},
	{"127.0.0.1:8502", "localhost:@evil.example", 403},
	{"127.0.0.1:8502", "localhost/evil.example", 403},
	{"127.0.0.1:8502", "localhost:port", 403},
	// Not loopback and no token: nobody.
	{"192.0.2.1:8502", "192.0.2.1:8502", 403},
	{"192.0.2.1:8502", "localhost:8502", 403},
	{":8502", "localhost:8502", 403},
	{"", "localhost:8502", 403},
}

func TestRebinding(t *testing.T) {
	t.Parallel()
	for _, tc := range hostCases {
		t.Run(tc.listen+" as "+tc.host, func(t *testing.T) {
			t.Parallel()
			h := Handler(Options{Listen: tc.listen, Server: newFake()})
			w := request{method: "GET", target: "/api/v1/streams", host: tc.host}.do(h)
			if w.Code != tc.status {
				t.Errorf("status %d, want %d: %s", w.Code, tc.status, w.Body)
			}
			if tc.status == 403 && !strings.Contains(w.Body.String(), "admin.token") {
				t.Errorf("no way out is named: %s", w.Body)
			}
			if w := (request{method: "GET", target: "/healthz", host: tc.host}).do(h); w.Code != 200 {
				t.Errorf("health: status %d", w.Code)
			}
		})
	}
}

func TestGuardBelievesConfiguredName(t *testing.T) {
	t.Parallel()
	none := func() string { return "" }
	g := newGuard(none, "127.0.0.2:8502", "admin.internal:8502")
	for host, want := range map[string]bool{"Admin.Internal": true, "127.0.0.2": true, "internal": false, "": false} {
		if g.isOurs(host) != want {
			t.Errorf("host %q: %v, want %v", host, !want, want)
		}
	}
}

func TestCrossOrigin(t *testing.T) {
	t.Parallel()
	const reload, streams, profile = "/api/v1/config/reload", "/api/v1/streams", "/debug/pprof/heap"
	for _, tc := range []struct {
		name, method, target string
		header               map[string]string
		status               int
	}{
		{"program", "POST", reload, nil, 200},
		{"our page", "POST", reload, map[string]string{"Origin": "http://127.0.0.1:8502"}, 200},
		{"our page, new browser", "POST", reload, map[string]string{"Origin": "http://127.0.0.1:8502", "Sec-Fetch-Site": "same-origin"}, 200},
		{"foreign page", "POST", reload, map[string]string{"Origin": "http://evil.example"}, 403},
		{"page on another port", "POST", reload, map[string]string{"Origin": "http://127.0.0.1:3000"}, 403},
		{"page without origin", "POST", reload, map[string]string{"Origin": "null"}, 403},
		{"origin that is no URL", "POST", reload, map[string]string{"Origin": "http://[::1"}, 403},
		{"foreign page, new browser", "POST", reload, map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"same site, other origin", "POST", reload, map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		{"kick from a foreign page", "DELETE", streams + "/live/radio", map[string]string{"Origin": "http://evil.example"}, 403},
		{"a read changes nothing", "GET", streams, map[string]string{"Origin": "http://evil.example"}, 200},
		{"profile from a foreign page", "GET", profile, map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"profile typed in", "GET", profile, map[string]string{"Sec-Fetch-Site": "none"}, 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			fake := newFake()
			w := request{method: tc.method, target: tc.target, header: tc.header}.do(newHandlerFor(fake))
			if w.Code != tc.status {
				t.Errorf("status %d, want %d", w.Code, tc.status)
			}
			if tc.status == 403 && (fake.kicked != "" || !strings.Contains(w.Body.String(), "cross-origin")) {
				t.Errorf("kicked %q, body %s", fake.kicked, w.Body)
			}
			if cors := w.Header().Get("Access-Control-Allow-Origin"); cors != "" {
				t.Errorf("foreign pages may read: %q", cors)
			}
		})
	}
}

func TestTokenMakesHostFree(t *testing.T) {
	t.Parallel()
	h := Handler(Options{Listen: ":8502", Server: newFake(), Token: func() string { return "s3cret" }})
	w := request{method: "POST", target: "/api/v1/config/reload", host: "stats.example",
		header: map[string]string{"Authorization": "Bearer s3cret"}}.do(h)
	if w.Code != 200 {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
}

// FuzzHost holds the reading of Host against that of package net: who is
// taken for a loopback address is one there too.
func FuzzHost(f *testing.F) {
	for _, tc := range hostCases {
		f.Add(tc.host)
	}
	g := newGuard(func() string { return "" }, "127.0.0.1:8502")
	f.Fuzz(func(t *testing.T, host string) {
		if g.isOurs(host) && !isLoopback(hostname(host)) {
			t.Errorf("host %q is taken for ours, but names %q", host, hostname(host))
		}
	})
}
