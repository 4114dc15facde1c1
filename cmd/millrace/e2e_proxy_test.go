package main_test

import (
	"bufio"
	"testing"
)

// proxy headers that name 203.0.113.7:5555 (PROXY protocol, sections 2.1, 2.2).
const (
	proxyV1 = "PROXY TCP4 203.0.113.7 127.0.0.1 5555 1935\r\n"
	proxyV2 = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0C\xCB\x00\x71\x07\x7F\x00\x00\x01\x15\xB3\x07\x8F"
)

// TestProxyProtocol takes the peer's address from the proxy, on listeners that
// say so.
func TestProxyProtocol(t *testing.T) {
	t.Parallel()
	srv := startServer(t, conf{
		"rtmp.listen": `["127.0.0.1:0", {addr = "127.0.0.1:0", proxy_protocol = true}]`,
		"http.listen": `["127.0.0.1:0", {addr = "127.0.0.1:0", proxy_protocol = true}]`,
	})
	if len(srv.rtmp) != 2 || len(srv.http) != 2 {
		t.Fatalf("listeners: %v, %v", srv.rtmp, srv.http)
	}
	for name, header := range map[string]string{"v1": proxyV1, "v2": proxyV2} {
		t.Run(name, func(t *testing.T) {
			rtmp, http := srv.rtmp[1], srv.http[1]
			p, err := tryPublish(rtmp, "live/"+name, []byte(header)...)
			if err != nil {
				t.Fatal(err)
			}
			f := startFeed(p, sourceTags(t, "small"), 0)
			t.Cleanup(f.cut)
			if info := srv.waitStream(t, "live/"+name); info.Publisher.RemoteAddr != "203.0.113.7:5555" {
				t.Errorf("remote_addr %s", info.Publisher.RemoteAddr)
			}
			conn := dialTCP(t, http)
			sendAll(t, conn, header+"GET /live/"+name+".flv HTTP/1.1\r\nHost: a\r\n\r\n")
			readLive(t, conn, bufio.NewReader(conn))
			for _, c := range srv.clients(t, "player") {
				if c.Name == name && c.RemoteAddr != "203.0.113.7:5555" {
					t.Errorf("viewer's remote_addr %s", c.RemoteAddr)
				}
			}
		})
	}
	t.Run("without a header", func(t *testing.T) {
		conn := dialTCP(t, srv.http[1])
		sendAll(t, conn, getPage)
		if said := waitClosed(t, conn); len(said) > 0 {
			t.Errorf("answer %.80q", said)
		}
	})
}

// TestIPv6 listens on both loopback addresses.
func TestIPv6(t *testing.T) {
	t.Parallel()
	srv := startServer(t, conf{"rtmp.listen": `["[::1]:0", "127.0.0.1:0"]`, "http.listen": `["[::1]:0", "127.0.0.1:0"]`})
	srv.feed(t, "live/x", sourceTags(t, "small"))
	srv.waitStream(t, "live/x")
	for i := range 2 {
		other := &server{rtmp: srv.rtmp[i:], http: srv.http[i:]}
		for _, protocol := range protocols {
			nextThat(t, other.watch(t, protocol, "live/x", nil), "a keyframe", tag.isKeyframe)
		}
	}
}
