package main_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// TestTimeLimits meets each of them while a viewer watches undisturbed.
func TestTimeLimits(t *testing.T) {
	t.Parallel()
	srv := startServer(t, conf{
		"limits.handshake_timeout": `"4s"`, "limits.connect_timeout": `"4s"`, "limits.publish_timeout": `"4s"`,
		"limits.request_header_timeout": `"4s"`, "limits.idle_timeout": `"4s"`, "limits.publish_idle_timeout": `"5s"`,
		"stream.reconnect_grace": `"1s"`, "log.level": `"debug"`, // idle connections are worth no more
	})
	set := digests(t, "small")
	srv.feed(t, "live/x", sourceTags(t, "small"))
	srv.waitStream(t, "live/x")
	bystanders := startCrowd(t, srv, "live/x", 1, set, nil)
	g := together(t)
	for name, test := range map[string]func(*testing.T, *server){
		"no handshake": noHandshake, "trickled handshake": trickledHandshake, "no connect": noConnect,
		"trickled connect": trickledConnect, "no publish": noPublish, "no media": noMedia,
		"trickled header": trickledHeader, "idle after an answer": idleAfterAnswer, "idle after a refusal": idleAfterRefusal, "nothing at all": nothingAtAll,
	} {
		g.run(name, func(t *testing.T) { test(t, srv) })
	}
	g.wait()
	for _, reason := range []string{
		"no handshake in limits.handshake_timeout", "no connect in limits.connect_timeout", "no play or publish in limits.publish_timeout",
		"no media in limits.publish_idle_timeout", "limits.request_header_timeout", "idle (limits.idle_timeout)",
	} {
		srv.waitReason(t, reason)
	}
	bystanders.eventually(t, "frames", func(m *member) bool { return m.video > 25 && m.widest < 500 })
}

func noHandshake(t *testing.T, srv *server) { waitClosed(t, dialTCP(t, srv.rtmp[0])) }

func nothingAtAll(t *testing.T, srv *server) { waitClosed(t, dialTCP(t, srv.http[0])) }

func trickledHandshake(t *testing.T, srv *server) {
	trickle(t, dialTCP(t, srv.rtmp[0]), "\x03"+strings.Repeat("\x00", 1536))
}

func trickledHeader(t *testing.T, srv *server) {
	trickle(t, dialTCP(t, srv.http[0]), "GET / HTTP/1.1\r\nHost: a\r\nX: "+strings.Repeat("x", 4000))
}

// trickle sends a byte now and then; the server must close all the same.
func trickle(t *testing.T, conn net.Conn, data string) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if _, err := io.WriteString(conn, data[:1]); err != nil {
			return
		}
		data = data[1:]
		_ = conn.SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, err := io.Copy(io.Discard, conn); err == nil {
			return
		}
	}
	t.Error("the server did not close")
}

func noConnect(t *testing.T, srv *server) {
	c, err := dialRTMP(srv.rtmp[0], nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	waitClosed(t, c)
}

func trickledConnect(t *testing.T, srv *server) {
	c, err := dialRTMP(srv.rtmp[0], nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	body := amfEncode("connect", 1.0, amfObject{"app": strings.Repeat("a", 2000)})
	trickle(t, c.Conn, string(c.out.append(nil, 3, message{kind: command, body: body})))
}

func noPublish(t *testing.T, srv *server) {
	c, err := openRTMP(srv.rtmp[0], "live", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	waitClosed(t, c)
}

// noMedia sends bytes enough, but none of them media.
func noMedia(t *testing.T, srv *server) {
	p := srv.publish(t, "live/nomedia")
	for n := uint32(0); !p.isGone(); n++ {
		if p.put(tag{kind: scriptTag, body: amfEncode("onMetaData", amfObject{"n": float64(n)})}) != nil || p.ping(n) != nil {
			break
		}
		if n > 1200 {
			t.Fatal("a publisher without media was not dropped")
		}
		time.Sleep(50 * time.Millisecond)
	}
	srv.waitGone(t, "live/nomedia")
}

func idleAfterAnswer(t *testing.T, srv *server) {
	conn := dialTCP(t, srv.http[0])
	sendAll(t, conn, getPage)
	r := bufio.NewReader(conn)
	readAnswer(t, r)
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	if b, err := r.ReadByte(); err != io.EOF {
		t.Errorf("%d, %v; want a close", b, err)
	}
}

// idleAfterRefusal stays with the loop; the pages are net/http's.
func idleAfterRefusal(t *testing.T, srv *server) {
	conn := dialTCP(t, srv.http[0])
	sendAll(t, conn, "GET /live/none.flv?wait=0 HTTP/1.1\r\nHost: a\r\n\r\n")
	waitClosed(t, conn)
}

// TestConnectionLimits opens more connections than are allowed.
func TestConnectionLimits(t *testing.T) {
	t.Parallel()
	for key, allowed := range map[string]int{"limits.connections": 12, "limits.connections_per_ip": 7} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			srv := startServer(t, conf{key: fmt.Sprint(allowed), "limits.waiting": "1"})
			srv.feed(t, "live/x", sourceTags(t, "small"))
			srv.waitStream(t, "live/x")
			v := srv.watch(t, "rtmp", "live/x", nil)
			var idle []net.Conn
			for range allowed - 2 {
				c, err := openRTMP(srv.rtmp[0], "live", nil)
				if err != nil {
					t.Fatalf("connection %d of %d: %v", len(idle)+3, allowed, err)
				}
				idle = append(idle, c)
			}
			if c, err := dialRTMP(srv.rtmp[0], nil); err == nil {
				c.Close()
				t.Error("one more RTMP connection was taken")
			}
			if _, err := watchHTTP(srv.http[0], "/live/x.flv", nil); err == nil {
				t.Error("one more HTTP connection was taken")
			}
			srv.waitReason(t, key)
			readFor(t, v, time.Second)
			for _, c := range idle {
				c.Close()
			}
			eventually(t, "there is room again", func() bool {
				h, err := watchHTTP(srv.http[0], "/live/x.flv", nil)
				if err == nil {
					h.Close()
				}
				return err == nil
			})
		})
	}
}

