package netloop

import (
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/core/rtmp/chunk"
)

// TestPublishAndPlay goes the whole way from socket to socket.
func TestPublishAndPlay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := r.publishing("live/a")
	var all []*tape
	for _, how := range transports {
		all = append(all, r.watch(how, manner{}, "live/a"))
	}
	f := &feed{t: t}
	var out []byte
	put := func(kind media.Kind, ts uint32, payload []byte) {
		out = chunk.AppendMessage(out, uint32(kind.ChunkStream()), uint8(kind), 1, ts, payload, 128)
	}
	put(media.Video, 0, []byte{0x17, 0, 0, 0, 0, 1, 'v'})
	put(media.Audio, 0, []byte{0xAF, 0, 1, 'a'})
	var last unit
	for i := range uint32(50) {
		first := byte(0x27)
		if i%10 == 0 {
			first = 0x17
		}
		last = unit{media.Video, i * 10, string(append([]byte{first, 1, 0, 0, 0}, f.body(int(i)*100)...))}
		put(media.Audio, last.ts, append([]byte{0xAF, 1}, f.body(20)...))
		put(media.Video, last.ts, []byte(last.data))
		if i < 2 || i == 49 {
			p.send(out)
			out = nil
			for _, v := range all {
				v.waitFor(last)
			}
		}
	}
	want := all[0].got()
	for _, v := range all[1:] {
		if !slices.Equal(v.got(), want) {
			t.Errorf("%d units here, %d there", len(v.got()), len(want))
		}
	}
	if len(want) < 100 {
		t.Errorf("%d units came", len(want))
	}
	p.send(command(0, 9, "deleteStream", nil, 1))
	for i, v := range all {
		v.cleanEnd()
		checkFarewell(t, transports[i], v, "publisher stopped: deleteStream")
	}
}

// TestPublishRefused says why.
func TestPublishRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.publishing("live/a")
	for _, name := range []string{"a", ".x", "output_merge", "20240101_000000"} {
		p := r.rtmpDial(manner{}, connectTo("live"), command(0, 2, "createStream", nil),
			command(1, 3, "publish", nil, name, "live"))
		if name == "a" {
			// The same peer with the same key takes the name over.
			p.waitControl("onStatus NetStream.Publish.Start")
			continue
		}
		p.cleanEnd()
		p.waitControl("onStatus NetStream.Publish.BadName")
	}
}

// TestPauseAndGoOn has a player stand still for a while: it goes on at a
// keyframe, and gets nothing in between.
func TestPauseAndGoOn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.start("live/a")
	p := r.play(manner{}, "live/a", 1)
	p.waitLast(f)
	p.send(command(1, 0, "pause", nil, true, 0))
	p.waitControl("onStatus NetStream.Pause.Notify")
	before := len(p.got())
	for range 5 {
		f.gop(3, 1000)
	}
	p.send(rtmpPing(1))
	p.waitControl("pong 1")
	if n := len(p.got()); n != before {
		t.Errorf("%d units came meanwhile", n-before)
	}
	p.send(command(1, 0, "pause", nil, false, 0))
	f.gop(3, 1000)
	p.waitLast(f)
	f.check(t, p.got(), wantsBoth, true)
	if n := f.pub.Stream.Counters().Dropped.Load(); n != 0 {
		t.Errorf("%d frames count as dropped", n)
	}
}

// TestPausedAtTheEnd has the stream of a paused player end.
func TestPausedAtTheEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.start("live/a")
	p := r.play(manner{}, "live/a", 1)
	p.waitLast(f)
	p.send(command(1, 0, "pause", nil, true, 0))
	p.waitControl("onStatus NetStream.Pause.Notify")
	f.end()
	p.cleanEnd()
	checkFarewell(t, rtmpIn, p, "")
}

// TestReceiveAudioVideo turns media off and on again. What changed meanwhile
// is known when they come back.
func TestReceiveAudioVideo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		call string
		kind media.Kind
	}{{"receiveAudio", media.Audio}, {"receiveVideo", media.Video}} {
		t.Run(c.call, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			f := r.start("live/a")
			p := r.play(manner{}, "live/a", 1)
			p.waitLast(f)

			p.send(append(command(1, 0, c.call, nil, false), rtmpPing(1)...))
			p.waitControl("pong 1")
			before := len(p.got())
			f.headers(2)
			f.gop(3, 1000)
			// The last of both media, so that one of them comes.
			f.inter(10)
			f.audio(10)
			f.pub.Stream.Wake()
			other := f.all()[len(f.all())-1].unit
			if c.kind == media.Audio {
				other = f.all()[len(f.all())-2].unit
			}
			p.waitFor(other)
			for _, u := range p.got()[before:] {
				if u.kind == c.kind {
					t.Errorf("%s came", describe(u))
				}
			}

			p.send(append(command(1, 0, c.call, nil, true), rtmpPing(2)...))
			p.waitControl("pong 2")
			at := len(p.got())
			f.gop(3, 1000)
			p.waitLast(f)
			checkConfig(t, p.got(), at, c.kind, f.all()[len(f.all())-1].config[configIndex(c.kind)])
		})
	}
}

