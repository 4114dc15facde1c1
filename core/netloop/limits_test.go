package netloop

import (
	"io"
	"strings"
	"testing"
	"time"
)

// TestConnectionLimits has more connections come than may.
func TestConnectionLimits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*Limits)
		reason string
	}{
		{"in all", func(l *Limits) { l.Connections = 3 }, refusedConnections},
		{"per address", func(l *Limits) { l.ConnectionsPerIP = 3 }, refusedPerIP},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, settings(func(s *Settings) { c.change(&s.Limits) }))
			first := dial(t, r.rtmp.Addr(), 0)
			dial(t, r.http.Addr(), 0)
			dial(t, r.http.Addr(), 0)
			r.waitConns(3)
			began := time.Now()
			for range 5 {
				over := dial(t, r.http.Addr(), 0)
				if n, err := over.Read(make([]byte, 1)); n > 0 || err == nil {
					t.Errorf("%d bytes, %v", n, err)
				}
			}
			eventually(t, "all refusals are counted", func() bool { return r.engine.Stats().Refused[c.reason] == 5 })
			if n := len(r.log.find("connections refused")); n < 1 || n > 2+int(time.Since(began)/time.Second) { // one a second
				t.Errorf("%d lines tell of it", n)
			}
			first.Close()
			r.waitConns(2)
			wantOptions(t, r.http.Addr())
		})
	}
}

// TestDeadlines has each phase of a connection take too long.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	const short = time.Second
	var handshake = append([]byte{3}, make([]byte, 1536)...)
	for _, c := range []struct {
		name   string
		change func(*Limits)
		http   bool
		send   string
		answer string
	}{
		{"handshake", func(l *Limits) { l.HandshakeTimeout = short }, false, "\x03", ""},
		{"connect", func(l *Limits) { l.ConnectTimeout = short }, false, string(handshake) + string(handshake[1:]), "\x03"},
		{"publish", func(l *Limits) { l.PublishTimeout = short }, false, string(handshake) + string(handshake[1:]) + string(connectTo("live")), "\x03"},
		{"publish idle", func(l *Limits) { l.PublishIdleTimeout = short }, false, string(handshake) + string(handshake[1:]) +
			string(connectTo("live")) + string(command(0, 2, "createStream", nil)) + string(command(1, 3, "publish", nil, "x", "live")), "\x03"},
		{"request head", func(l *Limits) { l.RequestHeaderTimeout = short }, true, "GET / HT", "HTTP/1.1 408"},
		{"no request", func(l *Limits) { l.RequestHeaderTimeout = short }, true, "", "HTTP/1.1 408"},
		{"idle", func(l *Limits) { l.IdleTimeout = short }, true, "OPTIONS /live/a.flv HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 204"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, settings(func(s *Settings) { c.change(&s.Limits) }))
			ln := r.rtmp
			if c.http {
				ln = r.http
			}
			conn := dial(t, ln.Addr(), 0)
			io.WriteString(conn, c.send)
			all, err := io.ReadAll(conn)
			if err != nil && !strings.Contains(err.Error(), "reset") {
				t.Fatal(err)
			}
			if !strings.HasPrefix(string(all), c.answer) || c.answer == "" && len(all) > 0 {
				t.Errorf("answer %.40q, want %q", all, c.answer)
			}
			conn.Close()
			r.waitConns(0)
		})
	}
}

// TestPublisherThatSendsNoMedia keeps talking, but sends no media.
func TestPublisherThatSendsNoMedia(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings(func(s *Settings) { s.Limits.PublishIdleTimeout = 300 * time.Millisecond }))
	p := r.publishing("live/a")
	go func() {
		for {
			if _, err := p.conn.Write(rtmpPing(1)); err != nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	p.waitControl("onStatus NetStream.Publish.Rejected")
	p.waitEnd()
}

// TestInputIsBounded has peers send without end what must be kept.
func TestInputIsBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings(func(s *Settings) { s.Limits.ConnectionBuffer = 128 << 10 }))
	r.start("live/a")
	flood := func(c io.Writer, b string) {
		for {
			if _, err := io.WriteString(c, b); err != nil {
				return
			}
		}
	}
	head := dial(t, r.http.Addr(), 0)
	flood(head, "GET /live/a.flv HTTP/1.1\r\nX: "+strings.Repeat("x", 4096))
	waiting := dial(t, r.http.Addr(), 0)
	io.WriteString(waiting, chunked.request("live/none"))
	flood(waiting, strings.Repeat("x", 4096))
	behind := dial(t, r.http.Addr(), 0)
	io.WriteString(behind, chunked.request("live/a"))
	flood(behind, strings.Repeat("x", 4096))
	play := r.rtmpDial(manner{}, connectTo("live"), command(0, 2, "createStream", nil), command(1, 3, "play", nil, "none"))
	flood(play.conn, strings.Repeat(string(rtmpPing(1)), 100))
	r.waitConns(0)
}
