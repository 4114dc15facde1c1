package gate

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/web"
)

const media = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\ns1.ts\n"

// idOf is the signed id that a playlist leads on with.
func idOf(t *testing.T, playlist []byte) string {
	t.Helper()
	_, id, ok := strings.Cut(string(playlist), "viewer=")
	if !ok {
		t.Fatalf("no id in %s", playlist)
	}
	id, _, _ = strings.Cut(id, "\n")
	return id
}

// TestSession follows one viewer from its first playlist to its end.
func TestSession(t *testing.T) {
	t.Parallel()
	r := newRig(t, on(event.Play, allow))
	d := r.pass(t, "/hls/live~eu/cam/index.m3u8?token=a", "User-Agent: player")
	id := idOf(t, d.Answer.Rewrite([]byte(media)))
	ev := r.asked[0]
	if ev.App != "live/eu" || ev.Name != "cam" || ev.StreamID != "live/eu/cam" || ev.Protocol != "hls" || ev.Params["token"] != "a" ||
		ev.UserAgent != "player" || ev.ClientID == "" || ev.RemoteAddr != "192.0.2.1:1234" || ev.Path == "" || ev.Headers["user-agent"] != "player" {
		t.Errorf("it was asked about %+v", ev)
	}
	again := r.pass(t, "/hls/live~eu/cam/index.m3u8?token=a&viewer="+id, "User-Agent: player")
	out := string(again.Answer.Rewrite([]byte(media)))
	if !strings.Contains(out, "\ns1.ts?viewer="+id+"\n") {
		t.Errorf("the playlist is %s", out)
	}
	// Segments come with the id and another address, as in a phone's network.
	for range 5 {
		segment := r.pass(t, "/hls/live~eu/cam/s1.ts?viewer="+id, "User-Agent: other")
		if n, err := segment.Answer.Send(context.Background(), 1000); n != 1000 || err != nil {
			t.Error(n, err)
		}
	}
	r.pass(t, "/hls/live~eu/cam/index.m3u8?token=a", "User-Agent: player", "Range: bytes=0-") // the same, without its id
	if n := r.count(event.Play); n != 1 {
		t.Errorf("on_play ran %d times", n)
	}
	if start := r.lastTold(t, event.ViewerStart); start.ClientID != ev.ClientID || start.Protocol != "hls" {
		t.Errorf("on_viewer_start: %+v", start)
	}
	if s := r.Sessions(); len(s) != 1 || s[0].App != "live/eu" || s[0].BytesOut != 5000 || s[0].ID != ev.ClientID {
		t.Errorf("sessions: %+v", s)
	}
	r.pass(t, "/hls/live/long/index.m3u8?a="+strings.Repeat("x", 5000))
	if long := r.lastTold(t, event.ViewerStart); long.Params != nil || long.Headers != nil {
		t.Error("a long query is kept, or headers are")
	}
	r.Kick(r.lastTold(t, event.ViewerStart).ClientID, "enough")
	r.mu.Lock()
	r.asked = r.asked[:1]
	r.mu.Unlock()
	r.sleep(12 * time.Second)
	if len(r.Sessions()) != 1 {
		t.Error("it ended before three target durations")
	}
	r.sleep(time.Second)
	if len(r.Sessions()) != 0 {
		t.Error("it did not end")
	}
	stop := r.lastTold(t, event.Stop)
	if stop.BytesOut != 5000 || stop.ClientID != ev.ClientID || stop.Params["token"] != "a" || stop.Reason == "" || stop.Name != "cam" {
		t.Errorf("on_stop: %+v", stop)
	}
	if c := r.Counts()["hls"]; c.Viewers != 0 || c.BytesOut != 5000 {
		t.Errorf("counts: %+v", c)
	}
	// Back from a pause: asked anew, with what it said at its begin.
	r.pass(t, "/hls/live~eu/cam/s1.ts?viewer="+id)
	if ev := r.asked[len(r.asked)-1]; r.count(event.Play) != 2 || ev.Params["token"] != "a" || ev.ClientID != stop.ClientID {
		t.Errorf("it was asked about %+v", ev)
	}
}

