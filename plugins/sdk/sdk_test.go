package sdk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	pluginv1 "github.com/millrace/millrace/plugins/proto/v1"
)

func TestRefreshObjects(t *testing.T) {
	t.Parallel()
	h := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method+" "+r.RequestURI+" "+r.Header.Get("Millrace-TTL") != "PATCH /objects/hls/a%20b/keys/ 1m30s" {
			w.WriteHeader(http.StatusMethodNotAllowed) // as a server from before it does
			return
		}
		_, _ = io.WriteString(w, "hls/a b/keys/1\nhls/a b/keys/2\n")
	})
	got, err := h.RefreshObjects(t.Context(), "hls/a b/keys/", 90*time.Second)
	if err != nil || !reflect.DeepEqual(got, []string{"hls/a b/keys/1", "hls/a b/keys/2"}) {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := h.RefreshObjects(t.Context(), "hls/other/", time.Second); err == nil {
		t.Errorf("%q", got)
	}
}

func TestLogLines(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	l := newLogger(&b)
	l.With("stream_id", "live/cam").WithGroup("g").Warn("a message", "time", "noon", "level", 3)
	var got map[string]any
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	stamp, _ := got["@timestamp"].(string)
	if _, err := time.Parse(hclogTime, stamp); err != nil {
		t.Error(err)
	}
	delete(got, "@timestamp")
	want := map[string]any{
		"@level": "warn", "@message": "a message", "stream_id": "live/cam",
		"g": map[string]any{"time": "noon", "level": 3.0},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
	b.Reset()
	l.Info("odd", slog.TimeKey, 1, slog.LevelKey, "x")
	if !json.Valid(b.Bytes()) {
		t.Errorf("%s", b.Bytes())
	}
}

func TestMetricsAreGathered(t *testing.T) {
	t.Parallel()
	var all []*pluginv1.Metric
	m := newMetrics(func(some []*pluginv1.Metric) { all = append(all, some...) })
	for range 3 {
		m.add("frames", 2, []string{"stream", "a"})
		m.set("depth", 7, nil)
	}
	m.add("frames", 1, []string{"stream", "b", "odd"})
	m.close()
	got := map[string]float64{}
	for _, x := range all {
		got[x.GetName()+x.GetLabels()["stream"]] += x.GetValue()
	}
	// A tick may have come between.
	if got["framesa"] != 6 || got["framesb"] != 1 || got["depth"] < 7 {
		t.Errorf("%v", got)
	}
}

// connKey is where a request's context names its connection.
type connKey struct{}

// serve answers on a unix socket, and returns a plane that uses it.
func serve(t testing.TB, h http.HandlerFunc) *host {
	t.Helper()
	dir, err := os.MkdirTemp("", "sdk-")
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var conns atomic.Int64
	s := &http.Server{Handler: h, ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, strconv.FormatInt(conns.Add(1), 10))
	}}
	go s.Serve(l)
	t.Cleanup(func() {
		s.Close()
		os.RemoveAll(dir)
	})
	return &host{plane: newPlane(&pluginv1.DataPlane{Socket: socket, Token: "secret"})}
}

