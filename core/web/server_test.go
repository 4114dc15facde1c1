package web

import (
	"context"
	"encoding/json"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	h := NewHandoff(&net.TCPAddr{})
	for name, o := range map[string]Options{
		"no handoff":      {},
		"half of the way": {Handoff: h, IsLive: func(*http.Request) bool { return true }},
		"absent www_dir":  {Handoff: h, Settings: Settings{WWWDir: filepath.Join(t.TempDir(), "absent")}},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestStreams(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 11, 21, 12, 0, 0, 5e8, time.FixedZone("", 3600))
	infos := []StreamInfo{
		{App: "live", Name: "b"},
		{
			App: "live/eu", Name: "a b", Video: "H.264", Audio: "AAC", Width: 1280, Height: 720,
			FPS: 29.970029, BitrateKbps: 2100, Viewers: 3, Since: since,
		},
		{App: "live", Name: "a", FPS: math.NaN()},
	}
	_, addr := start(t, Options{Settings: Settings{List: true}, Streams: func() []StreamInfo { return infos }})
	a := get(t, addr, "GET /streams.json HTTP/1.1")
	if a.StatusCode != http.StatusOK || a.Header.Get("Content-Type") != "application/json" || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s %v", a.Status, a.Header)
	}
	var got []map[string]any
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || len(got) != 3 {
		t.Fatalf("%v in %s", err, a.body)
	}
	if got[0]["name"] != "a" || got[1]["name"] != "b" || got[0]["fps"] != 0.0 || got[0]["since"] != "" {
		t.Errorf("order or unknown values: %s", a.body)
	}
	want := map[string]any{
		"app": "live/eu", "name": "a b", "url": "/live/eu/a%20b.flv", "video": "H.264", "audio": "AAC",
		"width": 1280.0, "height": 720.0, "fps": 29.97, "bitrate_kbps": 2100.0, "viewers": 3.0,
		"since": "2026-11-21T11:00:00Z",
	}
	for k, v := range want {
		if got[2][k] != v {
			t.Errorf("%s = %v, want %v", k, got[2][k], v)
		}
	}
	if len(got[2]) != len(want) {
		t.Errorf("more fields than documented: %v", got[2])
	}
}

func TestApply(t *testing.T) {
	t.Parallel()
	s, addr := start(t, Options{})
	list := func() int { return get(t, addr, "GET /streams.json HTTP/1.1").StatusCode }
	if got := list(); got != http.StatusNotFound {
		t.Errorf("list off: %d", got)
	}
	if err := s.Apply(Settings{List: true}); err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(Settings{WWWDir: "/absent/folder"}); err == nil {
		t.Error("Apply took a www_dir that does not exist")
	}
	if got := list(); got != http.StatusOK {
		t.Errorf("list on: %d", got)
	}
}

func TestCORS(t *testing.T) {
	t.Parallel()
	const here, there = "https://here.test", "https://there.test"
	for _, tt := range []struct {
		name          string
		allowed       []string
		origin, allow string
		vary          bool
	}{
		{"all", []string{"*"}, there, "*", false},
		{"all, no origin", []string{"*"}, "", "*", false},
		{"none", nil, there, "", false},
		{"listed", []string{here, there}, there, there, true},
		{"not listed", []string{here}, there, "", true},
		{"no origin", []string{here}, "", "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, addr := start(t, Options{Settings: Settings{List: true, CORSOrigins: tt.allowed}})
			for _, method := range []string{"GET", "OPTIONS"} {
				a := get(t, addr, method+" /streams.json HTTP/1.1", "Origin: "+tt.origin)
				if got := a.Header.Get("Access-Control-Allow-Origin"); got != tt.allow {
					t.Errorf("%s: allowed %q, want %q", method, got, tt.allow)
				}
				if got := a.Header.Get("Vary") == "Origin"; got != tt.vary {
					t.Errorf("%s: Vary %q", method, a.Header.Get("Vary"))
				}
				preflight := a.Header.Get("Access-Control-Allow-Methods") != ""
				if want := method == "OPTIONS" && tt.allow != ""; preflight != want {
					t.Errorf("%s: preflight headers %v, want %v", method, preflight, want)
				}
			}
		})
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	_, addr := start(t, Options{Settings: Settings{List: true}})
	for _, tt := range []struct {
		request string
		status  int
		close   bool
	}{
		{"GET /streams.json HTTP/1.1", 200, false},
		{"HEAD /streams.json HTTP/1.1", 200, false},
		{"OPTIONS /streams.json HTTP/1.1", 204, false},
		{"OPTIONS /no/such HTTP/1.1", 204, false},
		{"DELETE /streams.json HTTP/1.1", 405, false},
		{"POST / HTTP/1.1\r\nContent-Length: 1000", 405, true},
		{"PUT /x HTTP/1.1\r\nTransfer-Encoding: chunked", 405, true},
	} {
		a := get(t, addr, tt.request)
		if a.StatusCode != tt.status || a.Close != tt.close {
			t.Errorf("%q: %s, close %v", tt.request, a.Status, a.Close)
		}
		needsAllow := tt.status == 405 || tt.status == 204
		if got := a.Header.Get("Allow"); (got == allowedMethods) != needsAllow {
			t.Errorf("%q: Allow %q", tt.request, got)
		}
	}
}

