package netloop

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestWaitForThePublisher has viewers come first.
func TestWaitForThePublisher(t *testing.T) {
	t.Parallel()
	testEach(t, func(t *testing.T, how transport) {
		r := newRig(t)
		var all []*tape
		for range 5 {
			all = append(all, r.waitingFor(how, "live/a"))
		}
		gone := r.waitingFor(how, "live/a")
		gone.conn.Close()
		eventually(t, "one waits no more", func() bool { return r.engine.Stats().Waiting == 5 })
		for _, c := range r.clients() {
			if c.Role != RoleWaiting || c.App != "live" || c.Name != "a" {
				t.Errorf("a waiting viewer is %+v", c)
			}
		}
		f := r.publish("live/a")
		r.waitViewers(5)
		f.headers(1)
		f.gop(3, 100)
		for _, p := range all {
			p.waitLast(f)
			f.check(t, p.got(), wantsBoth, false)
		}
		if n := r.engine.Stats().Waiting; n != 0 {
			t.Errorf("%d wait still", n)
		}
	})
}

// TestWaitInVain has the publisher not come.
func TestWaitInVain(t *testing.T) {
	t.Parallel()
	testEach(t, func(t *testing.T, how transport) {
		r := newRig(t, settings(func(s *Settings) { s.Viewers.PlayWait = 4 * time.Second }))
		p := r.waitingFor(how, "live/a")
		if how == rtmpIn {
			p.waitControl("onStatus NetStream.Play.StreamNotFound")
			p.cleanEnd()
		} else {
			eventually(t, "the answer is there", func() bool { return len(p.heard()) > 0 })
			if got := p.heard()[0]; !strings.Contains(got, "404") {
				t.Errorf("answer %q", got)
			}
		}
		eventually(t, "nobody waits", func() bool { return r.engine.Stats().Waiting == 0 })
	})
}

// TestWaitNot asks not to wait.
func TestWaitNot(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, request := range []string{
		"GET /live/a.flv?wait=0 HTTP/1.1\r\nHost: h\r\n\r\n",
		"HEAD /live/a.flv HTTP/1.1\r\nHost: h\r\n\r\n",
	} {
		if _, _, status, _ := r.get(manner{}, request); !strings.Contains(status, "404") {
			t.Errorf("%q is answered by %q", request, status)
		}
	}
}

// TestWaitingLimit has more viewers wait than may.
func TestWaitingLimit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		connections int
		waiting     int
		want        int
	}{
		{"waiting", 0, 3, 3},
		{"a quarter of the connections", 20, 100, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, settings(func(s *Settings) {
				s.Limits.Connections, s.Limits.Waiting = c.connections, c.waiting
			}))
			for range c.want {
				r.waitingFor(chunked, "live/a")
			}
			_, _, status, head := r.get(manner{}, chunked.request("live/b"))
			if !strings.Contains(status, "404") || !slices.Contains(head, "Retry-After: 60") {
				t.Errorf("answer %q, %q", status, head)
			}
			p := r.rtmpDial(manner{}, connectTo("live"), command(0, 2, "createStream", nil), command(1, 3, "play", nil, "b"))
			p.waitControl("onStatus NetStream.Play.StreamNotFound")
		})
	}
}

// TestWaitingLimitOfDescriptors bounds those who wait by what the descriptor
// limit allows, when limits.connections is 0.
func TestWaitingLimitOfDescriptors(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings(func(s *Settings) { s.Limits.Waiting = 1 << 30 }))
	e := &Engine{log: r.engine.log}
	e.settings.Store(r.engine.Settings())
	e.gate.init(e)
	defer e.gate.close()
	e.gate.most = 40
	l := &loop{engine: e}
	l.waiting.init(l)
	n := 0
	for (&conn{engine: e, loop: l}).wait(parseKey("live/a"), nil) {
		n++
	}
	if n != 10 {
		t.Errorf("%d of 40 connections may wait", n)
	}
}

// TestRequestsBehindOneThatWaits come while a viewer waits; they are served
// after its 404.
func TestRequestsBehindOneThatWaits(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings(func(s *Settings) { s.Viewers.PlayWait = 100 * time.Millisecond }))
	c := dial(t, r.http.Addr(), 0)
	fmt.Fprint(c, chunked.request("live/a"), "OPTIONS /live/a.flv HTTP/1.1\r\nHost: h\r\n\r\n")
	in := manner{}.reader(c)
	for _, want := range []string{"404", "204"} {
		status, head, err := readHead(in)
		if err != nil || !strings.Contains(status, want) {
			t.Fatalf("answer %q, %v, want %s", status, err, want)
		}
		skipBody(t, in, head)
	}
}

// TestAbsentStreamsCostNothing asks for many streams that do not exist.
func TestAbsentStreamsCostNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings(func(s *Settings) { s.Viewers.PlayWait = 0 }))
	c := dial(t, r.http.Addr(), 0)
	in := manner{}.reader(c)
	for i := range 500 {
		fmt.Fprintf(c, "GET /live/none%d.flv HTTP/1.1\r\nHost: h\r\n\r\n", i)
		_, head, err := readHead(in)
		if err != nil {
			t.Fatal(err)
		}
		skipBody(t, in, head)
	}
	if n := r.streamsLeft(); n != 0 {
		t.Errorf("loops know %d streams", n)
	}
}
