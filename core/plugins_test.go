package core

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/flv"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/core/netloop"
	"github.com/millrace/millrace/core/stream"
)

const patience = time.Minute

func TestMain(m *testing.M) {
	// gnet's pool of goroutines is global and lets its workers idle.
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("github.com/panjf2000/ants/v2.(*poolCommon).purgeStaleWorkers"),
		goleak.IgnoreTopFunction("github.com/panjf2000/ants/v2.(*poolCommon).ticktock"),
		goleak.IgnoreTopFunction("github.com/panjf2000/ants/v2.(*goWorker).run.func1"))
}

// running is a server with sockets for plugins.
type running struct {
	*Server
	t       *testing.T
	foreign string // the socket for other processes
	stop    context.CancelFunc
}

func run(t *testing.T, changes ...func(*Options)) *running {
	t.Helper()
	dir, err := os.MkdirTemp("", "mr")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	r := &running{t: t, foreign: filepath.Join(dir, "f")}
	options := stream.DefaultOptions()
	o := Options{
		Logger: slog.New(slog.DiscardHandler), ChunkSize: 4096,
		HTTP:         []netloop.Address{{Addr: "127.0.0.1:0"}},
		PluginDir:    filepath.Join(dir, "run"),
		PluginSocket: PluginSocket{Path: r.foreign, Mode: 0o660, Token: "sesame"},
		Live: Live{
			Net: netloop.Settings{
				Limits: netloop.Limits{
					Waiting: 100, RequestHeaderTimeout: time.Minute, IdleTimeout: time.Minute,
					HandshakeTimeout: time.Minute, ConnectionBuffer: 1 << 20,
				},
				Viewers:     netloop.Viewers{StallTimeout: time.Minute},
				NamePattern: regexp.MustCompile(`.`),
			},
			Streams: options, StatsInterval: time.Minute, Shutdown: 10 * time.Second,
		},
	}
	for _, change := range changes {
		change(&o)
	}
	if r.Server, err = New(o); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return r
}

// publish starts a stream of H.264 and returns it when it is ready.
func (r *running) publish(k stream.Key) *stream.Publication {
	r.t.Helper()
	p, err := r.streams.Publish(k, stream.Publisher{
		ID: "0-1", Protocol: "rtmp", RemoteAddr: "10.0.0.1:5", Query: "token=a%20b&token=c", Peer: "10.0.0.1",
		FlashVer: "enc", TCURL: "rtmp://h/live", Labels: map[string]string{"room": "7"}, Metadata: flv.Metadata{}.Live,
	}, r.engine.Now())
	if err != nil {
		r.t.Fatal(err)
	}
	said := flv.Metadata{Props: amf.ECMAArray{{Name: "framerate", Value: 25.0}, {Name: "width", Value: 640.0}, {Name: "height", Value: 360.0}, {Name: "videocodecid", Value: 7.0}}}
	p.SetMetadata(said.Live, false, true, r.engine.Now())
	r.write(p, []byte{0x17, 0, 0, 0, 0, 1}, 0)
	for i := range 10 {
		r.write(p, []byte{0x17, 1, 0, 0, 0, byte(i)}, uint32(40*i))
	}
	return p
}

func (r *running) write(p *stream.Publication, payload []byte, ts uint32) {
	r.t.Helper()
	room := media.NewRoom(len(payload))
	copy(media.Payload(room), payload)
	f := media.NewFrame(media.Video, room, 5)
	f.Codec, f.Flags = media.AVC, media.Keyframe
	if payload[1] == 0 {
		f.Flags = media.Config
	}
	if !p.Write(f, ts, r.engine.Now()) {
		r.t.Error("evicted")
	}
	p.Stream.Wake()
}

