package core

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/core/certificate"
	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/netloop"
	"github.com/millrace/millrace/core/object"
	"github.com/millrace/millrace/core/stream"
)

// secured has a server's HTTP listener speak TLS.
func secured(t *testing.T) func(*Options) {
	t.Helper()
	dir := t.TempDir()
	p := certificate.Pair{Cert: filepath.Join(dir, "c.pem"), Key: filepath.Join(dir, "c.key")}
	c, err := certificate.SelfSigned(time.Hour, "localhost")
	if err == nil {
		err = certificate.Save(c, p)
	}
	if err != nil {
		t.Fatal(err)
	}
	return func(o *Options) {
		o.HTTP[0].TLS = true
		o.Live.Net.Limits.TLSHandshakes = 10
		o.Live.Certificates = []certificate.Pair{p}
	}
}

// browser is a client of r that speaks a version of HTTP over one connection.
func (r *running) browser(version int) *http.Client {
	tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: version == 2}
	r.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: patience}
}

func (r *running) url(path string) string { return "https://" + r.lns[0].Addr().String() + path }

// get returns the status and the body.
func (r *running) get(c *http.Client, path string) (int, string) {
	r.t.Helper()
	a, err := c.Get(r.url(path))
	if err != nil {
		r.t.Fatal(err)
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return a.StatusCode, string(b)
}

// doorkeeper decides about connections.
type doorkeeper struct {
	mu    sync.Mutex
	asked []event.Event
	v     event.Verdict
}

func (d *doorkeeper) Wants(name string) bool { return name == event.Connect }
func (d *doorkeeper) Notify(*event.Event)    {}

func (d *doorkeeper) Decide(e *event.Event, done func(event.Verdict)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, *e)
	go done(d.v)
}

// seen are the events that it was asked about; v is its verdict from now on.
func (d *doorkeeper) seen(v event.Verdict) []event.Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.v = v
	return d.asked
}

// TestConnectOverHTTP2 asks once about a connection, whatever it is for: who is
// refused gets no file either.
func TestConnectOverHTTP2(t *testing.T) {
	t.Parallel()
	for _, version := range []int{1, 2} {
		for _, path := range []string{"/streams.json", "/hls/live/a/1.ts", "/live/none.flv?wait=0"} {
			t.Run(fmt.Sprint(version, path), func(t *testing.T) {
				t.Parallel()
				d := &doorkeeper{v: event.Verdict{Reason: "not you"}}
				r := run(t, secured(t), func(o *Options) { o.Hooks, o.Live.Web.List = d, true })
				r.put("hls/live/a/1.ts")
				if code, body := r.get(r.browser(version), path); code != http.StatusForbidden || body == "" {
					t.Errorf("%d %q", code, body)
				}
				if e := d.seen(event.Verdict{Allow: true})[0]; e.Path == "" || e.Host == "" || e.Headers["user-agent"] == "" || e.RemoteAddr == "" {
					t.Errorf("asked about %+v", e)
				}
				c := r.browser(version)
				for range 3 {
					if code, _ := r.get(c, path); code == http.StatusForbidden {
						t.Error("refused")
					}
				}
				if n := len(d.seen(event.Verdict{})); n != 2 {
					t.Errorf("asked %d times", n)
				}
			})
		}
	}
}

func (r *running) put(path string) { r.putBody(path, []byte("x")) }

func (r *running) putBody(path string, body []byte) {
	r.t.Helper()
	if err := r.Objects().Grant("p", []string{"hls"}, 4<<20); err != nil {
		r.t.Fatal(err)
	}
	if err := r.Objects().Put("p", object.Put{Path: path, Body: body, TTL: time.Hour}); err != nil {
		r.t.Fatal(err)
	}
}

// TestMaxDurationOverHTTP2 ends a viewer whose connection has had its time.
func TestMaxDurationOverHTTP2(t *testing.T) {
	t.Parallel()
	d := &doorkeeper{v: event.Verdict{Allow: true, Limits: event.Limits{MaxDuration: 5 * time.Second}}}
	r := run(t, secured(t), func(o *Options) { o.Hooks = d })
	r.publish(stream.Key{App: "live", Name: "cam"})
	if code, body := r.get(r.browser(2), "/live/cam.flv"); code != http.StatusOK || len(body) < 13 {
		t.Errorf("%d, %d bytes", code, len(body))
	}
}

// TestFileMaxDurationOverHTTP2 ends a download whose connection has had its
// time.
func TestFileMaxDurationOverHTTP2(t *testing.T) {
	t.Parallel()
	d := &doorkeeper{v: event.Verdict{Allow: true, Limits: event.Limits{MaxDuration: 3 * time.Second, Rate: 10_000}}}
	r := run(t, secured(t), func(o *Options) { o.Hooks = d })
	r.putBody("hls/live/a/1.ts", make([]byte, 3<<20)) // for five minutes at that rate
	answer, err := r.browser(2).Get(r.url("/hls/live/a/1.ts"))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if n, err := io.Copy(io.Discard, answer.Body); err == nil || os.IsTimeout(err) || answer.StatusCode != http.StatusOK {
		t.Errorf("%s, %d bytes, %v", answer.Status, n, err)
	}
}

// TestObjectsOverTLS stay with net/http, for as many requests as there are on
// a connection: the loops would give each back.
func TestObjectsOverTLS(t *testing.T) {
	t.Parallel()
	r := run(t, secured(t), func(o *Options) { o.HTTP = append(o.HTTP, netloop.Address{Addr: "127.0.0.1:0"}) })
	r.put("hls/live/a/1.ts")
	c := r.browser(1)
	for range 5 {
		if code, body := r.get(c, "/hls/live/a/1.ts"); code != http.StatusOK || body != "x" {
			t.Errorf("%d %q", code, body)
		}
	}
	second, err := net.Dial("tcp", r.lns[1].Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	var all []netloop.ClientStatus
	for deadline := time.Now().Add(patience); len(all) == 0 && err == nil && time.Now().Before(deadline); {
		all, err = r.engine.Clients(t.Context())
	}
	if err != nil || len(all) != 1 || !strings.HasSuffix(all[0].ID, "-2") { // the loops have had one before
		t.Errorf("%+v, %v", all, err)
	}
}
