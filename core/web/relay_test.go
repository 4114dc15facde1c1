package web

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace/millrace/core/certificate"
)

// fakeTunnel answers a request as a loop would. Whole once end was called.
type fakeTunnel struct {
	net.Conn
	whole *atomic.Bool
}

func (t fakeTunnel) Rate() int64 { return 0 }

func (t fakeTunnel) Whole() bool { return t.whole.Load() }

func (t fakeTunnel) ReadInto(buffer func() []byte) (int, error) { return t.Read(buffer()) }

// tunnels stand in for the loops: answer is what they say.
type tunnels struct {
	answer func(out net.Conn, whole *atomic.Bool)

	mu       sync.Mutex
	requests []string
	remotes  []string
}

func (l *tunnels) open(request []byte, remote net.Addr, _ Admission) (Tunnel, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests = append(l.requests, string(request))
	l.remotes = append(l.remotes, remote.String())
	if l.answer == nil {
		return nil, errors.New("full")
	}
	near, far := net.Pipe()
	whole := new(atomic.Bool)
	go l.answer(far, whole)
	return fakeTunnel{near, whole}, nil
}

// startHTTP2 runs a server whose connections all speak HTTP/2, and returns a
// client of it.
func startHTTP2(t *testing.T, l *tunnels, settings Settings) (*http.Client, string) {
	t.Helper()
	_, client, url := startAdmitting(t, l, settings, nil)
	return client, url
}

// startAdmitting is startHTTP2 with an Options.Admit.
func startAdmitting(t *testing.T, l *tunnels, settings Settings, admit func(*http.Request) (Admission, string, bool)) (*Server, *http.Client, string) {
	t.Helper()
	own, err := certificate.SelfSigned(time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{own}, NextProtos: []string{"h2"}}
	ln := listen(t)
	out := NewHandoff(ln.Addr())
	s, err := New(Options{
		Handoff: out, Settings: settings, IsLive: func(r *http.Request) bool { return live(r.URL.Path) },
		ReturnToLoop: func(net.Conn, []byte, net.Addr) error { return errors.New("not by HTTP/2") }, Tunnel: l.open,
		Admit: admit,
	})
	if err != nil {
		t.Fatal(err)
	}
	run(t, s)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_ = out.DeliverTLS(tls.Server(c, config))
		}
	}()
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(transport.CloseIdleConnections)
	return s, &http.Client{Transport: transport}, "https://" + ln.Addr().String()
}

const liveAnswer = "HTTP/1.0 200 OK\r\nContent-Type: video/x-flv\r\nX-Loop: 1\r\nConnection: close\r\n\r\n"

// TestRelay takes a request to the loop and its answer back.
func TestRelay(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("frame ", 100_000)
	l := &tunnels{answer: func(out net.Conn, whole *atomic.Bool) {
		_, _ = io.WriteString(out, liveAnswer+body)
		whole.Store(true)
		out.Close()
	}}
	client, url := startHTTP2(t, l, Settings{})
	answer, err := client.Get(url + "/live/x.flv?a=b")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	if err != nil || string(got) != body || answer.ProtoMajor != 2 {
		t.Errorf("%d bytes over %s, %v", len(got), answer.Proto, err)
	}
	if h := answer.Header; h.Get("X-Loop") != "1" || h.Get("Content-Type") != "video/x-flv" || h.Get("Connection") != "" {
		t.Errorf("header %v", h)
	}
	if r := l.requests[0]; !strings.HasPrefix(r, "GET /live/x.flv?a=b HTTP/1.0\r\nHost: 127.0.0.1:") || !strings.HasSuffix(r, "\r\n\r\n") {
		t.Errorf("request %q", r)
	}
	if !strings.HasPrefix(l.remotes[0], "127.0.0.1:") {
		t.Errorf("remote %s", l.remotes[0])
	}
}

// TestRelayRefusal brings whole answers.
func TestRelayRefusal(t *testing.T) {
	t.Parallel()
	l := &tunnels{answer: func(out net.Conn, _ *atomic.Bool) {
		_, _ = io.WriteString(out, "HTTP/1.0 404 Not Found\r\nContent-Length: 3\r\n\r\nno\n")
		out.Close()
	}}
	client, url := startHTTP2(t, l, Settings{})
	answer, err := client.Get(url + "/live/x.flv")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if got, err := io.ReadAll(answer.Body); err != nil || string(got) != "no\n" || answer.StatusCode != http.StatusNotFound {
		t.Errorf("%d %q, %v", answer.StatusCode, got, err)
	}
	l.mu.Lock()
	l.answer = nil
	l.mu.Unlock()
	full, err := client.Get(url + "/live/x.flv")
	if err != nil {
		t.Fatal(err)
	}
	defer full.Body.Close()
	if full.StatusCode != http.StatusServiceUnavailable || full.Header.Get("Retry-After") == "" {
		t.Errorf("no room: %d %v", full.StatusCode, full.Header)
	}
}

// TestRelayCut does not let a cut pass for an end.
func TestRelayCut(t *testing.T) {
	t.Parallel()
	for name, said := range map[string]string{"in the body": liveAnswer + "frame", "before it": "HTTP/1.0 200"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := &tunnels{answer: func(out net.Conn, _ *atomic.Bool) {
				_, _ = io.WriteString(out, said)
				out.Close()
			}}
			client, url := startHTTP2(t, l, Settings{})
			answer, err := client.Get(url + "/live/x.flv")
			if err == nil {
				_, err = io.ReadAll(answer.Body)
				answer.Body.Close()
			}
			if err == nil {
				t.Error("it passes for an end")
			}
		})
	}
}

// TestRelayGone closes the tunnel of a viewer that goes.
func TestRelayGone(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	l := &tunnels{answer: func(out net.Conn, _ *atomic.Bool) {
		_, _ = io.WriteString(out, liveAnswer+"frame")
		_, _ = io.Copy(io.Discard, out)
		close(gone)
	}}
	client, url := startHTTP2(t, l, Settings{StallTimeout: time.Minute})
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/live/x.flv", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := io.ReadFull(answer.Body, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	cancel()
	select {
	case <-gone:
	case <-time.After(patience):
		t.Error("the tunnel stays")
	}
}