// checkConfig wants the sequence header in force to have come before the first
// media of a kind from at on.
func checkConfig(t *testing.T, got []unit, at int, kind media.Kind, want string) {
	t.Helper()
	config := ""
	for i, u := range got {
		switch {
		case u.kind != kind:
		case u.isConfig():
			config = u.data
		case i >= at:
			if config != want {
				t.Errorf("%s comes behind the sequence header %q, want %q", describe(u), config, want)
			}
			return
		}
	}
	t.Error("the medium did not come back")
}

// TestReceiveBeforePlay says what is wanted before there is a stream, as the
// protocol allows.
func TestReceiveBeforePlay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.start("live/a")
	p := r.rtmpDial(manner{}, connectTo("live"), command(0, 2, "createStream", nil),
		command(1, 0, "receiveAudio", nil, false), command(1, 3, "play", nil, "a"))
	p.waitControl("onStatus NetStream.Play.Start")
	f.gop(3, 100)
	p.waitLast(f)
	for _, u := range p.got() {
		if u.kind == media.Audio {
			t.Fatalf("%s came", describe(u))
		}
	}
}

// TestStopAndPlayAgain plays twice on one connection, and stops at once too.
func TestStopAndPlayAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f, g := r.start("live/a"), r.start("live/b")
	stop := command(0, 0, "deleteStream", nil, 1)
	p := r.rtmpDial(manner{}, connectTo("live"), command(0, 2, "createStream", nil),
		command(1, 3, "play", nil, "a"), stop)
	p.waitControl("onStatus NetStream.Play.Start")
	r.waitViewers(0)

	p.send(append(command(0, 4, "createStream", nil), command(1, 5, "play", nil, "a")...))
	p.waitLast(f)
	p.send(stop)
	r.waitViewers(0)
	before := len(p.got())
	p.send(append(command(0, 6, "createStream", nil), command(1, 7, "play", nil, "b")...))
	p.waitLast(g)
	g.check(t, p.got()[before:], wantsBoth, false)
}

// TestPlayerSaysClose ends a player that asks for it.
func TestPlayerSaysClose(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.start("live/a")
	p := r.play(manner{}, "live/a", 1)
	p.waitLast(f)
	p.send(command(0, 0, "close", nil))
	p.cleanEnd()
	r.waitViewers(0)
}

// TestStreamIDsOfPlayers has many players use message streams of many numbers,
// one after the other: what the engine keeps for each goes with it.
func TestStreamIDsOfPlayers(t *testing.T) {
	t.Parallel()
	r := newRig(t, loops(1))
	f := r.start("live/a")
	stays := r.play(manner{}, "live/a", 1)
	stays.waitLast(f)
	for i := range uint32(50) {
		p := r.play(manner{}, "live/a", 1000+i)
		p.waitLast(f)
		p.conn.Close()
		r.waitViewers(1)
	}
	groups := 0
	l := r.engine.loops[0]
	r.on(l, func() { groups = len(l.subs[f.pub.Stream].groups) })
	if groups > 5 {
		t.Errorf("the loop keeps %d groups for one viewer", groups)
	}
}

// TestHostileBytes feeds connections what no client sends; the engine must
// live on.
func TestHostileBytes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.start("live/a")
	for _, b := range []string{"", "\x00", "\x03", strings.Repeat("\xff", 5000), "GET", "PROXY TCP4"} {
		for _, ln := range []*Listener{r.rtmp, r.http} {
			c := dial(t, ln.Addr(), 0)
			c.Write([]byte(b))
			c.Close()
		}
	}
	p := r.rtmpDial(manner{}, connectTo("live"), command(0, 2, "createStream", nil), command(0xFFFFFFFF, 3, "play", nil, "a"))
	p.waitLast(f)
	p.send([]byte{0xC7}) // type 3 on a new chunk stream
	p.waitEnd()
	r.waitConns(0)
	eventually(t, "an error is counted", func() bool { return r.engine.Stats().Closed["protocol_error"] > 0 })
}