// TestSlowBody holds that a body that never comes does not hold a connection.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	_, addr := start(t, Options{HeaderTimeout: 500 * time.Millisecond})
	c := dial(t, addr)
	send(t, c, "POST / HTTP/1.1\r\nHost: m\r\nContent-Length: 1000\r\n\r\nx")
	if a := c.next("POST"); a.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("%s", a.Status)
	}
	expectEnd(t, c)
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Options{
		"header": {HeaderTimeout: 500 * time.Millisecond, IdleTimeout: time.Hour},
		"idle":   {HeaderTimeout: time.Hour, IdleTimeout: 500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, addr := start(t, o)
			c := dial(t, addr)
			c.do("GET /absent HTTP/1.1")
			if name == "header" {
				send(t, c, "GET / HTTP")
			}
			expectEnd(t, c)
		})
	}
}

func TestHeaderTooLarge(t *testing.T) {
	t.Parallel()
	_, addr := start(t, Options{MaxHeaderBytes: 8 << 10})
	c := dial(t, addr)
	c.do("GET /absent HTTP/1.1") // leaves the loop, whose own limit is another
	if a := c.do("GET / HTTP/1.1", "X: "+strings.Repeat("x", 20<<10)); a.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%s", a.Status)
	}
}

// TestPanic holds that a panic ends one request: the connection lives on.
func TestPanic(t *testing.T) {
	t.Parallel()
	log, text := logTo()
	_, addr := start(t, Options{
		Logger: log, Settings: Settings{List: true},
		Streams: func() []StreamInfo { panic("out of fish") },
	})
	c := dial(t, addr)
	for range 2 {
		if a := c.do("GET /streams.json HTTP/1.1"); a.StatusCode != http.StatusInternalServerError {
			t.Errorf("%s", a.Status)
		}
	}
	if !strings.Contains(text(), "out of fish") {
		t.Errorf("the log does not name the panic: %s", text())
	}
}