// TestLimitsAreNamed passes each bound of bytes: the log says by its key which
// one it was.
func TestLimitsAreNamed(t *testing.T) {
	t.Parallel()
	srv := startServer(t, conf{
		"limits.chunk_streams": "8", "limits.amf_depth": "4", "limits.connection_buffer": `"16KiB"`,
		"limits.command_size": `"4KiB"`, "limits.media_size": `"64KiB"`, "limits.partial_bytes": `"128KiB"`,
	})
	header := func(stream byte, length int, kind byte) string {
		return string([]byte{stream, 0, 0, 0, byte(length >> 16), byte(length >> 8), byte(length), kind, 1, 0, 0, 0})
	}
	deep := strings.Repeat("\x03\x00\x01a", 5)
	g := together(t)
	defer g.wait()
	for key, data := range map[string]string{
		"limits.chunk_streams": string(startedMessages(9)),
		"limits.command_size":  header(3, 5<<10, command),
		"limits.media_size":    header(6, 65<<10, videoTag),
		"limits.amf_depth":     header(3, 9+len(deep), command) + "\x02\x00\x06create" + deep,
		"limits.partial_bytes": header(2, 4, setChunkSize) + "\x00\x00\xF0\x00" + strings.Join([]string{ // 60 KiB
			header(6, 64<<10, videoTag), header(7, 64<<10, videoTag), header(8, 64<<10, videoTag), "",
		}, strings.Repeat("x", 60<<10)),
	} {
		g.run(key, func(t *testing.T) {
			c, err := dialRTMP(srv.rtmp[0], nil)
			noError(t, err)
			defer c.Close()
			_, _ = io.WriteString(c, data)
			waitClosed(t, c)
			srv.waitReason(t, key)
		})
	}
	g.run("limits.connection_buffer", func(t *testing.T) {
		conn := dialTCP(t, srv.http[0])
		_, _ = io.WriteString(conn, "GET /live/none.flv HTTP/1.1\r\nHost: a\r\n\r\n"+strings.Repeat("x", 64<<10))
		waitClosed(t, conn)
		srv.waitReason(t, "limits.connection_buffer")
	})
}

// TestHostileBytes sends what no client sends; the server closes, and says why
// in one line.
func TestHostileBytes(t *testing.T) {
	t.Parallel()
	srv := startServer(t, conf{"limits.command_size": `"64KiB"`})
	srv.feed(t, "live/x", sourceTags(t, "small"))
	srv.waitStream(t, "live/x")
	chunk := func(m message) string { return string((&chunkWriter{size: 128}).append(nil, 3, m)) }
	g := together(t)
	defer g.wait()
	for name, data := range map[string]string{
		"chunk size 0":       chunk(message{kind: setChunkSize, body: []byte{0, 0, 0, 0}}),
		"chunk size 2^31":    chunk(message{kind: setChunkSize, body: []byte{0x80, 0, 0, 0}}),
		"type 3 first":       "\xC3hello",
		"broken AMF":         chunk(message{kind: command, body: []byte("\x02\xFF\xFFconnect")}),
		"endless AMF":        chunk(message{kind: command, body: append(amfEncode("connect", 1.0), []byte(strings.Repeat("\x03\x00\x01a", 5000))...)}),
		"long command":       "\x03\x00\x00\x00\xFF\xFF\xFF\x14\x00\x00\x00\x00" + strings.Repeat("x", 100_000),
		"many chunk streams": manyChunkStreams(),
	} {
		g.run(name, func(t *testing.T) {
			c, err := dialRTMP(srv.rtmp[0], nil)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_, _ = io.WriteString(c.Conn, data)
			waitClosed(t, c)
		})
	}
}

// manyChunkStreams begins a message on each of 300 chunk streams.
func manyChunkStreams() string {
	var b strings.Builder
	for id := range 300 {
		b.WriteString(string([]byte{0x01, byte(id), byte(id >> 8)}) + "\x00\x00\x00\x00\x40\x00\x14\x00\x00\x00\x00" + strings.Repeat("x", 128))
	}
	return b.String()
}

// TestBigRequestHeader is over what a connection may leave in a buffer.
func TestBigRequestHeader(t *testing.T) {
	t.Parallel()
	srv := startServer(t, nil)
	conn := dialTCP(t, srv.http[0])
	go func() {
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nX: ")
		for range 64 {
			_, _ = io.WriteString(conn, strings.Repeat("x", 64<<10))
		}
	}()
	line, _, _ := strings.Cut(waitClosed(t, conn), "\r\n")
	if line != "" && !strings.Contains(line, " 431 ") && !strings.Contains(line, " 400 ") {
		t.Errorf("answer %q", line)
	}
}