// TestOthers has all that must not be one viewer's session.
func TestOthers(t *testing.T) {
	t.Parallel()
	r := newRig(t, on(event.Play, func(e event.Event) event.Verdict {
		return event.Verdict{Allow: e.Params["token"] == "good" || e.Headers["authorization"] == "good", Reason: "no"}
	}))
	id := idOf(t, r.pass(t, "/hls/live/cam/index.m3u8?token=good").Answer.Rewrite([]byte(media)))
	for name, req := range map[string]*http.Request{
		"no token":           request("/hls/live/cam/index.m3u8"),
		"other stream":       request("/hls/live/cam2/index.m3u8?viewer=" + id),
		"longer name":        request("/hls/live/cam2/s.ts?viewer=" + id),
		"other protocol":     request("/mp4/live/cam/x.mp4?viewer=" + id),
		"signature cut":      request("/hls/live/cam/s1.ts?viewer=" + id[:len(id)-2]),
		"no signature":       request("/hls/live/cam/s1.ts?viewer=" + id[:strings.IndexByte(id, '.')]),
		"other header":       request("/hls/live/cam/index.m3u8", "Authorization: bad"),
		"no stream's folder": request("/hls/x.m3u8?viewer=" + id),
	} {
		if d := r.Check(req); d.Status != http.StatusForbidden || d.Reason != "no" {
			t.Errorf("%s: %+v", name, d)
		}
	}
	r.pass(t, "/hls/live/cam/index.m3u8", "Authorization: good")
	if n := len(r.Sessions()); n != 2 {
		t.Errorf("%d sessions", n)
	}
	// Another process, another key.
	if other := New(Options{}); other.verify(id, "/hls/live/cam/") != "" || r.verify(id, "/hls/live/cam/") == "" {
		t.Error("an id is valid that is not, or is not that is")
	}
}

// TestTogether asks once for requests that come at once.
func TestTogether(t *testing.T) {
	t.Parallel()
	wait := make(chan struct{})
	r := newRig(t, on(event.Play, func(event.Event) event.Verdict { <-wait; return event.Verdict{Reason: "no"} }))
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if d := r.Check(request("/mp4/live/cam/a.m4s")); d.Status != http.StatusForbidden {
				t.Errorf("%+v", d)
			}
		})
	}
	for r.count(event.Play) == 0 {
		time.Sleep(time.Millisecond)
	}
	r.Sweep() // one that waits for its verdict stays
	close(wait)
	all.Wait()
	if n := r.count(event.Play); n > 20 || len(r.Sessions()) != 0 || len(r.sessions)+len(r.by) != 0 {
		t.Errorf("asked %d times, %d sessions", n, len(r.sessions))
	}
}

// TestVerdicts puts in force what on_play may say.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	r := newRig(t, on(event.Play, func(e event.Event) event.Verdict {
		switch e.Name {
		case "moved":
			return event.Verdict{Redirect: "http://other.example/"}
		case "short":
			return event.Verdict{Allow: true, Limit: time.Minute}
		case "other":
			return event.Verdict{Allow: true, Stream: "live/eu/cam"}
		case "slow":
			return event.Verdict{Allow: true, Rate: 10_000}
		}
		return event.Verdict{Allow: true}
	}))
	if d := r.Check(request("/flv/live/moved/20260101_000000.flv")); d.Redirect != "http://other.example/" {
		t.Errorf("%+v", d)
	}
	d := r.pass(t, "/hls/live/other/20260101_000000/index.m3u8?viewer=x")
	if d.Path != "/hls/live~eu/cam/20260101_000000/index.m3u8" {
		t.Errorf("%q is served", d.Path)
	}
	out := string(d.Answer.Rewrite([]byte("#EXTM3U\n#EXT-X-TARGETDURATION:2\n/hls/live~eu/cam/20260101_000000/1.ts\n")))
	if !strings.Contains(out, "\n/hls/live/other/20260101_000000/1.ts?viewer=") {
		t.Errorf("the playlist is %s", out)
	}
	slow := r.pass(t, "/mp4/live/slow/x.mp4")
	if n, err := slow.Answer.Send(context.Background(), 1<<20); n != 1000 || err != nil {
		t.Errorf("%d bytes at once, %v", n, err)
	}
	short := r.Check(request("/hls/live/short/index.m3u8"))
	id := idOf(t, short.Answer.Rewrite([]byte(media)))
	r.sleep(time.Minute)
	if _, err := short.Answer.Send(context.Background(), 1); err == nil {
		t.Error("it goes on after its time")
	}
	if d := r.Check(request("/hls/live/short/s1.ts?viewer=" + id)); d.Status != http.StatusForbidden || d.Reason != "the time to watch is over" {
		t.Errorf("%+v", d)
	}
}

