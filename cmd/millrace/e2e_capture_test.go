package main_test

import (
	"context"
	"testing"
	"time"
)

// capture is a viewer that is read in the background to its end.
type capture struct {
	protocol string
	done     chan struct{}
	tags     []tag // valid after done, as is err
	err      error
	viewer   viewer
}

// capturing starts to watch at once, and reads until the stream or the test ends.
func (s *server) capturing(t *testing.T, protocol, path string) *capture {
	t.Helper()
	c := &capture{protocol: protocol, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		if c.viewer, c.err = s.tryWatch(protocol, path, nil); c.err != nil {
			return
		}
		defer c.viewer.Close()
		defer context.AfterFunc(t.Context(), func() { c.viewer.Close() })()
		c.tags, c.err = collect(c.viewer, time.Now().Add(lifetime))
	}()
	t.Cleanup(func() { <-c.done })
	return c
}

// awaiting is capturing, and returns when the server has the viewer.
func (s *server) awaiting(t *testing.T, protocol, path string) *capture {
	t.Helper()
	return s.awaitingAll(t, []string{protocol}, path)[0]
}

// awaitingAll is awaiting over each of some protocols.
func (s *server) awaitingAll(t *testing.T, protocols []string, path string) (all []*capture) {
	t.Helper()
	before := s.connected(t, path)
	for _, protocol := range protocols {
		all = append(all, s.capturing(t, protocol, path))
	}
	eventually(t, "the viewers wait", func() bool { return s.connected(t, path) >= before+len(all) })
	return all
}

// end waits for the clean end and returns the tags.
func (c *capture) end(t *testing.T) []tag {
	t.Helper()
	<-c.done
	if err := cleanEnd(c.viewer, c.err, wsNormal); err != nil {
		t.Errorf("%s after %d tags: %v", c.protocol, len(c.tags), err)
	}
	return c.tags
}
