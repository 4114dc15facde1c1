package main_test

import (
	"testing"
)

// TestLowMemoryLimit has the Go runtime collect all the time: viewers lose
// nothing, and the rings keep to their share of what there is.
func TestLowMemoryLimit(t *testing.T) {
	t.Parallel()
	srv := startServer(t, nil, "GOMEMLIMIT=24MiB")
	set := digests(t, "small")
	srv.feed(t, "live/x", sourceTags(t, "small"))
	srv.waitStream(t, "live/x")
	crowd := startCrowd(t, srv, "live/x", 30, set, nil)
	crowd.eventually(t, "frames", func(m *member) bool { return m.video > 60 })
}
