package netloop

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/core/event"
)

// TestStalledViewerIsClosed has a viewer that never reads beside one that
// does: the one is closed, with a line in the log that says all, and the other
// loses nothing.
func TestStalledViewerIsClosed(t *testing.T) {
	t.Parallel()
	testEach(t, func(t *testing.T, how transport) {
		r := newRig(t)
		f := r.start("live/a")
		good := r.watch(how, manner{}, "live/a")
		bad := r.stuck(how, f)
		for range 20 {
			f.gop(2, 10_000)
		}
		good.waitLast(f)
		r.change(func(s *Settings) { s.Viewers.StallTimeout = 300 * time.Millisecond })
		r.waitViewers(1)
		f.gop(2, 10_000)
		good.waitLast(f)
		f.check(t, good.got(), wantsBoth, false)
		bad.release()
		if err := bad.waitEnd(); err == nil {
			t.Error("the stalled viewer has no end")
		}
		lines := r.log.find("viewer is too slow")
		if len(lines) != 1 {
			t.Fatalf("the log has %v", lines)
		}
		for _, k := range []string{event.Stream, event.ClientID, event.Protocol, event.RemoteAddr, event.LagMS, "socket_queue", "no_progress_for", event.Dropped} {
			if lines[0].attrs[k] == "" {
				t.Errorf("no %s in %v", k, lines[0])
			}
		}
		if got := lines[0].attrs["action"]; got != "closed" {
			t.Errorf("the action is %q", got)
		}
		eventually(t, "it counts as stalled", func() bool { return r.engine.Stats().Closed["stalled"] == 1 })
	})
}

// TestLaggardSkips has a viewer not read for longer than max_lag: it goes on
// at a keyframe, and what it lost is counted.
func TestLaggardSkips(t *testing.T) {
	t.Parallel()
	testEach(t, func(t *testing.T, how transport) {
		r := newRig(t, settings(func(s *Settings) { s.Viewers.MaxLag = 200 * time.Millisecond }))
		f := r.start("live/a")
		p := r.stuck(how, f)
		began := time.Now()
		for time.Since(began) < 600*time.Millisecond {
			f.gop(2, 20_000)
			time.Sleep(20 * time.Millisecond) // the stream's own pace
		}
		p.release()
		for i := 0; !caughtUp(p, f) && i < 500; i++ {
			f.gop(2, 1000)
			time.Sleep(10 * time.Millisecond)
		}
		p.waitLast(f)
		f.check(t, p.got(), wantsBoth, true)
		c := f.pub.Stream.Counters()
		if c.Skips.Load() == 0 || c.Dropped.Load() == 0 {
			t.Errorf("%d skips, %d frames dropped", c.Skips.Load(), c.Dropped.Load())
		}
		sent, got := 0, 0
		for range f.all() {
			sent++
		}
		for _, u := range p.got() {
			if u.isMedia() {
				got++
			}
		}
		if lost := uint64(sent - got); c.Dropped.Load()+c.Gaps.Load() < lost {
			t.Errorf("%d frames are lost, %d and %d were counted", lost, c.Dropped.Load(), c.Gaps.Load())
		}
		// One episode, unless the reader was not let read again.
		if n := len(r.log.find("viewer is too slow")); n == 0 || n > int(c.Skips.Load()) {
			t.Errorf("%d lines tell of %d skips", n, c.Skips.Load())
		}
	})
}

// caughtUp reports whether p has one of the newest frames.
func caughtUp(p *tape, f *feed) bool {
	got, all := p.got(), f.all()
	if len(got) == 0 {
		return false
	}
	for _, s := range all[max(len(all)-5, 0):] {
		if s.unit == got[len(got)-1] {
			return true
		}
	}
	return false
}

// TestStalledPeersOfAnyKind have the engine send to them and do not read.
func TestStalledPeersOfAnyKind(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings(func(s *Settings) {
		s.Viewers.StallTimeout = 300 * time.Millisecond
		s.Viewers.PlayWait = 0
		s.Limits.ConnectionBuffer = 64 << 10
	}))
	r.narrow()
	t.Run("answers", func(t *testing.T) {
		c := dial(t, r.http.Addr(), 2304)
		request := []byte("GET /live/none.flv HTTP/1.1\r\nHost: h\r\n\r\n")
		for {
			if _, err := c.Write(request); err != nil {
				break // closed, as it should be
			}
		}
		r.waitConns(0)
	})
	t.Run("pings", func(t *testing.T) {
		r.change(func(s *Settings) { s.Viewers.StallTimeout = time.Minute })
		f := r.start("live/a")
		p := r.stuck(rtmpIn, f)
		r.change(func(s *Settings) { s.Viewers.StallTimeout = 300 * time.Millisecond })
		for {
			if _, err := p.conn.Write(rtmpPing(1)); err != nil {
				break
			}
		}
		r.waitConns(0)
	})
}

// TestFinishedButUnread has a viewer be told good-bye and not read it.
func TestFinishedButUnread(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.start("live/a")
	for _, how := range transports {
		r.stuck(how, f)
	}
	r.change(func(s *Settings) { s.Viewers.StallTimeout = 300 * time.Millisecond })
	f.end()
	r.waitConns(0)
}

// TestSilentPeer has the kernel end a connection whose peer is not there any
// more, after the policy for stalled viewers has had its say.
func TestSilentPeer(t *testing.T) {
	t.Parallel()
	testEach(t, func(t *testing.T, how transport) {
		r := newRig(t, settings(func(s *Settings) { s.Viewers.StallTimeout = 7 * time.Second }))
		r.start("live/a")
		r.watch(how, manner{}, "live/a")
		r.waitViewers(1)
		looked := 0
		for _, l := range r.engine.loops {
			r.on(l, func() {
				for _, c := range l.conns {
					ms, err := unix.GetsockoptInt(c.fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT)
					if err != nil || ms != 17_000 {
						t.Errorf("TCP_USER_TIMEOUT is %d ms, %v", ms, err)
					}
					looked++
				}
			})
		}
		if looked != 1 {
			t.Errorf("%d connections", looked)
		}
	})
}
