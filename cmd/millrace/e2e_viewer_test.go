package main_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

// viewer is a connection that watches a stream and gives what it gets.
type viewer interface {
	// next returns the next tag, io.EOF after an end that is clean by the
	// rules of the protocol, or another error.
	next() (tag, error)
	SetReadDeadline(time.Time) error
	Close() error
}

// protocols are the ways to watch, named as in the API.
var protocols = []string{"rtmp", "http-flv", "ws-flv"}

// wrapper comes between a viewer's socket and its parser; with one the
// viewer's receive buffer is as small as can be.
type wrapper func(net.Conn) io.Reader

// watch starts to watch path; it returns when the server has answered, which
// for a stream that is not there means: when it is.
func (s *server) watch(t *testing.T, protocol, path string, wrap wrapper) viewer {
	t.Helper()
	v, err := s.tryWatch(protocol, path, wrap)
	if err != nil {
		t.Fatalf("watch %s over %s: %v", path, protocol, err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

func (s *server) tryWatch(protocol, path string, wrap wrapper) (viewer, error) {
	switch protocol {
	case "rtmp":
		return playRTMP(s.rtmp[0], path, wrap)
	case "http-flv":
		return watchHTTP(s.http[0], flvPath(path), wrap)
	case "http2":
		return watchHTTP2(s.http[0], flvPath(path))
	case "ws-flv":
		return watchWS(s.http[0], flvPath(path), wrap)
	}
	return nil, fmt.Errorf("no protocol %q", protocol)
}

// nextThat reads until a tag is as wanted.
func nextThat(t *testing.T, v viewer, what string, ok func(tag) bool) tag {
	t.Helper()
	_ = v.SetReadDeadline(time.Now().Add(patience))
	for {
		g, err := v.next()
		if err != nil {
			t.Fatalf("wait for %s: %v", what, err)
		}
		if ok(g) {
			return g
		}
	}
}

// readFor reads the tags of a live stream for a while.
func readFor(t *testing.T, v viewer, span time.Duration) []tag {
	t.Helper()
	var tags []tag
	end := time.Now().Add(span)
	nextThat(t, v, "the end of the span", func(g tag) bool {
		tags = append(tags, g)
		return time.Now().After(end)
	})
	return tags
}

// readFrames reads so many video frames.
func readFrames(t *testing.T, v viewer, n int) (tags []tag) {
	t.Helper()
	nextThat(t, v, "video frames", func(g tag) bool {
		tags = append(tags, g)
		if g.isVideo() {
			n--
		}
		return n <= 0
	})
	return tags
}

// readToEnd reads until the clean end of the stream.
func readToEnd(t *testing.T, v viewer, limit time.Duration) []tag {
	t.Helper()
	tags, err := collect(v, time.Now().Add(limit))
	if !errors.Is(err, io.EOF) {
		t.Errorf("after %d tags: %v; want a clean end", len(tags), err)
	}
	return tags
}

// collect reads until the deadline, the end or an error.
func collect(v viewer, deadline time.Time) ([]tag, error) {
	_ = v.SetReadDeadline(deadline)
	var tags []tag
	for {
		g, err := v.next()
		if err != nil {
			return tags, err
		}
		tags = append(tags, g)
	}
}

// order checks what each viewer may rely on, tag by tag.
type order struct {
	last        map[byte]uint32 // timestamp by kind
	key, config bool            // a keyframe, a video configuration came
	video       int
	audio       int
	widest      int32 // ms between two tags of a kind, at most
}

// add takes the next tag and says what is wrong with it.
func (o *order) add(g tag) error {
	if o.last == nil {
		o.last = map[byte]uint32{}
	}
	if last, seen := o.last[g.kind]; g.isMedia() && seen && int32(g.ts-last) < 0 {
		return fmt.Errorf("timestamp of kind %d goes back from %d to %d", g.kind, last, g.ts)
	}
	if g.isVideo() && !o.key && !g.isKeyframe() {
		return errors.New("the first video frame is no keyframe")
	}
	if g.isVideo() && g.body[0]&0x0F == 7 && !o.config {
		return errors.New("video before its configuration")
	}
	o.note(g)
	return nil
}

func (o *order) note(g tag) {
	switch {
	case g.isVideo():
		o.video, o.key = o.video+1, true
	case g.isAudio():
		o.audio++
	case g.kind == videoTag && g.isConfig():
		o.config = true
	}
	if !g.isMedia() {
		return
	}
	if last, seen := o.last[g.kind]; seen {
		o.widest = max(o.widest, int32(g.ts-last))
	}
	o.last[g.kind] = g.ts
}

// checkOrder checks a viewer's tags from its start on.
func checkOrder(t *testing.T, tags []tag) order {
	t.Helper()
	var o order
	for i, g := range tags {
		if err := o.add(g); err != nil {
			t.Errorf("tag %d of %d: %v", i, len(tags), err)
			break
		}
	}
	return o
}
