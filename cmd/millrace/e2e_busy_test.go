package main_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"
)

const badName = "NetStream.Publish.BadName"

// TestBusyAuto meets a name in use with on_busy = "auto".
func TestBusyAuto(t *testing.T) {
	t.Parallel()
	t.Run("other key against a live one", busyOtherKey)
	t.Run("same peer and key", busySameKey)
	t.Run("stalled incumbent", busyStalled)
}

func busyOtherKey(t *testing.T) {
	t.Parallel()
	srv := startServer(t, conf{"stream.busy_silence": `"10m"`})
	publishLoop(t, srv.rtmpURL("live/x?key=a"), source(t, "small"))
	before := srv.waitStream(t, "live/x")
	v := srv.watch(t, "rtmp", "live/x", nil)

	wantRefused(t, srv, "live/x?key=b", badName)
	second := publishLoop(t, srv.rtmpURL("live/x?key=b"), source(t, "other"))
	if code := second.wait(t); code == 0 {
		t.Error("the second ffmpeg was taken")
	}
	if !strings.Contains(second.out.String(), "Server error") {
		t.Errorf("the second ffmpeg was not told why:\n%s", second.out)
	}

	first := digests(t, "small")
	c := &member{}
	for _, g := range readFor(t, v, 2*time.Second) {
		if err := c.take(g, first, nil); err != nil {
			t.Fatal(err)
		}
	}
	if after := srv.waitStream(t, "live/x"); after.Publisher.ID != before.Publisher.ID {
		t.Error("the incumbent was replaced")
	}
}

// wantRefused tries to publish and wants a refusal with a description.
func wantRefused(t *testing.T, srv *server, path, code string) refused {
	t.Helper()
	p, err := tryPublish(srv.rtmp[0], path)
	var no refused
	if err == nil {
		p.Close()
		t.Errorf("publish %s was taken", path)
	} else if !errors.As(err, &no) {
		t.Errorf("publish %s: %v; want %s", path, err, code)
	} else if no.code != code || no.level != "error" || no.description == "" {
		t.Errorf("publish %s: %+v; want %s and a description", path, no, code)
	}
	return no
}

func busySameKey(t *testing.T) {
	t.Parallel()
	srv := startServer(t, conf{"stream.busy_silence": `"10m"`})
	first := publishLoop(t, srv.rtmpURL("live/x?key=a"), source(t, "small"))
	before := srv.waitStream(t, "live/x")
	crowd := startCrowd(t, srv, "live/x", 2, digests(t, "small"), digests(t, "other"))
	crowd.eventually(t, "frames of the first", func(m *member) bool { return m.first > 10 })
	publishLoop(t, srv.rtmpURL("live/x?key=a"), source(t, "other"))
	srv.waitStreamThat(t, "live/x", "is the second's", func(s *streamInfo) bool {
		return s.State == "live" && s.Publisher.ID != before.Publisher.ID
	})
	crowd.eventually(t, "frames of the second", func(m *member) bool { return m.second > 10 })
	if code := first.wait(t); code == 0 {
		t.Error("the first ffmpeg ended as if all were well")
	}
}

func busyStalled(t *testing.T) {
	t.Parallel()
	srv := startServer(t, conf{"stream.busy_silence": `"1500ms"`})
	first := publishLoop(t, srv.rtmpURL("live/x?key=a"), source(t, "small"))
	before := srv.waitStream(t, "live/x")
	v := srv.watch(t, "http-flv", "live/x", nil)
	nextThat(t, v, "a keyframe", tag.isKeyframe)
	first.signal(syscall.SIGSTOP)
	var second *publisher
	eventually(t, "the incumbent counts as silent", func() bool {
		var err error
		second, err = tryPublish(srv.rtmp[0], "live/x?key=b")
		return err == nil
	})
	f := startFeed(second, sourceTags(t, "other"), 0)
	t.Cleanup(f.cut)
	if after := srv.waitStream(t, "live/x"); after.Publisher.ID == before.Publisher.ID {
		t.Error("the stalled publisher is still there")
	}
	other := digests(t, "other")
	nextThat(t, v, "a frame of the second", func(g tag) bool { return other[sum(g)] })
}

// TestBusyReject refuses everybody while there is an incumbent.
func TestBusyReject(t *testing.T) {
	t.Parallel()
	srv := startServer(t, conf{"stream.on_busy": `"reject"`})
	srv.feed(t, "live/x?key=a", sourceTags(t, "small"))
	before := srv.waitStream(t, "live/x")
	wantRefused(t, srv, "live/x?key=a", badName)
	wantRefused(t, srv, "live/x?key=b", badName)
	if after := srv.waitStream(t, "live/x"); after.Publisher.ID != before.Publisher.ID {
		t.Error("the incumbent was replaced")
	}
}

// TestBusyReplace takes the newcomer, but not when two encoders fight.
func TestBusyReplace(t *testing.T) {
	t.Parallel()
	srv := startServer(t, conf{"stream.on_busy": `"replace"`})
	tags := sourceTags(t, "small")
	incumbent := srv.feed(t, "live/x?key=0", tags)
	owner := srv.waitMediaOf(t, "live/x", "")
	for _, key := range []string{"1", "2", "3"} {
		newcomer := srv.feed(t, "live/x?key="+key, tags)
		eventually(t, "the incumbent is closed", incumbent.isGone)
		owner = srv.waitMediaOf(t, "live/x", owner)
		incumbent = newcomer
	}
	no := wantRefused(t, srv, "live/x?key=4", badName)
	t.Logf("the fourth was told: %s", no.description)
	if incumbent.isGone() {
		t.Error("the incumbent did not survive the refusal")
	}
}

// waitMediaOf waits until a stream has media of a publisher that is not the
// one before, and returns its ID.
func (s *server) waitMediaOf(t *testing.T, path, before string) string {
	t.Helper()
	now := s.waitStreamThat(t, path, "has another publisher", func(s *streamInfo) bool {
		return s.Publisher != nil && s.Publisher.ID != before
	})
	s.waitStreamThat(t, path, "has media of it", func(s *streamInfo) bool { return s.FramesIn > now.FramesIn })
	return now.Publisher.ID
}