func TestObjects(t *testing.T) {
	t.Parallel()
	type request struct {
		line, body string
		header     http.Header
	}
	var got request
	status := http.StatusCreated
	h := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got = request{r.Method + " " + r.RequestURI, string(b), r.Header}
		w.Header().Set("ETag", `"tag"`)
		w.WriteHeader(status)
	})
	ctx := t.Context()
	err := h.PutObject(ctx, Object{
		Path: "hls/live~x/a b,c.m3u8", ContentType: "text/plain", CacheControl: "max-age=1", TTL: 90 * time.Second,
		Body: []byte("body"), Delta: []byte("delta"), Blocking: true, MSN: 4, Part: 2, Hint: "hls/next", Parts: []string{"p/1", "p/2,3"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got.line != "PUT /objects/hls/live~x/a%20b%2Cc.m3u8" || got.body != "bodydelta" {
		t.Errorf("%s\n%s", got.line, got.body)
	}
	for name, want := range map[string]string{
		"Authorization": "Bearer secret", "Content-Type": "text/plain", "Cache-Control": "max-age=1",
		"Millrace-TTL": "1m30s", "Millrace-Delta": "5", "Millrace-Blocking": "1", "Millrace-MSN": "4",
		"Millrace-Part": "2", "Millrace-Hint": "hls/next", "Millrace-Parts": "p/1,p/2%2C3", "Content-Length": "9",
	} {
		if v := got.header.Get(name); v != want {
			t.Errorf("%s is %q, want %q", name, v, want)
		}
	}
	if tag, err := h.GrowObject(ctx, Object{Path: "hls/a", Body: []byte("more"), Delta: []byte("delta")}, `"old"`, 7); err != nil || tag != `"tag"` {
		t.Errorf("tag %s: %v", tag, err)
	}
	if got.line != "PATCH /objects/hls/a" || got.body != "moredelta" || got.header.Get("If-Match") != `"old"` ||
		got.header.Get("Millrace-Keep") != "7" || got.header.Get("Millrace-Delta") != "5" {
		t.Errorf("%s %v\n%s", got.line, got.header, got.body)
	}
	if tag, err := h.GrowObject(ctx, Object{Path: "hls/a"}, "", 0); err != nil || tag != `"tag"` || got.line != "PUT /objects/hls/a" {
		t.Errorf("tag %s: %v, %s", tag, err, got.line)
	}
	status = http.StatusPreconditionFailed
	if _, err := h.GrowObject(ctx, Object{Path: "hls/a"}, `"old"`, 7); !errors.Is(err, ErrObjectChanged) {
		t.Error(err)
	}
	status = http.StatusInsufficientStorage
	if err := h.PutObject(ctx, Object{Path: "x/y"}); !errors.Is(err, ErrObjectsFull) {
		t.Error(err)
	}
	status = http.StatusForbidden
	if err := h.PutObject(ctx, Object{Path: "x/y"}); err == nil || errors.Is(err, ErrObjectsFull) {
		t.Error(err)
	}
	status = http.StatusNotFound
	if err := h.DeleteObject(ctx, "x/y"); err != nil || got.line != "DELETE /objects/x/y" {
		t.Errorf("%v, %s", err, got.line)
	}
}

func TestOpenMedia(t *testing.T) {
	t.Parallel()
	var uri string
	status := http.StatusOK
	h := serve(t, func(w http.ResponseWriter, r *http.Request) {
		uri = r.RequestURI
		if status != http.StatusOK {
			http.Error(w, "no\nmore", status)
		}
	})
	for _, tt := range []struct {
		target string
		from   uint64
		status int
		uri    string
		gone   bool
		text   string
	}{
		{"/a/b.flv", 0, 200, "/a/b.flv?from=S:0", false, ""},
		{"/a/b.flv", 5, 200, "/a/b.flv?from=S:5", false, ""},
		{"/a/b.flv?tracks=all", 5, 200, "/a/b.flv?tracks=all&from=S:5", false, ""},
		{"/a/b.flv", 5, 409, "/a/b.flv?from=S:5", true, ""},
		{"/a/b.flv", 5, 404, "/a/b.flv?from=S:5", true, ""},
		{"/a/b.flv", 5, 401, "/a/b.flv?from=S:5", false, "401 Unauthorized: no"},
	} {
		status = tt.status
		f, err := h.plane.open(context.Background(), tt.target, "S", tt.from)
		if f != nil {
			f.close()
		}
		if uri != tt.uri || errors.Is(err, errGone) != tt.gone || (err != nil) != (tt.status != 200) {
			t.Errorf("%+v: %s, %v", tt, uri, err)
		}
		if tt.text != "" && !strings.Contains(err.Error(), tt.text) {
			t.Error(err)
		}
	}
}

// A stream is not asked for on a connection that was used for anything else:
// the server has handed that one to net/http.
func TestStreamsHaveConnectionsOfTheirOwn(t *testing.T) {
	t.Parallel()
	seen := map[string]string{} // what a connection was used for
	h := serve(t, func(w http.ResponseWriter, r *http.Request) {
		use := "objects"
		if strings.HasSuffix(r.URL.Path, ".flv") {
			use = "media"
		}
		id := r.Context().Value(connKey{}).(string)
		if before := seen[id]; before != "" && before != use {
			t.Errorf("one connection for %s and %s", before, use)
		}
		seen[id] = use
	})
	for range 3 {
		if err := h.PutObject(t.Context(), Object{Path: "hls/a"}); err != nil {
			t.Fatal(err)
		}
		f, err := h.plane.open(t.Context(), "/a/b.flv", "S", 1)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, f.body)
		f.close()
	}
	if len(seen) != 2 {
		t.Errorf("%d connections, want 2", len(seen))
	}
}
