package main_test

import (
	"bytes"
	"net"
	"strings"
	"testing"
	"time"
)

// silentAttacks are peers that hold what they have without using it.
var silentAttacks = []attack{
	{"slow handshakes", slowHandshakes},
	{"slow request headers", slowHeaders},
	{"connects that never publish", idleConnects},
	{"publishers that send only headers", headersOnly},
}

// slowHandshakes trickles a byte a second on thousands of connections.
func slowHandshakes(t *testing.T, srv *server) {
	trickleMany(t, srv, srv.rtmp[0], 2000, "\x03"+strings.Repeat("\x00", 1536))
}

// slowHeaders does the same with requests, line after line.
func slowHeaders(t *testing.T, srv *server) {
	trickleMany(t, srv, srv.http[0], 1000, "GET / HTTP/1.1\r\nHost: a\r\n"+strings.Repeat("a: b\r\n", 100))
}

// trickleMany sends a byte a second on each connection until the server has
// closed all of them.
func trickleMany(t *testing.T, srv *server, addr string, n int, data string) {
	t.Helper()
	calm := srv.descriptors(t)
	var conns []net.Conn
	for range n {
		conns = append(conns, dialTCP(t, addr))
	}
	peak := 0
	begin := time.Now()
	for i := 0; time.Since(begin) < patience; i++ {
		for _, c := range conns {
			_, _ = c.Write([]byte{data[i]})
		}
		open := srv.descriptors(t)
		if peak = max(peak, open); i > 0 && open <= calm+openMargin {
			t.Logf("%d connections at most, all gone after %v", peak-calm, time.Since(begin).Round(time.Second/10))
			break
		}
		time.Sleep(time.Second) // the trickle
	}
	if peak < calm+n/2 {
		t.Errorf("only %d of %d connections were ever taken", peak-calm, n)
	}
	if open := srv.descriptors(t); open > calm+openMargin {
		t.Errorf("%d connections are still there", open-calm)
	}
	closeAll(conns)
}

func closeAll[C net.Conn](conns []C) {
	for _, c := range conns {
		c.Close()
	}
}

// idleConnects says connect and createStream, and nothing after.
func idleConnects(t *testing.T, srv *server) {
	calm := srv.descriptors(t)
	var conns []*rtmpConn
	for range 300 {
		c, err := openRTMP(srv.rtmp[0], "live", nil)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	srv.waitFewer(t, calm+openMargin)
	closeAll(conns)
}

// headersOnly sends configurations again and again, but no frame.
func headersOnly(t *testing.T, srv *server) {
	var configs []tag
	for _, g := range sourceTags(t, "small") {
		if g.isConfig() {
			configs = append(configs, g)
		}
	}
	var all []*publisher
	for i := range 26 {
		all = append(all, srv.publish(t, "live/headers"+string(rune('a'+i))))
	}
	eventually(t, "all are dropped", func() bool {
		left := 0
		for _, p := range all {
			for _, g := range configs {
				_ = p.put(g)
			}
			if !p.isGone() {
				left++
			}
		}
		return left == 0
	})
	srv.waitReason(t, "media")
}

// resetAttacks drop a connection with RST in every state.
var resetAttacks = []attack{
	{"RST of RTMP", resetRTMP},
	{"RST of HTTP and WebSocket", resetHTTP},
}

// reset closes with RST.
func reset(conn net.Conn) {
	switch c := conn.(type) {
	case *net.TCPConn:
		_ = c.SetLinger(0)
	case *rtmpConn:
		reset(c.Conn)
	case *publisher:
		reset(c.Conn)
	case *rtmpViewer:
		reset(c.Conn)
	case *httpViewer:
		reset(c.Conn)
	case *wsViewer:
		reset(c.Conn)
	}
	conn.Close()
}

// resetRTMP resets publishers and players after each step of theirs.
func resetRTMP(t *testing.T, srv *server) {
	frame := tag{kind: videoTag, body: append([]byte{0x17, 1, 0, 0, 0}, bytes.Repeat([]byte{1}, 9000)...)}
	for range 10 {
		reset(dialTCP(t, srv.rtmp[0]))
		resetAfter(t, srv.rtmp[0], "\x03")
		resetAfter(t, srv.rtmp[0], "\x03"+strings.Repeat("\x00", 1536))
		c, err := dialRTMP(srv.rtmp[0], nil)
		noError(t, err)
		reset(c)
		c, err = dialRTMP(srv.rtmp[0], nil)
		noError(t, err)
		noError(t, c.connect("live", nil))
		reset(c)
		c, err = openRTMP(srv.rtmp[0], "live", nil)
		noError(t, err)
		reset(c)
		c, err = openRTMP(srv.rtmp[0], "live", nil)
		noError(t, err)
		_, err = c.command(c.stream, "publish", nil, "hasty", "live")
		noError(t, err)
		reset(c) // the answer is on its way
		p := srv.publish(t, "live/reset?a=b")
		noError(t, p.put(frame))
		whole := p.out.append(nil, 6, message{kind: videoTag, stream: p.stream, body: frame.body})
		_, _ = p.Write(whole[:len(whole)/2])
		reset(p) // in the middle of a message
		for _, name := range []string{"x", "nobody"} {
			c, err = openRTMP(srv.rtmp[0], "live", nil)
			noError(t, err)
			_, err = c.command(c.stream, "play", nil, name, -2000.0)
			noError(t, err)
			reset(c) // before the answer, or while it waits for a stream
		}
		reset(srv.watch(t, "rtmp", "live/x", unread).(*rtmpViewer))
		v := srv.watch(t, "rtmp", "live/x", nil).(*rtmpViewer)
		nextThat(t, v, "a keyframe", tag.isKeyframe)
		reset(v)
	}
	srv.waitGone(t, "live/reset")
	srv.waitGone(t, "live/hasty")
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// resetAfter sends data and resets.
func resetAfter(t *testing.T, addr, data string) {
	t.Helper()
	conn := dialTCP(t, addr)
	_, _ = conn.Write([]byte(data))
	reset(conn)
}

// resetHTTP resets requests and viewers after each step of theirs.
func resetHTTP(t *testing.T, srv *server) {
	for range 10 {
		for _, data := range []string{
			"", "GET", "GET / HTTP/1.1\r\nHost: a\r\n", getPage, getList, getLive,
			strings.Repeat(getPage, 20), "GET /live/nobody.flv HTTP/1.1\r\nHost: a\r\n\r\n",
			"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf",
		} {
			resetAfter(t, srv.http[0], data)
		}
		for _, protocol := range []string{"http-flv", "ws-flv"} {
			reset(srv.watch(t, protocol, "live/x", unread).(net.Conn))
			v := srv.watch(t, protocol, "live/x", nil)
			nextThat(t, v, "a keyframe", tag.isKeyframe)
			_, _ = v.(net.Conn).Write([]byte("\x82\xFE\x10"))
			reset(v.(net.Conn)) // in the middle of its frame, for a WebSocket
		}
	}
}
