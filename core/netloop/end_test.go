package netloop

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/core/stream"
)

// TestEndOfStream has a stream end with viewers at its end.
func TestEndOfStream(t *testing.T) {
	t.Parallel()
	testEach(t, func(t *testing.T, how transport) {
		r := newRig(t)
		f := r.start("live/a")
		var all []*tape
		for range 5 {
			all = append(all, r.watch(how, manner{}, "live/a"))
		}
		f.gop(5, 1000)
		f.end()
		for _, p := range all {
			p.cleanEnd()
			f.check(t, p.got(), wantsBoth, false)
			checkFarewell(t, how, p, "the test is over")
		}
		r.waitViewers(0)
		eventually(t, "the connections are gone", func() bool { return r.conns() == 0 })
		if n := r.streamsLeft(); n != 0 {
			t.Errorf("loops hold on to %d streams", n)
		}
	})
}

// streamsLeft counts the streams that loops know.
func (r *rig) streamsLeft() (n int) {
	for _, l := range r.engine.loops {
		r.on(l, func() { n += len(l.subs) })
	}
	return n
}

// TestEndBeforeTheFirstFrame has a stream end that never began.
func TestEndBeforeTheFirstFrame(t *testing.T) {
	t.Parallel()
	testEach(t, func(t *testing.T, how transport) {
		r := newRig(t)
		f := r.publish("live/a")
		p := r.watch(how, manner{}, "live/a")
		r.waitViewers(1)
		f.end()
		p.cleanEnd()
		checkFarewell(t, how, p, "the test is over")
	})
}

// TestLateEnd has a viewer join a stream that ends at the same moment.
func TestLateEnd(t *testing.T) {
	t.Parallel()
	testEach(t, func(t *testing.T, how transport) {
		r := newRig(t)
		for range 20 {
			f := r.start("live/a")
			p := r.watch(how, manner{}, "live/a")
			f.end()
			p.cleanEnd()
			checkFarewell(t, how, p, "the test is over")
		}
	})
}

// TestKick ends connections of all roles, and counts them as kicked.
func TestKick(t *testing.T) {
	t.Parallel()
	testEach(t, func(t *testing.T, how transport) {
		r := newRig(t)
		f := r.start("live/a")
		p := r.watch(how, manner{}, "live/a")
		p.waitLast(f)
		r.kick(RolePlayer, "for fun")
		p.cleanEnd()
		checkFarewell(t, how, p, "for fun")
		eventually(t, "it counts as kicked", func() bool { return r.engine.Stats().Closed["kicked"] == 1 })
	})
}

// TestKickNobody asks for connections that there are not.
func TestKickNobody(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, id := range []string{"", "-", "0", "0-", "0-x", "99-1", "-1-1", "0-123456", "x-1", "0-18446744073709551616"} {
		if ok, err := r.engine.Kick(context.Background(), id, ""); ok || err != nil {
			t.Errorf("kick %q: %v, %v", id, ok, err)
		}
	}
}

// publishing is an RTMP connection that publishes.
func (r *rig) publishing(path string) *tape {
	r.t.Helper()
	k := parseKey(path)
	p := r.rtmpDial(manner{}, connectTo(k.App), command(0, 2, "createStream", nil),
		command(1, 3, "publish", nil, k.Name, "live"))
	p.waitControl("onStatus NetStream.Publish.Start")
	return p
}

// TestKickPublisher ends a publisher's connection and its stream.
func TestKickPublisher(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := r.publishing("live/a")
	r.kick(RolePublisher, "for fun")
	p.cleanEnd()
	p.waitControl("onStatus NetStream.Publish.Rejected")
	if r.streams.Lookup(parseKey("live/a")) != nil {
		t.Error("the stream goes on")
	}
}

// TestKickWaiting ends a viewer that waits for its publisher: it is told so,
// and is not served while its connection lingers.
func TestKickWaiting(t *testing.T) {
	t.Parallel()
	testEach(t, func(t *testing.T, how transport) {
		r := newRig(t)
		p := r.waitingFor(how, "live/a")
		r.kick(RoleWaiting, "for fun")
		r.start("live/a")
		eventually(t, "nobody waits", func() bool { return r.engine.Stats().Waiting == 0 })
		for _, l := range r.engine.loops {
			r.on(l, func() {})
		}
		if got := r.log.find("viewer joined"); len(got) > 0 {
			t.Errorf("the log has %v", got)
		}
		_ = p
	})
}