// TestPanicMidAnswer holds that half an answer is not taken for a whole one.
func TestPanicMidAnswer(t *testing.T) {
	t.Parallel()
	s, _ := start(t, Options{})
	near, far := tcpPair(t)
	h := NewHandoff(near.LocalAddr())
	srv := &http.Server{ErrorLog: s.http.ErrorLog, Handler: s.surviving(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		_, _ = w.Write([]byte("half"))
		panic("oh")
	})}
	go func() { _ = srv.Serve(h) }() // ends with Close
	t.Cleanup(func() { _ = srv.Close() })
	if err := h.Deliver(near, []byte("GET / HTTP/1.0\r\n\r\n"), nil); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(clientOn(t, far).in, nil)
	if err == nil {
		_, err = resp.Body.Read(make([]byte, 10))
		for err == nil {
			_, err = resp.Body.Read(make([]byte, 10))
		}
	}
	if err.Error() == "EOF" {
		t.Error("a cut answer passed for a whole one")
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	p := pages{fstest.MapFS{
		"index.html":         {Data: []byte("<!doctype html><title>x</title>")},
		"assets/app-Hash.js": {Data: []byte("export {}")},
		"assets/app-Hash.cs": {Data: []byte("x")},
		"licenses.md":        {Data: []byte("MIT")},
		".keep":              {Data: []byte("no")},
	}}
	_, addr := start(t, Options{}, func(s *Server) { s.pages = p })

	for _, path := range []string{"/", "/index.html", "/?stream=live/a"} {
		a := get(t, addr, "GET "+path+" HTTP/1.1")
		if a.StatusCode != 200 || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") || a.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %s %v", path, a.Status, a.Header)
		}
		if a.Header.Get("Content-Security-Policy") == "" || a.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: security headers %v", path, a.Header)
		}
		if b := get(t, addr, "GET "+path+" HTTP/1.1", "If-None-Match: "+a.Header.Get("ETag")); b.StatusCode != 304 {
			t.Errorf("%s again: %s", path, b.Status)
		}
	}
	a := get(t, addr, "GET /assets/app-Hash.js HTTP/1.1")
	if a.body != "export {}" || !strings.Contains(a.Header.Get("Content-Type"), "javascript") || !strings.Contains(a.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("asset: %s %v", a.Status, a.Header)
	}
	if a := get(t, addr, "GET /licenses.md HTTP/1.1"); a.body != "MIT" || a.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("file that is neither: %s %v", a.Status, a.Header)
	}
	for _, path := range []string{"/.keep", "/assets", "/assets/", "/assets/none.js", "/assets/..%2f..%2fhandoff.go", "/live/absent"} {
		a := get(t, addr, "GET "+path+" HTTP/1.1")
		if a.StatusCode != 404 || strings.Contains(a.Header.Get("Cache-Control"), "immutable") || !strings.Contains(a.body, "there is no page at") {
			t.Errorf("%s: %s %v %q", path, a.Status, a.Header, a.body)
		}
	}
}

func TestPagesNotBuilt(t *testing.T) {
	t.Parallel()
	notBuilt := pages{fstest.MapFS{".keep": {}}}
	_, addr := start(t, Options{}, func(s *Server) { s.pages = notBuilt })
	a := get(t, addr, "GET / HTTP/1.1")
	if a.StatusCode != http.StatusServiceUnavailable || a.body != "pages were not built: run make build\n" {
		t.Errorf("%s %q", a.Status, a.body)
	}
}

func TestWWWDir(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "outside")
	write(t, outside, "outside")
	write(t, filepath.Join(dir, "index.html"), "mine")
	write(t, filepath.Join(dir, "a.txt"), "0123456789")
	write(t, filepath.Join(dir, "sub/index.html"), "sub")
	write(t, filepath.Join(dir, "bare/b.txt"), "b")
	write(t, filepath.Join(dir, ".env"), "secret")
	write(t, filepath.Join(dir, ".git/config"), "secret")
	write(t, filepath.Join(dir, ".well-known/security.txt"), "known")
	for name, target := range map[string]string{"inside.txt": "a.txt", "escape": outside, "up": "../"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}

	_, addr := start(t, Options{Settings: Settings{WWWDir: dir}})
	for _, tt := range []struct {
		path   string
		status int
		body   string
	}{
		{"/", 200, "mine"},
		{"/a.txt", 200, "0123456789"},
		{"/sub/", 200, "sub"},
		{"/sub", 301, ""},
		{"/index.html", 301, ""},
		{"/inside.txt", 200, "0123456789"},
		{"/.well-known/security.txt", 200, "known"},
		{"/bare/", 404, ""},
		{"/bare/b.txt", 200, "b"},
		{"/escape", 404, ""},
		{"/up/outside", 404, ""},
		{"/.env", 404, ""},
		{"/.git/config", 404, ""},
		{"/pipe", 404, ""},
		{"/none", 404, ""},
		{"/a%00b", 404, ""},
		{"/..%2f..%2fetc/passwd", 404, ""},
		{"/%2e%2e/outside", 404, ""},
		{"/sub/../a.txt", 307, ""}, // ServeMux cleans the path
		{"/assets/app.js", 404, ""},
	} {
		a := get(t, addr, "GET "+tt.path+" HTTP/1.1")
		if a.StatusCode != tt.status || (tt.body != "" && a.body != tt.body) {
			t.Errorf("%s: %s %q", tt.path, a.Status, a.body)
		}
		if tt.status == 404 && !strings.HasPrefix(a.body, "there is no page at ") {
			t.Errorf("%s: %q", tt.path, a.body)
		}
	}
	a := get(t, addr, "GET /a.txt HTTP/1.1", "Range: bytes=2-4")
	if a.StatusCode != http.StatusPartialContent || a.body != "234" {
		t.Errorf("range: %s %q", a.Status, a.body)
	}
}