// client speaks HTTP to a unix socket.
func client(t *testing.T, path string) *http.Client {
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func get(t *testing.T, c *http.Client, path, token string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://unix"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+token)
	answer, err := c.Do(q)
	if err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return answer
}

// events reads an event stream.
type events struct {
	t  *testing.T
	in *bufio.Scanner
}

func (e *events) next() (ev event.Event) {
	e.t.Helper()
	name := ""
	for e.in.Scan() {
		switch line := e.in.Text(); {
		case strings.HasPrefix(line, "event: "):
			name = line[len("event: "):]
		case strings.HasPrefix(line, "data: "):
			if err := json.Unmarshal([]byte(line[len("data: "):]), &ev); err != nil || ev.Event != name {
				e.t.Fatalf("event %q has %q: %v", name, line, err)
			}
			return ev
		}
	}
	e.t.Fatalf("the event stream has ended: %v", e.in.Err())
	return ev
}

func TestEvents(t *testing.T) {
	t.Parallel()
	r := run(t, func(o *Options) { o.Live.Streams.ReconnectGrace = time.Minute })
	answer := get(t, client(t, r.foreign), "/events", "sesame")
	if ct := answer.Header.Get("Content-Type"); answer.StatusCode != http.StatusOK || ct != "text/event-stream" {
		t.Fatalf("%s, %s", answer.Status, ct)
	}
	e := &events{t, bufio.NewScanner(answer.Body)}
	p := r.publish(stream.Key{App: "live", Name: "cam"})
	session := p.Stream.Session
	start := e.next()
	if start.Event != event.StreamStart || start.StreamID != "live/cam" || start.App != "live" || start.Name != "cam" ||
		start.Session != session || start.RemoteAddr != "10.0.0.1:5" || start.Params["token"] != "a b" ||
		start.ClientID != "0-1" || start.FlashVer != "enc" || start.TCURL != "rtmp://h/live" ||
		start.Labels["room"] != "7" || start.Started.IsZero() || start.Protocol != "rtmp" {
		t.Errorf("start %+v", start)
	}
	if c := e.next(); c.Event != event.Codec || c.VideoCodec != "h264" || c.Width != 640 || c.Height != 360 || c.FPS != 25 {
		t.Errorf("codec %+v", c)
	}
	r.write(p, []byte{0x17, 0, 0, 0, 0, 2}, 500)
	if c := e.next(); c.Event != event.Codec {
		t.Errorf("a new header is told as %+v", c)
	}
	viewer, err := http.Get("http://" + r.lns[0].Addr().String() + "/live/cam.flv?a=b")
	if err != nil {
		t.Fatal(err)
	}
	if v := e.next(); v.Event != event.ViewerStart || v.Protocol != "http-flv" || v.Params["a"] != "b" ||
		v.Session != session || v.UserAgent == "" || v.RemoteAddr == "" || v.ClientID == "" {
		t.Errorf("viewer %+v", v)
	}
	p.Close(false, "the line broke", r.engine.Now())
	if l := e.next(); l.Event != event.StreamLost || l.Reason != "the line broke" || l.BytesIn == 0 {
		t.Errorf("lost %+v", l)
	}
	p = r.publish(stream.Key{App: "live", Name: "cam"})
	if b := e.next(); b.Event != event.StreamBack || b.Session != session || b.Gap < 0 {
		t.Errorf("back %+v", b)
	}
	e.next() // on_codec
	p.Close(true, "FCUnpublish", r.engine.Now())
	p.Stream.Wake()
	if u := e.next(); u.Event != event.Unpublish || u.Reason != "FCUnpublish" || u.Session != session || u.BytesIn == 0 || u.ClientID != "0-1" {
		t.Errorf("unpublish %+v", u)
	}
	if v := e.next(); v.Event != event.Stop || v.BytesOut == 0 || v.Reason == "" || v.Duration < 0 {
		t.Errorf("stop %+v", v)
	}
	viewer.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if c := e.next(); c.Event != event.Close || c.BytesOut == 0 || c.BytesIn == 0 || c.Protocol != "http" {
		t.Errorf("close %+v", c)
	}
}

// TestEventsNamed filters, and begins with what is live.
func TestEventsNamed(t *testing.T) {
	t.Parallel()
	r := run(t)
	p := r.publish(stream.Key{App: "live", Name: "cam"})
	c := client(t, r.foreign)
	e := &events{t, bufio.NewScanner(get(t, c, "/events?live=1&names=on_unpublish", "sesame").Body)}
	if ev := e.next(); ev.Event != event.StreamStart || ev.VideoCodec != "h264" {
		t.Errorf("%+v", ev)
	}
	r.publish(stream.Key{App: "live", Name: "other"})
	p.Close(true, "done", r.engine.Now())
	if ev := e.next(); ev.Event != event.Unpublish {
		t.Errorf("%+v", ev)
	}
	if a := get(t, c, "/events?names=on_nothing", "sesame"); a.StatusCode != http.StatusBadRequest {
		t.Error(a.Status)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	r := run(t)
	c := client(t, r.PluginSocketPath())
	token := r.IssueToken("hls", Rights{Media: true})
	tests := []struct {
		path, token string
		status      int
	}{
		{"/events", "", http.StatusUnauthorized},
		{"/events", "wrong", http.StatusUnauthorized},
		{"/events", token, http.StatusForbidden},
		{"/live/cam.flv", token, http.StatusNotFound},
		{"/live/cam.flv", "sesame", http.StatusNotFound},
		{"/objects/hls/x", token, http.StatusUnauthorized},
		{"/nothing", token, http.StatusNotFound},
	}
	for _, tt := range tests {
		if a := get(t, c, tt.path, tt.token); a.StatusCode != tt.status {
			t.Errorf("GET %s with %q: %s, want %d", tt.path, tt.token, a.Status, tt.status)
		}
		c.CloseIdleConnections()
	}
	if h, ok := r.TokenHolder(token); !ok || h.Plugin != "hls" || !h.Media {
		t.Errorf("%+v, %v", h, ok)
	}
	r.RevokeToken(token)
	if a := get(t, c, "/live/cam.flv", token); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("a token that was revoked: %s", a.Status)
	}
	for path, mode := range map[string]os.FileMode{
		filepath.Dir(r.PluginSocketPath()): 0o700, r.PluginSocketPath(): 0o600, r.foreign: 0o660,
	} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

// TestCurl is what a recorder in shell does.
func TestCurl(t *testing.T) {
	t.Parallel()
	r := run(t)
	p := r.publish(stream.Key{App: "live", Name: "cam"})
	file := filepath.Join(t.TempDir(), "cam.flv")
	cmd := exec.CommandContext(t.Context(), "curl", "-sS", "--fail", "--max-time", "60", "-o", file, "--unix-socket", r.foreign,
		"-H", "Authorization: Bearer sesame", "http://millrace/live/cam.flv?from="+p.Stream.Session+":1")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); r.engine.Stats().Taps == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("curl does not come")
		}
	}
	p.Close(true, "done", r.engine.Now())
	p.Stream.Wake()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("curl: %v %s", err, stderr.String())
	}
	if b, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(b), "FLV\x01") || !strings.Contains(string(b), "onSequence") {
		t.Errorf("%.100q, %v", b, err)
	}
}