// waitingFor is a connection that waits for a publisher.
func (r *rig) waitingFor(how transport, path string) *tape {
	r.t.Helper()
	before := r.engine.Stats().Waiting
	var p *tape
	if how == rtmpIn {
		k := parseKey(path)
		p = r.rtmpDial(manner{}, connectTo(k.App), command(0, 2, "createStream", nil), command(1, 3, "play", nil, k.Name))
	} else {
		c := dial(r.t, r.http.Addr(), 0)
		if _, err := c.Write([]byte(how.request(path))); err != nil {
			r.t.Fatal(err)
		}
		p = record(r.t, c, &answerSource{how: how, r: manner{}.reader(c)})
	}
	eventually(r.t, "the viewer waits", func() bool { return r.engine.Stats().Waiting == before+1 })
	return p
}

// TestDrain ends all connections.
func TestDrain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.start("live/a")
	var watching, stuck, waiting []*tape
	for _, how := range transports {
		p := r.watch(how, manner{}, "live/a")
		p.waitLast(f)
		watching = append(watching, p)
		stuck = append(stuck, r.stuck(how, f))
		waiting = append(waiting, r.waitingFor(how, "live/b"))
	}
	publisher := r.publishing("live/c")
	idle := dial(t, r.http.Addr(), 0)
	r.waitConns(3*len(transports) + 2)

	done := make(chan error)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		done <- r.engine.Drain(ctx)
	}()
	publisher.cleanEnd()
	if got := publisher.heard(); !strings.HasPrefix(got[len(got)-1], "onStatus NetStream.") {
		t.Errorf("the publisher heard %q", got)
	}
	for i, how := range transports {
		watching[i].cleanEnd()
		f.check(t, watching[i].got(), wantsBoth, false)
		checkFarewell(t, how, watching[i], "server is shutting down")
		stuck[i].release()
		stuck[i].cleanEnd()
		checkFarewell(t, how, stuck[i], "server is shutting down")
		waiting[i].waitEnd()
	}
	if n, err := idle.Read(make([]byte, 1)); n > 0 {
		t.Errorf("an idle connection gets %d bytes, %v", n, err)
	}
	idle.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestDrainKeepsLastWords has viewers that have been sent all, but have not
// read it yet, say something before they do: a connection that is closed at
// once would be reset, and the rest be lost.
func TestDrainKeepsLastWords(t *testing.T) {
	t.Parallel()
	for _, how := range []transport{socket, rtmpIn} {
		t.Run(string(how), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			f := r.start("live/a")
			gate := make(chan struct{})
			p := r.watch(how, manner{receive: 4096, wrap: gated(gate)}, "live/a")
			p.release = sync.OnceFunc(func() { close(gate) })
			t.Cleanup(p.release)
			r.waitViewers(1)
			f.gop(5, 10_000)
			eventually(t, "all was sent", func() bool { return f.pub.Stream.Counters().FramesOut.Load() >= 18 })
			done := make(chan error)
			go func() {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				done <- r.engine.Drain(ctx)
			}()
			r.waitViewers(0)
			for _, l := range r.engine.loops {
				r.on(l, func() {})
			}
			p.send(how.ping(1))
			p.arrived() // before we read
			p.release()
			p.cleanEnd()
			f.check(t, p.got(), wantsBoth, false)
			checkFarewell(t, how, p, shuttingDown)
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

// TestDrainOfLatecomers has connections reach their loop after the good-byes:
// they must not hold up the drain.
func TestDrainOfLatecomers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.start("live/a")
	holdUp := r.stuck(chunked, f)
	done := make(chan error)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience/2)
		defer cancel()
		done <- r.engine.Drain(ctx)
	}()
	eventually(t, "the stream has ended", func() bool { return r.streams.Lookup(parseKey("live/a")) == nil })
	for _, l := range r.engine.loops {
		r.on(l, func() {}) // the good-byes were said before
	}
	for _, ln := range []*Listener{r.rtmp, r.http} {
		dial(t, ln.Addr(), 0)
	}
	late := dial(t, r.http.Addr(), 0)
	if _, err := late.Write([]byte(chunked.request("live/a"))); err != nil {
		t.Fatal(err)
	}
	holdUp.release()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestReplacedPublisher takes a stream over from another publisher.
func TestReplacedPublisher(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(_ *Options, so *stream.Options) { so.OnBusy = stream.BusyReplace })
	p := r.publishing("live/a")
	v := r.watch(chunked, manner{}, "live/a")
	f := r.start("live/a")
	p.cleanEnd()
	p.waitControl("onStatus NetStream.Publish.Rejected")
	v.waitLast(f)
	f.check(t, v.got(), wantsBoth, false)
}

