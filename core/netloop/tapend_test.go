package netloop

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/millrace/millrace/core/stream"
)

// stalledTap is a plugin that does not read, in the middle of much.
func (r *rig) stalledTap(ln *Listener) (*tapClient, *feed) {
	r.t.Helper()
	f := r.start("live/cam")
	s := f.pub.Stream
	c := r.tap(ln, "/live/cam.flv?lag=8MiB&merge=0s&from="+s.Session+":1")
	for range 30 {
		f.gop(5, 20_000)
		s.Wake()
	}
	eventually(r.t, "its socket is full", func() bool {
		full := false
		for _, l := range r.engine.loops {
			r.on(l, func() { full = full || len(l.fanout.blocked) > 0 })
		}
		return full
	})
	return c, f
}

// TestTapPatience has a stalled plugin stay while its stream is live, and be
// ended when the stream has gone and it still takes nothing.
func TestTapPatience(t *testing.T) {
	t.Parallel()
	r := newRig(t, withPlugins, settings(func(s *Settings) { s.Viewers.StallTimeout = 300 * time.Millisecond }))
	c, f := r.stalledTap(r.plugins())
	time.Sleep(time.Second) // several times the limit for viewers
	if n := r.engine.Stats().Taps; n != 1 {
		t.Fatalf("%d taps while the stream is live", n)
	}
	f.pub.Close(true, "done", r.engine.Now())
	f.pub.Stream.Wake()
	eventually(t, "it is ended", func() bool { return r.engine.Stats().Taps == 0 })
	for {
		_, err := c.read()
		if errors.Is(err, io.EOF) {
			t.Fatal("that was a clean end")
		}
		if err != nil {
			return
		}
	}
}

// TestTapKicked loses its connection without a clean end.
func TestTapKicked(t *testing.T) {
	t.Parallel()
	r := newRig(t, withPlugins)
	f := r.start("live/cam")
	c := r.tap(r.plugins(), "/live/cam.flv?merge=0s")
	c.until(f.pub.Stream.Head() - 1)
	for _, s := range r.clients() {
		if s.Role == RolePlugin && (s.RemoteAddr != "unix" || s.Name != "cam" || s.UserAgent != "rec" || s.Protocol != "plugin") {
			t.Errorf("%+v", s)
		}
	}
	r.kick(RolePlugin, "tired")
	if _, err := c.read(); err == nil || errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("read after the kick: %v", err)
	}
}

// TestTapDrain has plugins get the rest and a clean end when the server goes.
func TestTapDrain(t *testing.T) {
	t.Parallel()
	r := newRig(t, withPlugins)
	ln := r.plugins()
	c, f := r.stalledTap(ln)
	s := f.pub.Stream
	want := published(s, 1)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- r.engine.Drain(ctx) }()
	check(t, c.until(0), want, 1, s.Head())
	c.conn.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestTapLate takes the rest of a session that has ended meanwhile.
func TestTapLate(t *testing.T) {
	t.Parallel()
	r := newRig(t, withPlugins)
	ln := r.plugins()
	f := r.start("live/cam")
	s := f.pub.Stream
	first := r.tap(ln, "/live/cam.flv?from="+s.Session+":1&merge=0s")
	first.until(3)
	first.conn.Close()
	f.gop(5, 100)
	f.pub.Close(true, "done", r.engine.Now())
	other := r.start("live/cam") // the name is somebody else's by now
	c := r.tap(ln, "/live/cam.flv?from="+s.Session+":4")
	check(t, c.until(0), published(s, 1), 4, s.Head())
	if other.pub.Stream == s || c.session != s.Session {
		t.Errorf("session %q", c.session)
	}
}

// TestListenPlugins replaces what a killed server left, and nothing else.
func TestListenPlugins(t *testing.T) {
	t.Parallel()
	r := newRig(t, withPlugins)
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.engine.ListenPlugins(path, 0o600); err == nil {
		t.Fatal("another server's socket was taken")
	}
	stale.SetUnlinkOnClose(false)
	stale.Close()
	ln, err := r.engine.ListenPlugins(path, 0o640)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v", info, err)
	}
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := r.engine.ListenPlugins(path, 0o600); err == nil {
		t.Error("a file was taken")
	}
}

// TestTapBudget keeps a plugin that says no lag from changing what others have.
func TestTapBudget(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *Options, _ *stream.Options) {
		o.Grant = func(string) (Grant, bool) { return Grant{Plugin: "rec", Media: true, Buffer: 1 << 20}, true }
	})
	ln := r.plugins()
	f := r.start("live/cam")
	b := r.streams.Budget("rec")
	for _, tt := range []struct {
		query string
		want  stream.Limits
	}{
		{"?lag=512KiB", stream.Limits{Bytes: 512 << 10}},
		{"", stream.Limits{Bytes: 512 << 10}},
		{"?lag=64MiB,30s", stream.Limits{Bytes: 1 << 20, Age: 30 * time.Second}},
	} {
		c := r.tap(ln, "/live/cam.flv"+tt.query)
		c.until(f.pub.Stream.Head() - 1)
		if got := b.Limits(); got != tt.want {
			t.Errorf("%q: %+v, want %+v", tt.query, got, tt.want)
		}
	}
}