// TestWWWDirReplaced holds that the folder is looked up anew.
func TestWWWDirReplaced(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "www")
	write(t, filepath.Join(dir, "index.html"), "old")
	_, addr := start(t, Options{Settings: Settings{WWWDir: dir}})
	if err := os.Rename(dir, dir+".old"); err != nil {
		t.Fatal(err)
	}
	if a := get(t, addr, "GET / HTTP/1.1"); a.StatusCode != http.StatusInternalServerError {
		t.Errorf("gone: %s", a.Status)
	}
	write(t, filepath.Join(dir, "index.html"), "new")
	if a := get(t, addr, "GET / HTTP/1.1"); a.body != "new" {
		t.Errorf("replaced: %s %q", a.Status, a.body)
	}
}

// TestShutdown holds that Run lets a request finish, refuses newcomers and
// returns; and that one which does not finish is cut.
func TestShutdown(t *testing.T) {
	t.Parallel()
	for _, finishes := range []bool{true, false} {
		t.Run(map[bool]string{true: "finishes", false: "cut"}[finishes], func(t *testing.T) {
			t.Parallel()
			entered, release := make(chan struct{}), make(chan struct{})
			near, far := tcpPair(t)
			h := NewHandoff(near.LocalAddr())
			s, err := New(Options{
				Handoff: h, ShutdownTimeout: shutdownFor(finishes), Settings: Settings{List: true},
				Streams: func() []StreamInfo { close(entered); <-release; return nil },
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { done <- s.Run(ctx) }()
			if err := h.Deliver(near, []byte("GET /streams.json HTTP/1.1\r\nHost: m\r\n\r\n"), nil); err != nil {
				t.Fatal(err)
			}
			<-entered
			cancel()
			if !finishes {
				defer close(release)
				expectRun(t, done)
				expectEnd(t, clientOn(t, far))
				return
			}
			untilRefused(t, h)
			close(release)
			if a := clientOn(t, far).next("GET"); a.body != "[]\n" {
				t.Errorf("%s %q", a.Status, a.body)
			}
			expectRun(t, done)
		})
	}
}

func shutdownFor(finishes bool) time.Duration {
	if finishes {
		return time.Hour
	}
	return 20 * time.Millisecond
}

func TestCloseBeforeRun(t *testing.T) {
	t.Parallel()
	s, err := New(Options{Handoff: NewHandoff(&net.TCPAddr{})})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Run(context.Background()); err != nil {
		t.Errorf("Run after Close: %v", err)
	}
}

// untilRefused waits until h takes no more connections.
func untilRefused(t *testing.T, h *Handoff) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		c, peer := net.Pipe()
		err := h.Deliver(c, nil, nil)
		_ = peer.Close()
		if err != nil {
			return
		}
	}
	t.Fatal("the handoff still takes connections")
}

func expectRun(t *testing.T, done <-chan error) {
	t.Helper()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("Run: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("Run does not return")
	}
}

// expectEnd reads c to its end, which must come without a further answer but
// for net/http's own word (400, 408) on a head that did not come in time.
func expectEnd(t *testing.T, c *client) {
	t.Helper()
	buf := make([]byte, 512)
	for {
		n, err := c.in.Read(buf)
		if err == nil && strings.HasPrefix(string(buf[:n]), "HTTP/1.1 40") {
			continue
		}
		if ne, ok := err.(net.Error); n > 0 || (ok && ne.Timeout()) {
			t.Errorf("read %q, %v; want the end", buf[:n], err)
		}
		if err != nil {
			return
		}
	}
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
