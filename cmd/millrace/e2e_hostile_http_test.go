package main_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"
)

// httpAttacks misuse requests and WebSockets.
var httpAttacks = []attack{
	{"endless headers", endlessHeaders},
	{"request smuggling", smuggledRequests},
	{"WebSocket frames", badFrames},
}

// endlessHeaders sends header lines until the server has had enough.
func endlessHeaders(t *testing.T, srv *server) {
	for _, line := range []string{"a: b\r\n", "X: " + strings.Repeat("x", 9000) + "\r\n", "\r\n", " \r\n"} {
		for _, start := range []string{"GET / HTTP/1.1\r\nHost: a\r\n", "GET /live/x.flv HTTP/1.1\r\nHost: a\r\n", ""} {
			if line == "\r\n" && start != "" {
				continue // an end
			}
			conn := dialTCP(t, srv.http[0])
			sendAll(t, conn, start)
			flood(t, conn, strings.Repeat(line, 1+9000/len(line)))
			conn.Close()
		}
	}
}

// smuggledRequests hides a request in what may be another one's body. The
// hidden one must not be answered.
func smuggledRequests(t *testing.T, srv *server) {
	first := "GET /live/none.flv?wait=0 HTTP/1.1\r\nHost: a\r\n"
	length := fmt.Sprintf("Content-Length: %d\r\n", len(getLive))
	g := together(t)
	defer g.wait()
	for name, request := range map[string]string{
		"length":                first + length + "\r\n" + getLive,
		"length in POST":        "POST / HTTP/1.1\r\nHost: a\r\n" + length + "\r\n" + getLive,
		"length in HEAD":        "HEAD /live/x.flv HTTP/1.1\r\nHost: a\r\n" + length + "\r\n" + getLive,
		"length in OPTIONS":     "OPTIONS /live/x.flv HTTP/1.1\r\nHost: a\r\n" + length + "\r\n" + getLive,
		"length and coding":     first + length + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + getLive,
		"coding and length":     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + getLive,
		"tab coding":            first + "Transfer-Encoding:\tchunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + getLive,
		"vertical tab":          first + "Transfer-Encoding: \x0Bchunked\r\n\r\n0\r\n\r\n" + getLive,
		"two codings":           first + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + getLive,
		"coding in quotes":      first + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n" + getLive,
		"plus in length":        first + "Content-Length: +0\r\n\r\n" + getLive,
		"hexadecimal length":    first + "Content-Length: 0x0\r\n\r\n" + getLive,
		"list of lengths":       first + "Content-Length: 0, 45\r\n\r\n" + getLive,
		"enormous length":       first + "Content-Length: 18446744073709551616\r\n\r\n" + getLive,
		"space before colon":    first + "Content-Length : 0\r\n\r\n" + getLive,
		"bare line feeds":       strings.ReplaceAll(first, "\r\n", "\n") + "Content-Length: 45\n\n" + getLive,
		"bare carriage returns": first + "X: y\r\rContent-Length: 45\r\n\r\n" + getLive,
		"coding in HTTP/1.0":    "GET /live/none.flv?wait=0 HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + getLive,
		"NUL in the name":       first + "Content-\x00Length: 45\r\n\r\n" + getLive,
		"folded":                first + "X: y\r\n Content-Length: 45\r\n\r\n" + getLive,
	} {
		g.run(name, func(t *testing.T) {
			conn := dialTCP(t, srv.http[0])
			sendAll(t, conn, request)
			if said := sayings(conn); strings.Contains(said, "FLV\x01") {
				t.Errorf("the hidden request was answered after %q", tail(said[:min(len(said), 60)], 1))
			}
		})
	}
}

// sayings are what the server says until it closes, for a few seconds at most.
func sayings(conn net.Conn) string {
	_ = conn.SetReadDeadline(time.Now().Add(3 * time.Second))
	said, _ := io.ReadAll(conn)
	conn.Close()
	return string(said)
}

