package web

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// allowance is an Admission.
type allowance struct {
	rate       int64
	left, idle time.Duration
}

func (a allowance) Rate() int64         { return a.rate }
func (a allowance) Left() time.Duration { return a.left }
func (a allowance) Idle() time.Duration { return a.idle }

func (a allowance) admit(*http.Request) (Admission, string, bool) { return a, "", true }

// visiting is how many connections of HTTP/2 the server knows.
func (s *Server) visiting() (n int) {
	s.visitors.all.Range(func(any, any) bool { n++; return true })
	return n
}

// TestMaxDurationOfFile cuts a file that takes longer than its connection may
// last.
func TestMaxDurationOfFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "flv"), 0o755); err != nil {
		t.Fatal(err)
	}
	const size = 64 << 20
	if err := os.WriteFile(filepath.Join(dir, "flv", "long.flv"), make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	// At this rate it would take ten minutes.
	s, client, url := startAdmitting(t, &tunnels{}, Settings{DataDir: dir}, allowance{rate: 100_000, left: 2 * time.Second}.admit)
	answer, err := client.Get(url + "/flv/long.flv")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if n, err := io.Copy(io.Discard, answer.Body); err == nil || answer.StatusCode != http.StatusOK || n == size {
		t.Errorf("%s, %d bytes, %v", answer.Status, n, err)
	}
	eventually(t, "the connection is forgotten", func() bool { return s.visiting() == 0 })
}

// TestIdleTimeoutOverHTTP2 ends a connection that rests, not one on which a
// request takes its time.
func TestIdleTimeoutOverHTTP2(t *testing.T) {
	t.Parallel()
	const idle = 500 * time.Millisecond
	l := &tunnels{answer: func(out net.Conn, whole *atomic.Bool) {
		_, _ = io.WriteString(out, liveAnswer)
		time.Sleep(3 * idle) // a stream with nothing in it
		_, _ = io.WriteString(out, "frame")
		whole.Store(true)
		out.Close()
	}}
	s, client, url := startAdmitting(t, l, Settings{}, allowance{idle: idle}.admit)
	answer, err := client.Get(url + "/live/x.flv")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "frame" {
		t.Errorf("%q, %v", body, err)
	}
	eventually(t, "the connection ends", func() bool { return s.visiting() == 0 })
}

// TestVisitorGone has a connection bounded that rests by the time of the
// verdict, or is no more.
func TestVisitorGone(t *testing.T) {
	t.Parallel()
	v := visitor{admission: allowance{left: time.Hour, idle: time.Hour}}
	v.sleep()
	if v.bound(); v.rest == nil || v.end == nil {
		t.Error("it has no end")
	}
	relayed := v.relaying()
	if v.expire(); v.waited != 1 {
		t.Error("it did not wait for the stream")
	}
	relayed()
	if v.leave(); v.rest.Stop() || v.end.Stop() {
		t.Error("it was not let go")
	}
	late := visitor{admission: v.admission}
	late.sleep()
	late.leave()
	if late.bound(); late.rest != nil || late.end != nil {
		t.Error("it is kept after its end")
	}
}

// eventually waits until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not yet: %s", what)
		}
	}
}
