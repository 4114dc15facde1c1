package netloop

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/object"
	"github.com/millrace/millrace/core/stream"
)

// judge decides by functions, each on a goroutine of its own.
type judge struct {
	mu    sync.Mutex
	rules map[string]func(event.Event) event.Verdict
	seen  []event.Event
}

func (j *judge) Wants(name string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.rules[name] != nil
}

func (j *judge) Decide(e *event.Event, done func(event.Verdict)) {
	j.mu.Lock()
	j.seen = append(j.seen, *e)
	rule := j.rules[e.Event]
	j.mu.Unlock()
	go func() { done(rule(*e)) }()
}

func (j *judge) Notify(*event.Event) {}

// asked are the events of a name that were decided.
func (j *judge) asked(name string) (all []event.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range j.seen {
		if e.Event == name {
			all = append(all, e)
		}
	}
	return all
}

func rule(name string, f func(event.Event) event.Verdict) *judge {
	return &judge{rules: map[string]func(event.Event) event.Verdict{name: f}}
}

func (j *judge) with() with { return func(o *Options, _ *stream.Options) { o.Decider = j } }

// TestDecidePublish has a publisher refused, renamed and let in.
func TestDecidePublish(t *testing.T) {
	t.Parallel()
	j := rule(event.Publish, func(e event.Event) event.Verdict {
		switch e.Params["token"] {
		case "good":
			return event.Verdict{Allow: true, Labels: map[string]string{"user": "ann"}}
		case "rename":
			return event.Verdict{Allow: true, App: "vip/eu", Name: "b"}
		case "bad name":
			return event.Verdict{Allow: true, Name: "output_merge"}
		}
		return event.Verdict{Reason: "who are you?"}
	})
	r := newRig(t, j.with())
	r.publishing("live/a?token=good")
	if e := j.asked(event.Publish)[0]; e.App != "live" || e.Name != "a" || e.StreamID != "live/a" || e.TCURL == "" || e.ClientID == "" || !strings.HasPrefix(e.RemoteAddr, "127.") {
		t.Errorf("it was asked about %+v", e)
	}
	for token, want := range map[string]string{"no": "onStatus NetStream.Publish.Denied", "bad%20name": "onStatus NetStream.Publish.BadName"} {
		p := r.rtmpDial(manner{}, connectTo("live"), command(0, 2, "createStream", nil),
			command(1, 3, "publish", nil, "c?token="+token, "live"))
		p.cleanEnd()
		p.waitControl(want)
		if r.streams.Lookup(parseKey("live/c")) != nil {
			t.Error("a refused stream is there")
		}
	}
	p := r.rtmpDial(manner{}, connectTo("live"), command(0, 2, "createStream", nil),
		command(1, 3, "publish", nil, "c?token=rename", "live"))
	p.waitControl("onStatus NetStream.Publish.Start")
	if r.streams.Lookup(parseKey("vip/eu/b")) == nil {
		t.Error("the stream is not renamed")
	}
}

// TestDecidePlay has viewers refused, sent elsewhere, given another stream and
// ended after their time.
func TestDecidePlay(t *testing.T) {
	t.Parallel()
	testEach(t, func(t *testing.T, how transport) {
		j := rule(event.Play, func(e event.Event) event.Verdict {
			switch e.Name {
			case "other":
				return event.Verdict{Allow: true, Stream: "live/a"}
			case "short":
				return event.Verdict{Allow: true, Stream: "live/a", Limit: 50 * time.Millisecond}
			}
			return event.Verdict{Allow: true}
		})
		r := newRig(t, j.with())
		f := r.start("live/a")
		r.watch(how, manner{}, "live/other").waitLast(f)
		v := r.watch(how, manner{}, "live/short")
		v.cleanEnd()
		asked := j.asked(event.Play)
		for _, e := range asked {
			if e.Protocol == "http" || e.App != "live" || e.RemoteAddr == "" {
				t.Errorf("it was asked about %+v", e)
			}
		}
		if len(asked) != 2 {
			t.Errorf("asked %d times", len(asked))
		}
	})
}

