package main_test

import (
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestFloods sends without end what the server has to answer or to keep, and
// takes no answer: the server closes rather than to hold it.
func TestFloods(t *testing.T) {
	t.Parallel()
	srv := startServer(t, conf{"stream.stall_timeout": `"10m"`, "limits.connection_buffer": `"64KiB"`})
	publishLoop(t, srv.rtmpURL("live/x"), source(t, "rate2m"))
	srv.waitStream(t, "live/x")
	crowd := startCrowd(t, srv, "live/x", 1, digests(t, "rate2m"), nil)
	before := srv.resident(t)
	g := together(t)
	for _, protocol := range protocols {
		g.run(protocol, func(t *testing.T) {
			v := srv.watch(t, protocol, "live/x", unread)
			flood(t, v.(net.Conn), junk(v))
		})
	}
	g.wait()
	if grown := srv.resident(t) - before; grown > 32<<20 && !raceEnabled {
		t.Errorf("resident memory grew by %d KiB", grown>>10)
	}
	crowd.eventually(t, "frames", func(m *member) bool { return m.video > 50 && m.widest < 500 })
}

// junk is some KiB of what a viewer may send: pings, or requests.
func junk(v viewer) string {
	switch v := v.(type) {
	case *rtmpViewer:
		ping := v.out.append(nil, 2, message{kind: userControl, body: []byte{0, pingRequest, 0, 0, 0, 1}})
		return strings.Repeat(string(ping), 200)
	case *wsViewer:
		return strings.Repeat("\x89\x85\x00\x00\x00\x00hello", 400)
	}
	return strings.Repeat(getPage, 100)
}

// flood writes until the server closes, or has taken far too much.
func flood(t *testing.T, conn net.Conn, data string) {
	t.Helper()
	_ = conn.SetWriteDeadline(time.Now().Add(patience))
	sent := 0
	for sent < 64<<20 {
		n, err := io.WriteString(conn, data)
		sent += n
		if timeout, is := err.(net.Error); is && timeout.Timeout() {
			break
		} else if err != nil {
			t.Logf("closed after %d bytes: %v", sent, err)
			return
		}
	}
	t.Errorf("still open after %d bytes", sent)
}

// TestOutOfDescriptors has room for few connections only: more are refused,
// and those who are there do not notice.
func TestOutOfDescriptors(t *testing.T) {
	t.Parallel()
	plain := serverCommand()
	cmd := exec.Command("prlimit", append([]string{"--nofile=80:80"}, plain.Args...)...)
	cmd.Env = plain.Env
	srv := startServerAs(t, cmd, conf{"limits.waiting": "1"})
	srv.quiet = false // out of descriptors is an error
	srv.feed(t, "live/x", sourceTags(t, "small"))
	srv.waitStream(t, "live/x")
	crowd := startCrowd(t, srv, "live/x", 1, digests(t, "small"), nil)
	conns := openMany(t, srv, 200)
	crowd.eventually(t, "frames", func(m *member) bool { return m.video > 30 && m.widest < 500 })
	for _, c := range conns {
		c.Close()
	}
	eventually(t, "there is room again", func() bool {
		v, err := watchHTTP(srv.http[0], "/live/x.flv?wait=0", nil)
		if err == nil {
			v.Close()
		}
		return err == nil
	})
}

// openMany opens connections of both kinds that say nothing.
func openMany(t *testing.T, srv *server, n int) []net.Conn {
	t.Helper()
	var conns []net.Conn
	for i := range n {
		conns = append(conns, dialTCP(t, []string{srv.rtmp[0], srv.http[0]}[i%2]))
	}
	return conns
}