// TestEventsDropped has a reader that is too slow be told how much it missed.
func TestEventsDropped(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	q := &eventReader{queue: make(chan event.Event, 2), w: &recorder{Writer: &out}}
	for range 5 {
		q.take(event.Event{Event: event.Tick})
	}
	if err := q.drain(<-q.queue); err != nil {
		t.Fatal(err)
	}
	want := `data: {"event":"dropped","count":3}`
	if n := strings.Count(out.String(), "event: on_tick\n"); n != 2 || !strings.Contains(out.String(), want) {
		t.Errorf("%d events, %s", n, out.String())
	}
}

type recorder struct{ io.Writer }

func (*recorder) Header() http.Header { return nil }
func (*recorder) WriteHeader(int)     {}

// TestHub has sinks come and go.
func TestHub(t *testing.T) {
	t.Parallel()
	var h hub
	if h.Wants(event.Stop) {
		t.Error("nobody wants it")
	}
	h.Notify(&event.Event{Event: event.Stop})
	var all, some atomic.Int64
	cancelAll := h.subscribe(named(nil), func(event.Event) { all.Add(1) })
	cancelSome := h.subscribe(named([]string{event.Stop}), func(event.Event) { some.Add(1) })
	h.Notify(&event.Event{Event: event.Stop})
	h.Notify(&event.Event{Event: event.Close})
	cancelAll()
	if all.Load() != 2 || some.Load() != 1 || h.Wants(event.Close) || !h.Wants(event.Stop) {
		t.Errorf("all %d, some %d", all.Load(), some.Load())
	}
	cancelSome()
	if h.Wants(event.Stop) {
		t.Error("it is wanted by those who have gone")
	}
}

func BenchmarkHubNobody(b *testing.B) {
	var h hub
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if h.Wants(event.ViewerStart) {
				b.Fail()
			}
		}
	})
}

// A stream that is asked for on a connection that net/http has is refused so
// that the client comes again on a new one, where it gets it.
func TestStreamAfterOtherRequests(t *testing.T) {
	t.Parallel()
	r := run(t)
	r.publish(stream.Key{App: "live", Name: "cam"})
	c := client(t, r.foreign)
	for range 2 {
		a := get(t, c, "/elsewhere", "sesame")
		_, _ = io.Copy(io.Discard, a.Body)
		if a.StatusCode != http.StatusNotFound {
			t.Errorf("what is not there: %s", a.Status)
		}
	}
	refused := get(t, c, "/live/cam.flv", "sesame")
	_, _ = io.Copy(io.Discard, refused.Body)
	if refused.StatusCode != http.StatusMisdirectedRequest || !refused.Close {
		t.Errorf("on the same connection: %s, close %t", refused.Status, refused.Close)
	}
	if a := get(t, c, "/live/cam.flv", "sesame"); a.StatusCode != http.StatusOK {
		t.Errorf("on a new one: %s", a.Status)
	}
}

// TestPluginsAtShutdown has plugins read the rest of what was live, and store
// objects, when the streams have ended.
func TestPluginsAtShutdown(t *testing.T) {
	t.Parallel()
	drained, done := make(chan struct{}), make(chan struct{})
	r := run(t, func(o *Options) {
		o.Drained = func() { close(drained); <-done }
	})
	defer close(done)
	p := r.publish(stream.Key{App: "live", Name: "cam"})
	path := "/live/cam.flv?from=" + p.Stream.Session + ":1"
	token := r.IssueToken("rec", Rights{Media: true, Objects: []string{"hls/"}})
	c := client(t, r.PluginSocketPath())
	a := get(t, c, path, token)
	r.stop()
	<-drained
	if _, err := io.ReadAll(a.Body); err != nil {
		t.Errorf("the stream's end: %v", err)
	}
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://unix/objects/hls/live/cam/index.m3u8", strings.NewReader("#EXTM3U"))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+token)
	c.CloseIdleConnections()
	put, err := c.Do(q)
	if err != nil || put.StatusCode != http.StatusCreated {
		t.Fatalf("put: %v, %v", put, err)
	}
	put.Body.Close()
	c.CloseIdleConnections() // a stream wants a connection of its own
	a = get(t, c, path, token)
	if b, err := io.ReadAll(a.Body); err != nil || a.StatusCode != http.StatusOK || !strings.Contains(string(b), "onSequence") {
		t.Errorf("the rest of the stream once more: %s, %v", a.Status, err)
	}
}