// TestRefusePlay says why, on each protocol.
func TestRefusePlay(t *testing.T) {
	t.Parallel()
	j := rule(event.Play, func(e event.Event) event.Verdict {
		if e.Name == "moved" {
			return event.Verdict{Redirect: "http://other.example/live/a.flv"}
		}
		return event.Verdict{Reason: "members only"}
	})
	r := newRig(t, j.with())
	r.start("live/a")
	for name, want := range map[string]int{"a": http.StatusForbidden, "moved": http.StatusFound} {
		_, in, status, head := r.get(manner{}, "GET /live/"+name+".flv HTTP/1.1\r\nHost: x\r\n\r\n")
		if !strings.Contains(status, http.StatusText(want)) {
			t.Errorf("%s: %s %q", name, status, head)
		}
		if want == http.StatusForbidden {
			body := make([]byte, len("members only"))
			if _, err := in.Read(body); err != nil || string(body) != "members only" {
				t.Errorf("the body is %q, %v", body, err)
			}
		}
	}
	p := r.rtmpDial(manner{}, connectTo("live"), command(0, 2, "createStream", nil), command(1, 3, "play", nil, "a"))
	p.cleanEnd()
	p.waitControl("onStatus NetStream.Play.Failed")
	p = r.rtmpDial(manner{}, connectTo("live"), command(0, 2, "createStream", nil), command(1, 3, "play", nil, "moved"))
	p.cleanEnd()
	p.waitControl("onStatus NetConnection.Connect.Rejected")
}

// TestDecideConnect asks once per connection, on both protocols.
func TestDecideConnect(t *testing.T) {
	t.Parallel()
	j := rule(event.Connect, func(e event.Event) event.Verdict {
		if e.App == "no" || e.Params["no"] != "" {
			return event.Verdict{Reason: "not you"}
		}
		return event.Verdict{Allow: true}
	})
	r := newRig(t, j.with())
	r.start("live/a")
	p := r.rtmpDial(manner{}, connectTo("no"))
	p.cleanEnd()
	_, _, status, _ := r.get(manner{}, "GET /live/a.flv?no=1 HTTP/1.1\r\nHost: x\r\n\r\n")
	if !strings.Contains(status, "403") {
		t.Error(status)
	}
	if n := len(j.asked(event.Connect)); n != 2 {
		t.Errorf("asked %d times", n)
	}
}

// TestDurationOfVerdict ends a viewer whose connection has had its time.
func TestDurationOfVerdict(t *testing.T) {
	t.Parallel()
	testEach(t, func(t *testing.T, how transport) {
		j := rule(event.Connect, func(event.Event) event.Verdict {
			return event.Verdict{Allow: true, Limits: event.Limits{MaxDuration: 5 * time.Second}}
		})
		r := newRig(t, j.with())
		f := r.start("live/a")
		v := r.watch(how, manner{}, "live/a")
		v.waitLast(f)
		v.cleanEnd()
		if n := len(j.asked(event.Connect)); n != 1 {
			t.Errorf("asked %d times", n)
		}
	})
}

