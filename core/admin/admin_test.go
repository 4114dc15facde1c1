package admin

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"
)

func newAdmin(t *testing.T, o Options) *Admin {
	t.Helper()
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if o.Server == nil {
		o.Server = newFake()
	}
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// start runs a and returns what ends it: cancel, and Run's answer.
func start(t *testing.T, a *Admin) (context.CancelFunc, <-chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(cancel)
	return cancel, done
}

func fetch(t *testing.T, method, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func wantEnd(t *testing.T, done <-chan error) {
	t.Helper()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("Run did not end")
	}
}

func TestRunServesUntilCancelled(t *testing.T) {
	t.Parallel()
	a := newAdmin(t, Options{})
	cancel, done := start(t, a)
	url := "http://" + a.Addr().String()
	if status, body := fetch(t, "GET", url+"/healthz"); status != 200 || body != "ok" {
		t.Errorf("health: %d %q", status, body)
	}
	if status, body := fetch(t, "GET", url+"/api/v1/streams/live/eu/cam"); status != 200 {
		t.Errorf("stream: %d %s", status, body)
	}
	if status, body := fetch(t, "DELETE", url+"/api/v1/streams/live/eu/cam"); status != 204 || body != "" {
		t.Errorf("kick: %d %s", status, body)
	}
	if status, body := fetch(t, "HEAD", url+"/metrics"); status != 200 || body != "" {
		t.Errorf("head: %d %s", status, body)
	}
	cancel()
	wantEnd(t, done)
	if _, err := net.DialTimeout("tcp", a.Addr().String(), time.Minute); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial after the end: %v", err)
	}
}

func TestRunEndsDuringProfile(t *testing.T) {
	t.Parallel()
	a := newAdmin(t, Options{})
	cancel, done := start(t, a)
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		resp, err := http.Get("http://" + a.Addr().String() + "/debug/pprof/trace?seconds=600")
		if err == nil {
			// The header comes with the first bytes of the trace.
			cancel()
			_, _ = io.Copy(io.Discard, resp.Body) // cut off or ended: both are an end
			_ = resp.Body.Close()
		}
	}()
	wantEnd(t, done)
	<-asked
}

func TestCloseEndsRun(t *testing.T) {
	t.Parallel()
	a := newAdmin(t, Options{})
	_, done := start(t, a)
	fetch(t, "GET", "http://"+a.Addr().String()+"/healthz")
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	wantEnd(t, done)
}

func TestCloseWithoutRunFreesAddress(t *testing.T) {
	t.Parallel()
	a := newAdmin(t, Options{})
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := net.DialTimeout("tcp", a.Addr().String(), time.Minute); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial after Close: %v", err)
	}
	if err := a.Run(t.Context()); err != nil {
		t.Errorf("Run after Close: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	taken := newAdmin(t, Options{}).Addr().String()
	for _, tc := range []struct {
		name string
		o    Options
		want error
	}{
		{"taken", Options{Listen: taken, Server: newFake()}, syscall.EADDRINUSE},
		{"everybody, no token", Options{Listen: ":0", Server: newFake()}, ErrTokenRequired},
		{"no server", Options{Listen: "127.0.0.1:0"}, nil},
		{"no address", Options{Listen: "nonsense", Server: newFake()}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, err := New(tc.o)
			if err == nil {
				_ = a.Close()
				t.Fatal("no error")
			}
			if tc.want != nil && !errors.Is(err, tc.want) {
				t.Errorf("%v, want %v", err, tc.want)
			}
		})
	}
}

func TestNewWithTokenMayBindEverything(t *testing.T) {
	t.Parallel()
	a := newAdmin(t, Options{Listen: ":0", Token: func() string { return "s3cret" }})
	start(t, a)
	_, port, err := net.SplitHostPort(a.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if status, _ := fetch(t, "GET", "http://127.0.0.1:"+port+"/api/v1/version"); status != 401 {
		t.Errorf("status %d", status)
	}
}