// badFrames are what RFC 6455 forbids to a client, or too much of what it
// allows; each ends the connection.
func badFrames(t *testing.T, srv *server) {
	const mask = "\x00\x00\x00\x00"
	g := together(t)
	defer g.wait()
	for name, data := range map[string]string{
		"unmasked":               "\x82\x05hello",
		"unmasked and oversized": "\x82\x7F\x00\x00\x00\x00\x7F\xFF\xFF\xFF",
		"63 bits":                "\x82\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF" + mask,
		"64 bits":                "\x82\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF" + mask,
		"16 MiB":                 "\x82\xFF\x00\x00\x00\x00\x01\x00\x00\x00" + mask + strings.Repeat("x", 16<<20),
		"long ping":              "\x89\xFE\x00\x7E" + mask + strings.Repeat("x", 126),
		"ping in fragments":      "\x09\x85" + mask + "hello",
		"reserved bits":          "\xF2\x85" + mask + "hello",
		"reserved opcode":        "\x83\x85" + mask + "hello",
		"continuation of none":   "\x80\x85" + mask + "hello",
		"endless fragments":      "\x02\x85" + mask + "hello" + strings.Repeat("\x00\x85"+mask+"hello", 1_000_000),
		"close of one byte":      "\x88\x81" + mask + "x",
		"close with a bad code":  "\x88\x82" + mask + "\x00\x01",
		"close with bad UTF-8":   "\x88\x84" + mask + "\x03\xE8\xFF\xFF",
	} {
		g.run(name, func(t *testing.T) {
			v := srv.watch(t, "ws-flv", "live/x", nil).(*wsViewer)
			go func() { _, _ = io.WriteString(v, data) }()
			_, err := collect(v, time.Now().Add(patience))
			if timeout, is := err.(net.Error); is && timeout.Timeout() {
				t.Error("the connection stays")
			}
			t.Logf("close code %d, %v", v.frames.code, err)
			v.Close()
		})
	}
}

// noiseAttacks are bytes without sense.
var noiseAttacks = []attack{
	{"noise", noise},
	{"noise in RTMP", noiseInRTMP},
	{"noise in a WebSocket", noiseInWebSocket},
	{"PROXY protocol", badProxies},
}

// random is noise of a seed.
func random(seed byte, n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

// noise goes to each port.
func noise(t *testing.T, srv *server) {
	for seed := range byte(20) {
		for _, addr := range append(append([]string{srv.admin}, srv.rtmp...), srv.http...) {
			conn := dialTCP(t, addr)
			_, _ = conn.Write(random(seed, 20_000))
			defer conn.Close()
			conn = dialTCP(t, addr)
			_, _ = conn.Write(append([]byte{3}, random(seed, 20_000)...))
			conn.Close()
		}
	}
}

// noiseInRTMP comes after the handshake, and as the body of each message.
func noiseInRTMP(t *testing.T, srv *server) {
	for seed := range byte(60) {
		c, err := dialRTMP(srv.rtmp[0], nil)
		noError(t, err)
		_, _ = c.Write(random(seed, 20_000))
		c.Close()
		p := srv.publish(t, "live/noise")
		for i := range 20 {
			_ = p.send(6, message{kind: seed % 24, stream: p.stream, body: random(seed+byte(i), 1<<(i%12))})
		}
		p.Close()
	}
	srv.waitGone(t, "live/noise")
}

func noiseInWebSocket(t *testing.T, srv *server) {
	for seed := range byte(40) {
		v := srv.watch(t, "ws-flv", "live/x", nil).(*wsViewer)
		_, _ = v.Write(append([]byte{0x80 | seed%16, 0x80 | seed}, random(seed, 5000)...))
		v.Close()
	}
}

// badProxies are headers that no proxy sends; the listeners that want one
// close.
func badProxies(t *testing.T, srv *server) {
	const v2 = "\r\n\r\n\x00\r\nQUIT\n"
	g := together(t)
	defer g.wait()
	for name, data := range map[string]string{
		"endless v1":      "PROXY TCP4 " + strings.Repeat("1", 500),
		"bad address":     "PROXY TCP4 999.0.0.1 127.0.0.1 1 2\r\n",
		"bad port":        "PROXY TCP4 1.2.3.4 127.0.0.1 1 99999\r\n",
		"other family":    "PROXY TCP4 ::1 ::1 1 2\r\n",
		"no CR":           "PROXY TCP4 203.0.113.7 127.0.0.1 5555 1935\nGET / HTTP/1.1\r\n\r\n",
		"v2 of version 1": v2 + "\x11\x11\x00\x0C" + strings.Repeat("x", 12),
		"v2 too short":    v2 + "\x21\x11\x00\x01x",
		"v2 64 KiB":       v2 + "\x21\x11\xFF\xFF" + strings.Repeat("x", 65_000),
		"v2 command":      v2 + "\x2F\x11\x00\x0C" + strings.Repeat("x", 12),
		"v2 family":       v2 + "\x21\xF1\x00\x0C" + strings.Repeat("x", 12),
		"v2 cut":          v2[:7],
		"nothing":         "",
		"two headers":     proxyV1 + proxyV1,
		"no sense":        string(random(1, 5000)),
	} {
		for i, addr := range []string{srv.rtmp[1], srv.http[1]} {
			g.run(fmt.Sprint(name, " ", i), func(t *testing.T) {
				conn := dialTCP(t, addr)
				_, _ = io.WriteString(conn, data)
				waitClosed(t, conn)
				conn.Close()
			})
		}
	}
}
