package main_test

import (
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestRepublish kills a publisher before 100 viewers of each protocol; it is
// back within the grace, with other pictures, and then stops cleanly.
func TestRepublish(t *testing.T) {
	t.Parallel()
	heavy(t)
	srv := startServer(t, conf{"stream.stall_timeout": `"10m"`, "stream.reconnect_grace": `"1m"`}) // for a busy machine
	first := publishLoop(t, srv.rtmpURL("live/x"), source(t, "small"))
	before := srv.waitStream(t, "live/x")

	crowd := startCrowd(t, srv, "live/x", 100, digests(t, "small"), digests(t, "other"))
	ffmpegs := []sums{decode(t, srv.rtmpURL("live/x"), "v"), decode(t, srv.flvURL("live/x"), "v")}
	crowd.eventually(t, "frames of the first session", func(m *member) bool { return m.first > 50 })
	srv.waitStreamThat(t, "live/x", "has all viewers", func(s *streamInfo) bool { return s.Viewers >= 302 })
	for _, f := range ffmpegs {
		eventually(t, "ffmpeg has decoded some frames", func() bool { return f.frames() >= 30 })
	}

	first.kill()
	srv.waitStreamThat(t, "live/x", "is lost", func(s *streamInfo) bool { return s.State == "lost" })
	second := publishLoop(t, srv.rtmpURL("live/x"), source(t, "other"))
	after := srv.waitStream(t, "live/x")
	if after.Publisher.ID == before.Publisher.ID {
		t.Error("the stream names the old publisher")
	}
	crowd.eventually(t, "frames of the second session", func(m *member) bool { return m.second > 100 })
	if info := srv.stream(t, "live/x"); info.Viewers < 302 || info.ViewersByProtocol["ws-flv"] != 100 {
		t.Errorf("viewers: %d, %v", info.Viewers, info.ViewersByProtocol)
	}

	second.signal(syscall.SIGTERM)
	crowd.end(t, wsNormal)
	srv.waitGone(t, "live/x")
	for _, f := range ffmpegs {
		f.succeed(t)
		bothSessions(t, f, decoded(t, source(t, "small"), "v"), decoded(t, source(t, "other"), "v"))
	}
}

// bothSessions wants decoded frames of two sources.
func bothSessions(t *testing.T, got, first, second sums) {
	t.Helper()
	in := func(s sums) map[string]bool {
		set := map[string]bool{}
		for _, f := range readSums(t, s.video) {
			set[f.hash] = true
		}
		return set
	}
	one, two, n, m := in(first), in(second), 0, 0
	for _, f := range readSums(t, got.video) {
		switch {
		case one[f.hash]:
			n++
		case two[f.hash]:
			m++
		default:
			t.Fatalf("a frame at %v of %s is of neither session", f.pts, got.peer)
		}
	}
	if n < 25 || m < 50 {
		t.Errorf("%d and %d frames of the sessions: %s", n, m, got.peer)
	}
}

// digest identifies a frame.
type digest [md5.Size]byte

func sum(g tag) digest { return md5.Sum(g.body) }

// digests are those of the video frames of a source.
func digests(t *testing.T, name string) map[digest]bool {
	t.Helper()
	set := map[digest]bool{}
	for _, g := range sourceTags(t, name) {
		if g.isVideo() {
			set[sum(g)] = true
		}
	}
	return set
}

// crowd is many viewers, each read by a goroutine.
type crowd struct {
	mu      sync.Mutex
	members []*member
	wg      sync.WaitGroup
}

// member is a viewer of two sessions; the crowd's lock guards it.
type member struct {
	order
	viewer
	protocol      string
	first, second int // video frames of each session
	headers       int // video configurations since the last video frame
	err           error
}

func startCrowd(t *testing.T, srv *server, path string, each int, first, second map[digest]bool) *crowd {
	t.Helper()
	c := &crowd{}
	for i := range each * len(protocols) {
		protocol := protocols[i%len(protocols)]
		m := &member{protocol: protocol, viewer: srv.watch(t, protocol, path, nil)}
		_ = m.SetReadDeadline(time.Now().Add(10 * time.Minute))
		c.members = append(c.members, m)
		c.wg.Go(func() { c.read(m, first, second) })
	}
	t.Cleanup(func() {
		for _, m := range c.members {
			m.Close()
		}
		c.wg.Wait()
	})
	return c
}

func (c *crowd) read(m *member, first, second map[digest]bool) {
	for {
		g, err := m.next()
		c.mu.Lock()
		if err == nil {
			err = m.take(g, first, second)
		}
		m.err = err
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// take checks a tag: the second session begins with its own configuration and
// a keyframe, and timestamps rise across the border.
func (m *member) take(g tag, first, second map[digest]bool) error {
	if err := m.add(g); err != nil {
		return err
	}
	if g.kind == videoTag && g.isConfig() {
		m.headers++
	}
	if !g.isVideo() {
		return nil
	}
	hash := sum(g)
	switch {
	case first[hash] && m.second == 0:
		m.first++
	case !second[hash]:
		return errors.New("a frame of neither session, or of the first after the second")
	case m.second == 0 && m.headers == 0:
		return errors.New("the second session has no configuration of its own")
	case m.second == 0 && !g.isKeyframe():
		return errors.New("the second session does not begin with a keyframe")
	default:
		m.second++
	}
	m.headers = 0
	return nil
}

// eventually waits until ok holds for all; a member that has ended fails.
func (c *crowd) eventually(t *testing.T, what string, ok func(*member) bool) {
	t.Helper()
	var late []*member
	if err := poll(patience, func() bool { late = c.without(t, ok); return len(late) == 0 }); err != nil {
		m := late[0]
		t.Fatalf("%s: %d of %d viewers not in time; one over %s has %d and %d video frames of the sessions, widest gap %d ms",
			what, len(late), len(c.members), m.protocol, m.first, m.second, m.widest)
	}
}

// without returns those for whom ok does not hold.
func (c *crowd) without(t *testing.T, ok func(*member) bool) []*member {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	var late []*member
	for _, m := range c.members {
		if m.err != nil {
			t.Fatalf("a viewer over %s ended: %v", m.protocol, m.err)
		}
		if !ok(m) {
			late = append(late, m)
		}
	}
	return late
}

// end wants a clean end for all, over WebSocket with one of the close codes.
func (c *crowd) end(t *testing.T, codes ...int) {
	t.Helper()
	c.wg.Wait()
	for _, m := range c.members {
		if err := cleanEnd(m.viewer, m.err, codes...); err != nil {
			t.Fatalf("a viewer over %s: %v", m.protocol, err)
		}
	}
}

// Close codes of a WebSocket (RFC 6455 section 7.4.1).
const (
	wsNormal    = 1000
	wsGoingAway = 1001
)

// cleanEnd checks how a viewer ended.
func cleanEnd(v viewer, err error, codes ...int) error {
	if !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w, want a clean end", err)
	}
	if ws, ok := v.(*wsViewer); ok && !slices.Contains(codes, ws.frames.code) {
		return fmt.Errorf("close code %d, want %v", ws.frames.code, codes)
	}
	return nil
}

// TestCleanStop ends a publish as ffmpeg does; every kind of player ends by
// itself at once, long before the grace is over.
func TestCleanStop(t *testing.T) {
	t.Parallel()
	srv := startServer(t, conf{"stream.reconnect_grace": `"10m"`})
	pub := publishLoop(t, srv.rtmpURL("live/x"), source(t, "small"))
	srv.waitStream(t, "live/x")
	players := map[string]recorder{"curl": curl(t, srv.flvURL("live/x"))}
	for name, start := range recorders {
		players[name] = start(t, srv.rtmpURL("live/x"))
	}
	for _, r := range players {
		r.waitSize(t, 60_000)
	}
	pub.signal(syscall.SIGTERM)
	for name, r := range players {
		t.Run(name, func(t *testing.T) {
			r.succeed(t)
			if n := len(readSums(t, decoded(t, r.file, "va").video)); n < 20 {
				t.Errorf("%d frames", n)
			}
		})
	}
}

// TestGracePassed lets nobody come back.
func TestGracePassed(t *testing.T) {
	t.Parallel()
	srv := startServer(t, conf{"stream.reconnect_grace": `"1s"`})
	pub := srv.feed(t, "live/x", sourceTags(t, "small"))
	srv.waitStream(t, "live/x")
	var viewers []viewer
	for _, protocol := range protocols {
		v := srv.watch(t, protocol, "live/x", nil)
		nextThat(t, v, "the first keyframe", tag.isKeyframe)
		viewers = append(viewers, v)
	}
	pub.cut()
	for _, v := range viewers {
		_, err := collect(v, time.Now().Add(patience))
		if err := cleanEnd(v, err, wsNormal); err != nil {
			t.Errorf("%T: %v", v, err)
		}
	}
	srv.waitGone(t, "live/x")
}

// TestReturnInMidGOP brings a publisher back whose first frames need a
// keyframe that nobody has.
func TestReturnInMidGOP(t *testing.T) {
	t.Parallel()
	srv := startServer(t, nil)
	tags := sourceTags(t, "small")
	first := srv.feed(t, "live/x", tags)
	srv.waitStream(t, "live/x")
	crowd := startCrowd(t, srv, "live/x", 2, digests(t, "small"), digests(t, "other"))
	crowd.eventually(t, "frames of the first session", func(m *member) bool { return m.first > 20 })
	first.cut()
	srv.waitStreamThat(t, "live/x", "is lost", func(s *streamInfo) bool { return s.State == "lost" })
	srv.feed(t, "live/x", midGOP(sourceTags(t, "other")))
	crowd.eventually(t, "frames of the second session", func(m *member) bool { return m.second > 20 })
}

// midGOP leaves out what lies between the configuration and the middle of the
// first GOP, and moves the rest to the beginning.
func midGOP(tags []tag) []tag {
	var cut []tag
	for _, g := range tags {
		switch {
		case !g.isMedia():
			cut = append(cut, g)
		case g.ts >= 1000:
			g.ts -= 1000
			cut = append(cut, g)
		}
	}
	return cut
}
