package main_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestHTTP asks one server with a live stream in many ways.
func TestHTTP(t *testing.T) {
	t.Parallel()
	srv := startServer(t, nil)
	tags := sourceTags(t, "small")
	srv.feed(t, "live/x", tags)
	srv.feed(t, "live/eu/y", tags)
	srv.waitStream(t, "live/x")
	srv.waitStream(t, "live/eu/y")
	g := together(t)
	defer g.wait()
	for name, test := range map[string]func(*testing.T, *server){
		"headers": liveHeaders, "head": liveHead, "preflight": livePreflight, "HTTP/1.0": oldHTTP,
		"methods": wrongMethods, "bad requests": badRequests, "WebSocket handshake": badUpgrades,
		"one medium": oneMedium, "nested app": nestedApp, "page": indexPage, "list": streamList,
		"kept alive": keptAlive, "pipelined": pipelined, "long pipeline": longPipeline, "paths": oddPaths,
	} {
		g.run(name, func(t *testing.T) { test(t, srv) })
	}
}

// answer does a request and returns the answer, its body unread.
func answer(t *testing.T, method, url string, header ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

func wantHeader(t *testing.T, res *http.Response, key, want string) {
	t.Helper()
	if got := res.Header.Get(key); !strings.Contains(got, want) || got == "" && want != "" {
		t.Errorf("%s: %q, want %q", key, got, want)
	}
}

func wantStatus(t *testing.T, res *http.Response, want int) {
	t.Helper()
	if res.StatusCode != want {
		t.Errorf("%s %s: status %d, want %d", res.Request.Method, res.Request.URL, res.StatusCode, want)
	}
}

func liveHeaders(t *testing.T, srv *server) {
	res := answer(t, "GET", srv.flvURL("live/x"), "Origin", "https://player.example")
	wantStatus(t, res, 200)
	wantHeader(t, res, "Content-Type", "video/x-flv")
	wantHeader(t, res, "Access-Control-Allow-Origin", "*")
	wantHeader(t, res, "Cache-Control", "no-")
	if res.ContentLength != -1 {
		t.Errorf("Content-Length %d", res.ContentLength)
	}
}

func liveHead(t *testing.T, srv *server) {
	res := answer(t, "HEAD", srv.flvURL("live/x"))
	wantStatus(t, res, 200)
	wantHeader(t, res, "Content-Type", "video/x-flv")
	if body, err := io.ReadAll(res.Body); err != nil || len(body) > 0 {
		t.Errorf("body %q, %v", body, err)
	}
	wantStatus(t, answer(t, "HEAD", srv.flvURL("live/none")), 404)
}

func livePreflight(t *testing.T, srv *server) {
	res := answer(t, "OPTIONS", srv.flvURL("live/x"), "Origin", "https://player.example",
		"Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "range")
	if res.StatusCode != 200 && res.StatusCode != 204 {
		t.Errorf("status %d", res.StatusCode)
	}
	wantHeader(t, res, "Access-Control-Allow-Origin", "*")
	wantHeader(t, res, "Access-Control-Allow-Methods", "GET")
}

// oldHTTP knows no chunks: the body is bare FLV to the end of the connection.
func oldHTTP(t *testing.T, srv *server) {
	conn := dialTCP(t, srv.http[0])
	r := bufio.NewReader(conn)
	header, err := exchange(conn, r, "GET /live/x.flv HTTP/1.0\r\n\r\n", 200)
	if err != nil {
		t.Fatal(err)
	}
	if coding := header.Get("Transfer-Encoding"); coding != "" {
		t.Errorf("Transfer-Encoding %s", coding)
	}
	checkOrder(t, readFor(t, &httpViewer{conn, &flvReader{r: r}, header}, time.Second))
}

func wrongMethods(t *testing.T, srv *server) {
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "TRACE"} {
		res := answer(t, method, srv.flvURL("live/x"))
		wantStatus(t, res, 405)
		wantHeader(t, res, "Allow", "GET")
	}
}

// badRequests are malformed, or read differently by different servers.
func badRequests(t *testing.T, srv *server) {
	g := together(t)
	defer g.wait()
	for name, request := range map[string]string{
		"no host":              "GET /live/x.flv HTTP/1.1\r\n\r\n",
		"two hosts":            "GET /live/x.flv HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"no version":           "GET /live/x.flv\r\n\r\n",
		"HTTP/3.7":             "GET /live/x.flv HTTP/3.7\r\nHost: a\r\n\r\n",
		"no colon":             "GET /live/x.flv HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n",
		"space before colon":   "GET /live/x.flv HTTP/1.1\r\nHost: a\r\nA : b\r\n\r\n",
		"folded":               "GET /live/x.flv HTTP/1.1\r\nHost: a\r\nA: b\r\n c\r\n\r\n",
		"NUL":                  "GET /live/x.flv HTTP/1.1\r\nHost: a\r\nA: b\x00c\r\n\r\n",
		"two lengths":          "GET /live/x.flv HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
		"length and coding":    "GET /live/x.flv HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"unknown coding":       "GET /live/x.flv HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
		"negative length":      "GET /live/x.flv HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
		"bad escape":           "GET /live/%zz.flv HTTP/1.1\r\nHost: a\r\n\r\n",
		"control byte in path": "GET /live/\x01.flv HTTP/1.1\r\nHost: a\r\n\r\n",
	} {
		g.run(name, func(t *testing.T) {
			conn := dialTCP(t, srv.http[0])
			sendAll(t, conn, request)
			wantBadRequest(t, waitClosed(t, conn))
		})
	}
}

func wantBadRequest(t *testing.T, said string) {
	t.Helper()
	line, _, _ := strings.Cut(said, "\r\n")
	for _, status := range []string{" 400 ", " 501 ", " 505 "} {
		if strings.HasPrefix(line, "HTTP/1.") && strings.Contains(line+" ", status) {
			return
		}
	}
	t.Errorf("answer %q", tail(said, 3))
}

func badUpgrades(t *testing.T, srv *server) {
	upgrade := []string{"Connection", "Upgrade", "Upgrade", "websocket"}
	for _, c := range []struct {
		name   string
		header []string
		status int
	}{
		{"no key", append(upgrade, "Sec-WebSocket-Version", "13"), 400},
		{"short key", append(upgrade, "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "eA=="), 400},
		{"version 8", append(upgrade, "Sec-WebSocket-Version", "8", "Sec-WebSocket-Key", "MDEyMzQ1Njc4OWFiY2RlZg=="), 426},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantStatus(t, answer(t, "GET", srv.flvURL("live/x"), c.header...), c.status)
		})
	}
}

func oneMedium(t *testing.T, srv *server) {
	for _, protocol := range []string{"http-flv", "ws-flv"} {
		for query, kind := range map[string]byte{"?audio=0": videoTag, "?video=0": audioTag} {
			for _, g := range mediaTags(readFor(t, srv.watch(t, protocol, "live/x"+query, nil), time.Second)) {
				if g.kind != kind {
					t.Errorf("%s with %s has kind %d", protocol, query, g.kind)
					break
				}
			}
		}
	}
	v, err := watchHTTP(srv.http[0], "/live/x.flv?video=0", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	nextThat(t, v, "audio", tag.isAudio)
	if v.flags != 4 {
		t.Errorf("header flags %d of audio only", v.flags)
	}
}

func nestedApp(t *testing.T, srv *server) {
	for _, protocol := range protocols {
		nextThat(t, srv.watch(t, protocol, "live/eu/y", nil), "a keyframe over "+protocol, tag.isKeyframe)
	}
	if info := srv.stream(t, "live/eu/y"); info.App != "live/eu" || info.Name != "y" {
		t.Errorf("app %q, name %q", info.App, info.Name)
	}
}

func indexPage(t *testing.T, srv *server) {
	res := answer(t, "GET", "http://"+srv.http[0]+"/")
	wantStatus(t, res, 200)
	wantHeader(t, res, "Content-Type", "text/html")
	wantStatus(t, answer(t, "GET", "http://"+srv.http[0]+"/no/such/page.html"), 404)
}

func streamList(t *testing.T, srv *server) {
	res := answer(t, "GET", "http://"+srv.http[0]+"/streams.json")
	wantStatus(t, res, 200)
	wantHeader(t, res, "Content-Type", "application/json")
	body, err := io.ReadAll(res.Body)
	if err != nil || !bytes.Contains(body, []byte(`"live/eu"`)) || !bytes.Contains(body, []byte(`"x"`)) {
		t.Errorf("%s, %v", body, err)
	}
}

const getPage = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
const getList = "GET /streams.json HTTP/1.1\r\nHost: a\r\n\r\n"
const getLive = "GET /live/x.flv HTTP/1.1\r\nHost: a\r\n\r\n"

// readAnswer reads a whole answer that is no stream.
func readAnswer(t *testing.T, r *bufio.Reader) {
	t.Helper()
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || res.StatusCode != 200 || len(body) == 0 {
		t.Fatalf("status %d, %d bytes, %v", res.StatusCode, len(body), err)
	}
}

// readLive reads some of the answer to getLive.
func readLive(t *testing.T, conn net.Conn, r *bufio.Reader) viewer {
	t.Helper()
	header, err := exchange(conn, r, "", 200)
	if err != nil {
		t.Fatal(err)
	}
	v := &httpViewer{conn, &flvReader{r: &dechunker{r: r}}, header}
	checkOrder(t, readFrames(t, v, 25))
	return v
}

// keptAlive goes from the pages to a stream on one connection.
func keptAlive(t *testing.T, srv *server) {
	conn := dialTCP(t, srv.http[0])
	r := bufio.NewReader(conn)
	for _, request := range []string{getPage, getList, getPage} {
		sendAll(t, conn, request)
		readAnswer(t, r)
	}
	sendAll(t, conn, "HEAD /live/none.flv HTTP/1.1\r\nHost: a\r\n\r\n")
	if _, err := exchange(conn, r, "", 404); err != nil {
		t.Fatal(err)
	}
	sendAll(t, conn, getPage)
	readAnswer(t, r)
	sendAll(t, conn, getLive)
	readLive(t, conn, r)
}

// TestAfterTheEnd asks again on a connection whose stream has ended: there is an
// answer, or the connection is closed.
func TestAfterTheEnd(t *testing.T) {
	t.Parallel()
	srv := startServer(t, nil)
	f := srv.feed(t, "live/x", sourceTags(t, "small"))
	srv.waitStream(t, "live/x")
	conn := dialTCP(t, srv.http[0])
	r := bufio.NewReader(conn)
	sendAll(t, conn, getLive)
	v := readLive(t, conn, r)
	f.halt()
	if err := f.stopCleanly("x"); err != nil {
		t.Fatal(err)
	}
	readToEnd(t, v, patience)
	if _, err := io.WriteString(conn, getPage); err != nil {
		return
	}
	if _, err := r.Peek(1); err == nil {
		readAnswer(t, r)
	} else if timeout, is := err.(net.Error); is && timeout.Timeout() {
		t.Error("neither an answer nor a close")
	}
}

// pipelined sends all requests before it reads an answer.
func pipelined(t *testing.T, srv *server) {
	conn := dialTCP(t, srv.http[0])
	sendAll(t, conn, getPage+getList+getPage+getLive)
	r := bufio.NewReader(conn)
	for range 3 {
		readAnswer(t, r)
	}
	readLive(t, conn, r)
}

// longPipeline has more bytes before the live request than any buffer holds.
func longPipeline(t *testing.T, srv *server) {
	conn := dialTCP(t, srv.http[0])
	const pages = 200
	request := "GET /streams.json HTTP/1.1\r\nHost: a\r\nX-Pad: " + strings.Repeat("x", 1000) + "\r\n\r\n"
	go sendAll(t, conn, strings.Repeat(request, pages)+getLive)
	r := bufio.NewReader(conn)
	for range pages {
		readAnswer(t, r)
	}
	readLive(t, conn, r)
}

// oddPaths must not lead to a stream or out of anything.
func oddPaths(t *testing.T, srv *server) {
	for _, path := range []string{
		"/live/../live/x.flv", "/live/%2e%2e/x.flv", "/live%2fx.flv", "//live/x.flv", "/live/x.flv/", "/live/x.flv.flv",
		"/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/live/.flv", "/.flv",
	} {
		conn := dialTCP(t, srv.http[0])
		_, err := exchange(conn, bufio.NewReader(conn), "GET "+path+"?wait=0 HTTP/1.1\r\nHost: a\r\n\r\n", 404)
		var other refusedHTTP
		if errors.As(err, &other) && (other.status/100 == 3 || other.status == 400) {
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestCORSOrigins names the origins that may watch.
func TestCORSOrigins(t *testing.T) {
	t.Parallel()
	srv := startServer(t, conf{"http.cors_origins": `["https://a.example"]`, "http.list": "false"})
	srv.feed(t, "live/x", sourceTags(t, "small"))
	srv.waitStream(t, "live/x")
	res := answer(t, "GET", srv.flvURL("live/x"), "Origin", "https://a.example")
	wantHeader(t, res, "Access-Control-Allow-Origin", "https://a.example")
	wantHeader(t, res, "Vary", "Origin")
	res = answer(t, "GET", srv.flvURL("live/x"), "Origin", "https://b.example")
	if got := res.Header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("another origin is allowed: %q", got)
	}
	wantStatus(t, answer(t, "GET", "http://"+srv.http[0]+"/streams.json"), 404)
}