func TestKick(t *testing.T) {
	t.Parallel()
	r := newRig(t, on(event.Play, allow))
	d := r.Check(request("/flv/live/cam/20260101_000000.flv"))
	id := r.Sessions()[0].ID
	if r.Kick("other", "out") || !r.Kick(id, "out") || r.Kick(id, "out") {
		t.Error("kick does not tell what it found")
	}
	if _, err := d.Answer.Send(context.Background(), 1); err == nil {
		t.Error("it goes on")
	}
	d.Answer.End()
	if stop := r.lastTold(t, event.Stop); stop.Reason != "out" || stop.Protocol != "flv" {
		t.Errorf("%+v", stop)
	}
	if d := r.Check(request("/flv/live/cam/20260101_000000.flv?viewer=" + r.sign(id, "/flv/live/cam/"))); d.Reason != "out" {
		t.Errorf("%+v", d)
	}
	r.pass(t, "/flv/live/cam/20260101_000000.flv") // anew
}

// TestRequest asks about each request, with what the answer gets.
func TestRequest(t *testing.T) {
	t.Parallel()
	r := newRig(t, on(event.Request, func(e event.Event) event.Verdict {
		switch e.Path {
		case "/no.html":
			return event.Verdict{Reason: "no"}
		case "/go.html":
			return event.Verdict{Redirect: "/"}
		}
		return event.Verdict{Allow: true, Headers: map[string]string{"X-A": "b"}, Rate: 20_000}
	}))
	r.rules[event.Play] = nil
	if d := r.Check(request("/no.html")); d.Status != 403 {
		t.Errorf("%+v", d)
	}
	if d := r.Check(request("/go.html")); d.Redirect != "/" {
		t.Errorf("%+v", d)
	}
	d := r.pass(t, "/index.html")
	if n, _ := d.Answer.Send(context.Background(), 1<<20); d.Headers["X-A"] != "b" || n != 2000 || d.Answer.Rewrites() {
		t.Errorf("%+v, %d bytes at once", d, n)
	}
}

// TestIdle has nobody decide: nothing is asked, and nothing rewritten.
func TestIdle(t *testing.T) {
	t.Parallel()
	g := New(Options{})
	if g.Active() {
		t.Error("a gate without rules is active")
	}
	if d := g.Check(request("/hls/live/cam/index.m3u8")); d.Answer != nil || d.Status != 0 {
		t.Errorf("%+v", d)
	}
	g = New(Options{Access: func(r *http.Request) web.Decision {
		return web.Decision{Status: http.StatusUnauthorized, Reason: "sign"}
	}})
	if d := g.Check(request("/hls/live/cam/index.m3u8")); !g.Active() || d.Status != http.StatusUnauthorized {
		t.Errorf("%+v", d)
	}
	if d := g.Check(request("/index.html")); d.Status != 0 {
		t.Errorf("%+v", d)
	}
}

// TestClientBehindProxy believes those whom it is told to.
func TestClientBehindProxy(t *testing.T) {
	t.Parallel()
	req := request("/x", "X-Forwarded-For: 203.0.113.9")
	if got := New(Options{}).client(req); got != "192.0.2.1:1234" {
		t.Error(got)
	}
	trusting := New(Options{Trusted: func() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} }})
	if got := trusting.client(req); got != "203.0.113.9:0" {
		t.Error(got)
	}
}