// TestVerdictComesLate has peers leave, and the server drain, before there is
// a verdict.
func TestVerdictComesLate(t *testing.T) {
	t.Parallel()
	wait := make(chan struct{})
	j := rule(event.Play, func(event.Event) event.Verdict { <-wait; return event.Verdict{Allow: true} })
	r := newRig(t, j.with())
	f := r.start("live/a")
	conn := dial(t, r.http.Addr(), 0)
	if _, err := conn.Write([]byte("GET /live/a.flv HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it was asked", func() bool { return len(j.asked(event.Play)) == 1 })
	conn.Close()
	stays := make(chan *tape, 1)
	go func() { stays <- r.watch(transports[0], manner{}, "live/a") }()
	eventually(t, "it was asked again", func() bool { return len(j.asked(event.Play)) == 2 })
	eventually(t, "the first has left", func() bool { return r.engine.totals.httpOpen.Load() == 1 || r.engine.totals.rtmpOpen.Load() == 1 })
	close(wait)
	(<-stays).waitLast(f)
}

// TestBitrateLimit ends a publisher that sends more than it may.
func TestBitrateLimit(t *testing.T) {
	t.Parallel()
	b := bitrate{max: 1_000_000}
	now := int64(1)
	for range 20 {
		if breach := b.add(100_000, now); breach != "" { // 800 kbit/s
			t.Error(breach)
		}
		now += int64(time.Second)
	}
	breach := ""
	for range 10 {
		breach += b.add(200_000, now)
		now += int64(time.Second)
	}
	if !strings.Contains(breach, "max_bitrate") {
		t.Errorf("nothing is said of 1.6 Mbit/s: %q", breach)
	}
}

// TestBoundsOfLingerers has the time of a connection run out while it lingers:
// it is closed all the same, by a peer that does not close it itself.
func TestBoundsOfLingerers(t *testing.T) {
	t.Parallel()
	j := rule(event.Connect, func(event.Event) event.Verdict {
		return event.Verdict{Allow: true, Limits: event.Limits{MaxDuration: lingerTime / 2}}
	})
	r := newRig(t, j.with(), settings(func(s *Settings) { s.Viewers.PlayWait = 0 }))
	_, _, status, _ := r.get(manner{}, "GET /live/none.flv HTTP/1.0\r\n\r\n")
	if !strings.Contains(status, "404") {
		t.Error(status)
	}
	r.waitConns(0)
}

// TestIdleTimeoutOfVerdict holds between requests for objects, too.
func TestIdleTimeoutOfVerdict(t *testing.T) {
	t.Parallel()
	j := rule(event.Connect, func(event.Event) event.Verdict {
		return event.Verdict{Allow: true, Limits: event.Limits{IdleTimeout: 100 * time.Millisecond}}
	})
	r, s := objectRig(t, j.with())
	store(t, s, object.Put{Path: "hls/a/1.ts", Body: []byte("x")})
	conn, in, status, _ := r.get(manner{}, "GET /hls/a/1.ts HTTP/1.1\r\nHost: h\r\n\r\n")
	conn.SetReadDeadline(time.Now().Add(patience)) // less than the engine's own limit
	if _, err := io.Copy(io.Discard, in); err != nil || !strings.Contains(status, "200") {
		t.Errorf("%s, %v", status, err)
	}
}

// TestVerdictGoesAlong has a connection go to net/http and come back: it is
// asked about once, and its time goes on.
func TestVerdictGoesAlong(t *testing.T) {
	t.Parallel()
	withAndWithoutTLS(t, func(t *testing.T) {
		j := rule(event.Connect, func(event.Event) event.Verdict {
			return event.Verdict{Allow: true, Limits: event.Limits{MaxDuration: 10 * time.Second}}
		})
		r := lending(t, &borrower{}, j.with())
		conn := dial(t, r.http.Addr(), 0)
		in := manner{}.reader(conn)
		conn.SetReadDeadline(time.Now().Add(patience))
		for i := range 3 {
			fmt.Fprint(conn, echo(i), notThere)
			wantAnswer(t, in, "200", fmt.Sprint(i))
			wantAnswer(t, in, "404", "")
		}
		if n := len(j.asked(event.Connect)); n != 1 {
			t.Errorf("asked %d times", n)
		}
		if _, err := io.Copy(io.Discard, in); err != nil {
			t.Errorf("its time does not end: %v", err)
		}
	})
}

// TestForsake ends the session of a publisher that comes back and is refused,
// or is called otherwise than before.
func TestForsake(t *testing.T) {
	t.Parallel()
	j := rule(event.Publish, func(e event.Event) event.Verdict {
		switch e.Name {
		case "a":
			return event.Verdict{Reason: "no more"}
		case "b":
			return event.Verdict{Allow: true, Name: "b-2"}
		}
		return event.Verdict{Allow: true, Name: e.Name + "-1"}
	})
	r := newRig(t, j.with(), func(_ *Options, s *stream.Options) { s.ReconnectGrace = time.Minute })
	publish := func(name string) *tape {
		return r.rtmpDial(manner{}, connectTo("live"), command(0, 2, "createStream", nil), command(1, 3, "publish", nil, name, "live"))
	}
	for _, name := range []string{"a", "b", "c"} {
		f := r.publishAs("live/"+name+"-1", stream.Publisher{Asked: parseKey("live/" + name), Peer: "127.0.0.1"})
		f.headers(1)
		f.gop(3, 200)
		f.pub.Close(false, "lost", r.engine.Now())
		if s := r.streams.Lookup(parseKey("live/" + name + "-1")); s == nil || !s.Info().Lost {
			t.Fatal("the stream is not there, or not lost")
		}
	}
	publish("a").waitControl("onStatus NetStream.Publish.Denied")
	publish("b").waitControl("onStatus NetStream.Publish.Start")
	publish("c").waitControl("onStatus NetStream.Publish.Start")
	for name, want := range map[string]bool{"a-1": false, "b-1": false, "b-2": true, "c-1": true} {
		if s := r.streams.Lookup(parseKey("live/" + name)); (s != nil) != want || s != nil && s.Info().Lost {
			t.Errorf("stream %s: %v", name, s)
		}
	}
}