// TestPublisherGoes has a publisher's connection break: its viewers wait for
// it and go on with the next.
func TestPublisherGoes(t *testing.T) {
	t.Parallel()
	testEach(t, func(t *testing.T, how transport) {
		r := newRig(t, func(_ *Options, so *stream.Options) { so.ReconnectGrace = time.Minute })
		f := r.start("live/a")
		p := r.watch(how, manner{}, "live/a")
		p.waitLast(f)
		f.pub.Close(false, "gone", r.engine.Now())
		again := r.publish("live/a")
		again.headers(2)
		again.gop(3, 1000)
		last := again.all()[len(again.all())-1]
		eventually(t, "the new publisher's frames have come", func() bool {
			got := p.got()
			return got[len(got)-1].data == last.data
		})
		checkRising(t, p.got())
		again.end()
		p.cleanEnd()
		checkFarewell(t, how, p, "the test is over")
	})
}

// checkRising wants the timestamps of each medium never to fall.
func checkRising(t *testing.T, got []unit) {
	t.Helper()
	last := map[media.Kind]uint32{}
	for _, u := range got {
		if u.ts < last[u.kind] {
			t.Errorf("%s comes after %d ms", describe(u), last[u.kind])
		}
		last[u.kind] = u.ts
	}
}

// answerSource reads the answer that a waiting viewer gets at last.
type answerSource struct {
	how  transport
	r    io.Reader
	body source
}

func (s *answerSource) next() (item, error) {
	if s.body != nil {
		return s.body.next()
	}
	status, _, err := readHead(s.r)
	if err != nil {
		return item{}, err
	}
	s.body = s.how.source(s.r)
	if !strings.Contains(status, " 200 ") && !strings.Contains(status, " 101 ") {
		s.body = textSource{s.r}
	}
	return item{control: status}, nil
}

// textSource reads the body of a refusal.
type textSource struct{ r io.Reader }

func (s textSource) next() (item, error) {
	l, err := s.r.Read(make([]byte, 4096))
	if l > 0 {
		return item{control: "text"}, nil
	}
	return item{}, err
}

// TestSlowGoodbye lets a peer that reads take the rest, however long that is,
// and nobody else.
func TestSlowGoodbye(t *testing.T) {
	t.Parallel()
	for name, handle := range map[string]func(*conn) handler{
		"http": func(c *conn) handler { return &httpConn{conn: c} },
		"rtmp": func(c *conn) handler { return newRTMPConn(c) },
	} {
		b := newBare(t, func(s *Settings) { s.Viewers.StallTimeout = time.Second })
		c := newConn(b.engine, protocolHTTP, ticket{})
		c.loop, c.handler, c.blocked, c.out = b.loop, handle(c), true, []byte("the rest of a frame")
		c.finish(causeServer, "the end")
		c.progress = c.deadline - int64(time.Second)/2
		c.timeout(c.deadline)
		if c.dead || c.deadline != c.progress+int64(time.Second) {
			t.Errorf("%s: a slow reader is not waited for", name)
		}
		c.timeout(c.deadline)
		if !c.dead || c.cause != causeServer {
			t.Errorf("%s: who does not read stays", name)
		}
	}
}
