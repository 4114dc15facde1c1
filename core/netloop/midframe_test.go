package netloop

import (
	"strings"
	"sync"
	"testing"

	"github.com/millrace/millrace/core/stream"
	"github.com/millrace/millrace/core/ws"
)

// narrow has the rig's connections send through small buffers, so that almost
// each write is a partial one.
func (r *rig) narrow() {
	r.http.sendBuffer(r.t, 4608)
	r.rtmp.sendBuffer(r.t, 4608)
	r.change(func(s *Settings) { s.Limits.NotsentLowat = 0 })
}

// TestRepliesAtFrameBoundaries pings viewers that read a byte at a time: each
// reply comes between two frames.
func TestRepliesAtFrameBoundaries(t *testing.T) {
	t.Parallel()
	for _, how := range []transport{socket, rtmpIn} {
		t.Run(string(how), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.narrow()
			f := r.start("live/a")
			p := r.watch(how, slowly, "live/a")
			for i := range 40 {
				f.gop(2, 3000)
				p.send(how.ping(i))
			}
			p.waitLast(f)
			p.waitControl(how.pong(39))
			f.check(t, p.got(), wantsBoth, false)
			for i := range 40 {
				p.waitControl(how.pong(i))
			}
		})
	}
}

// TestPartialWrites has frames that are far larger than the socket's buffers.
func TestPartialWrites(t *testing.T) {
	t.Parallel()
	for _, chunkSize := range []int{128, 4096, 65536} {
		testEach(t, func(t *testing.T, how transport) {
			if how != rtmpIn && chunkSize != 4096 {
				t.Skip("has no chunks of its own")
			}
			r := newRig(t, func(o *Options, _ *stream.Options) { o.ChunkSize = chunkSize })
			r.narrow()
			f := r.start("live/a")
			streamID := uint32(1)
			all := []*tape{r.watch(how, manner{receive: 3000}, "live/a")}
			if how == rtmpIn {
				streamID = 7
				all = append(all, r.play(manner{receive: 3000}, "live/a", streamID))
			}
			for i := range 10 {
				f.gop(2, 50_000+i)
			}
			for _, p := range all {
				p.waitLast(f)
				f.check(t, p.got(), wantsBoth, false)
			}
			if r.engine.Stats().Loops[0].PartialWrites+r.engine.Stats().Loops[len(r.engine.loops)-1].PartialWrites == 0 {
				t.Error("no write was partial")
			}
		})
	}
}

// TestExtendedTimestamps crosses 0xFFFFFF and 2^32 in chunks.
func TestExtendedTimestamps(t *testing.T) {
	t.Parallel()
	for _, start := range []uint32{0xFFFFFF - 20, 0xFFFFFFFF - 20} {
		testEach(t, func(t *testing.T, how transport) {
			r := newRig(t)
			f := r.publish("live/a")
			f.ts = start
			f.headers(1)
			f.gop(3, 10_000)
			p := r.watch(how, manner{}, "live/a")
			for range 10 {
				f.gop(3, 10_000)
			}
			p.waitLast(f)
			f.check(t, p.got(), wantsBoth, false)
		})
	}
}

// stuck makes a viewer that is in the middle of a frame and does not read.
func (r *rig) stuck(how transport, f *feed) *tape {
	r.t.Helper()
	gate, before := make(chan struct{}), r.insideFrame()
	p := r.watch(how, manner{receive: 4096, wrap: gated(gate)}, parsePath(f))
	p.release = sync.OnceFunc(func() { close(gate) })
	r.t.Cleanup(p.release)
	for range 3 {
		f.gop(1, 100_000)
	}
	eventually(r.t, "a viewer is in the middle of a frame", func() bool { return r.insideFrame() > before })
	return p
}

// insideFrame counts viewers that wait in the middle of a frame.
func (r *rig) insideFrame() (n int) {
	for _, l := range r.engine.loops {
		r.on(l, func() {
			for _, c := range l.conns {
				if c.blocked && c.viewer != nil && (c.viewer.cursor.Inside != nil || c.tls != nil) {
					n++
				}
			}
		})
	}
	return n
}

// TestKickMidFrame ends a viewer in the middle of a frame: the frame's rest
// comes, then the good-bye.
func TestKickMidFrame(t *testing.T) {
	t.Parallel()
	testEach(t, func(t *testing.T, how transport) {
		r := newRig(t)
		f := r.start("live/a")
		p := r.stuck(how, f)
		r.kick(RolePlayer, "for fun")
		p.release()
		p.cleanEnd()
		checkFarewell(t, how, p, "for fun")
		if len(p.got()) < 4 {
			t.Errorf("%d units came", len(p.got()))
		}
	})
}

// checkFarewell wants the protocol's good-bye to be the last that was heard.
func checkFarewell(t *testing.T, how transport, p *tape, reason string) {
	t.Helper()
	code := "1000"
	if reason == shuttingDown {
		code = "1001" // going away
	}
	want := map[transport]string{
		chunked: "last chunk", socket: "close " + code + " " + reason,
		rtmpIn: "user control 1 of 1, onStatus NetStream.Play.UnpublishNotify",
	}[how]
	if got := strings.Join(p.heard(), ", "); !strings.HasSuffix(got, want) {
		t.Errorf("heard %q, want %q at the end", got, want)
	}
}

// TestEndMidFrame has the stream end while a viewer is in the middle of a
// frame: it gets all that there was.
func TestEndMidFrame(t *testing.T) {
	t.Parallel()
	testEach(t, func(t *testing.T, how transport) {
		r := newRig(t)
		f := r.start("live/a")
		p := r.stuck(how, f)
		f.end()
		p.release()
		p.cleanEnd()
		f.check(t, p.got(), wantsBoth, false)
		checkFarewell(t, how, p, "the test is over")
	})
}

// TestNoPongBehindTheCloseFrame pings a server that has said good-bye and
// could not send it yet.
func TestNoPongBehindTheCloseFrame(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.start("live/a")
	p := r.stuck(socket, f)
	r.kick(RolePlayer, "for fun")
	p.send(socket.ping(1))
	eventually(t, "the ping was read", func() bool { return r.read("http") > uint64(len(socket.request("live/a"))) })
	p.release()
	p.cleanEnd()
}

// read is how many bytes the only connection has sent us.
func (r *rig) read(string) uint64 {
	for _, c := range r.clients() {
		return c.BytesIn
	}
	return 0
}

// TestCloseFrameIsAnswered closes a WebSocket from the viewer's side, in the
// middle of a frame too.
func TestCloseFrameIsAnswered(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.start("live/a")
	bye := ws.AppendMasked(nil, ws.OpClose, true, []byte("\x03\xe9bye"), [4]byte{1, 2, 3, 4})

	p := r.stuck(socket, f)
	p.send(bye)
	p.release()
	p.cleanEnd()
	checkHeard(t, p, "close 1001 closed by peer")

	p = r.watch(socket, manner{}, "live/a")
	p.waitLast(f)
	p.send(bye)
	p.cleanEnd()
	checkHeard(t, p, "close 1001 closed by peer")

	p = r.watch(socket, manner{}, "live/a")
	p.send([]byte{0x82, 1, 0}) // not masked
	p.cleanEnd()
	if got := p.heard(); !strings.HasPrefix(got[len(got)-1], "close 1002 ") {
		t.Errorf("heard %q", got)
	}
}

func checkHeard(t *testing.T, p *tape, last string) {
	t.Helper()
	if got := p.heard(); len(got) == 0 || got[len(got)-1] != last {
		t.Errorf("heard %q, want %q at the end", got, last)
	}
}
