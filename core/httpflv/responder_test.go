package httpflv

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

var at = time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))

var responder = Responder{Server: "Millrace", CORS: CORS{Origins: []string{"*"}}}

func lines(s ...string) string { return strings.Join(s, "\r\n") + "\r\n\r\n" }

const (
	dateLine   = "Date: Fri, 02 Jan 2026 02:04:05 GMT"
	exposeLine = "Access-Control-Expose-Headers: " + exposed
)

func get(fields string) string { return "GET /live/s.flv HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" }

func TestAppendLive(t *testing.T) {
	t.Parallel()
	common := []string{
		"Server: Millrace", dateLine, "Access-Control-Allow-Origin: *", exposeLine,
		"Content-Type: video/x-flv", "Cache-Control: no-cache, no-store", "X-Accel-Buffering: no",
	}
	answer := func(first string, last ...string) string {
		return lines(append(append([]string{first}, common...), last...)...)
	}
	for _, c := range []struct{ name, head, want string }{
		{"1.1", get(""), answer("HTTP/1.1 200 OK", "Transfer-Encoding: chunked")},
		{"1.1 close", get("Connection: close\r\n"), answer("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Connection: close")},
		{"1.0", "GET /live/s.flv HTTP/1.0\r\n\r\n", answer("HTTP/1.0 200 OK", "Connection: close")},
		{"1.0 keep-alive", "GET /live/s.flv HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", answer("HTTP/1.0 200 OK", "Connection: close")},
		{"HEAD", "HEAD /live/s.flv HTTP/1.1\r\nHost: a\r\n\r\n", answer("HTTP/1.1 200 OK", "Connection: close")},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := responder.AppendLive([]byte("x"), mustParse(t, c.head), at)
			if string(got) != "x"+c.want {
				t.Errorf("got  %q\nwant %q", got[1:], c.want)
			}
		})
	}
}

func TestAppendUpgrade(t *testing.T) {
	t.Parallel()
	want := lines("HTTP/1.1 101 Switching Protocols", "Server: Millrace", "Upgrade: websocket",
		"Connection: Upgrade", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
	if got := responder.AppendUpgrade(nil, "dGhlIHNhbXBsZSBub25jZQ=="); string(got) != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestAppendRefusal(t *testing.T) {
	t.Parallel()
	plain := Responder{}
	common := []string{"Content-Type: text/plain; charset=utf-8", "X-Content-Type-Options: nosniff", "Cache-Control: no-store"}
	answer := func(first string, last ...string) string {
		return lines(append(append([]string{first}, common...), last...)...)
	}
	gone := Refusal{Status: 404, Reason: "no such stream"}
	for _, c := range []struct {
		name, head string
		refusal    Refusal
		want       string
		keep       bool
	}{
		{"keep", get(""), gone, answer("HTTP/1.1 404 Not Found", "Content-Length: 15") + "no such stream\n", true},
		{"close", get("Connection: close\r\n"), gone, answer("HTTP/1.1 404 Not Found", "Content-Length: 15", "Connection: close") + "no such stream\n", false},
		{"close by us", get(""), Refusal{Status: 404, Reason: "no such stream", Close: true}, answer("HTTP/1.1 404 Not Found", "Content-Length: 15", "Connection: close") + "no such stream\n", false},
		{"body unread", get("Content-Length: 3\r\n"), gone, answer("HTTP/1.1 404 Not Found", "Content-Length: 15", "Connection: close") + "no such stream\n", false},
		{"HEAD", "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", gone, answer("HTTP/1.1 404 Not Found", "Content-Length: 15"), true},
		{"1.0", "GET / HTTP/1.0\r\n\r\n", gone, answer("HTTP/1.0 404 Not Found", "Content-Length: 15", "Connection: close") + "no such stream\n", false},
		{"1.0 keep-alive", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", gone, answer("HTTP/1.0 404 Not Found", "Content-Length: 15", "Connection: keep-alive") + "no such stream\n", true},
		{"retry", get(""), Refusal{Status: 503, Reason: "full", RetryAfter: 1100 * time.Millisecond}, answer("HTTP/1.1 503 Service Unavailable", "Content-Length: 5", "Retry-After: 2") + "full\n", true},
		{"upgrade", get(""), Refusal{Status: 426, Reason: "no"}, answer("HTTP/1.1 426 Upgrade Required", "Content-Length: 3", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13") + "no\n", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, keep := plain.AppendRefusal(nil, mustParse(t, c.head), c.refusal, time.Time{})
			if string(got) != c.want || keep != c.keep {
				t.Errorf("got  %q, %v\nwant %q, %v", got, keep, c.want, c.keep)
			}
		})
	}
}

func TestRefusalOf(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int{
		"GET / HTTP/3.0\r\n\r\n": 505, "\x16": 400, strings.Repeat("G", 100): 431, "CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n": 501,
	} {
		_, _, err := ParseHead([]byte(in), 100)
		f := RefusalOf(err)
		if f.Status != want || !f.Close {
			t.Errorf("RefusalOf(%v) = %+v, want status %d", err, f, want)
		}
		got, keep := responder.AppendRefusal(nil, Head{}, f, at)
		if keep || !bytes.HasPrefix(got, []byte("HTTP/1.1 ")) || !bytes.Contains(got, []byte("Connection: close\r\n")) {
			t.Errorf("answer %q, %v", got, keep)
		}
	}
	if f := RefusalOf(errors.New("another")); f.Status != 400 || !f.Close {
		t.Errorf("an unknown error gives %+v", f)
	}
}

func TestAppendRedirect(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ location, want string }{
		{"http://b/live/s.flv?token=a%20b&c=d", "http://b/live/s.flv?token=a%20b&c=d"},
		{"/a\r\nSet-Cookie: x", "/a%0D%0ASet-Cookie:%20x"},
		{"/é<>", "/%C3%A9%3C%3E"},
	} {
		got, keep := Responder{}.AppendRedirect(nil, mustParse(t, get("")), c.location, time.Time{})
		want := lines("HTTP/1.1 302 Found", "Location: "+c.want, "Cache-Control: no-store", "Content-Length: 0")
		if string(got) != want || !keep {
			t.Errorf("got  %q, %v\nwant %q", got, keep, want)
		}
	}
}

func TestAppendPreflight(t *testing.T) {
	t.Parallel()
	some := CORS{Origins: []string{"https://a.example", "https://b.example"}}
	ask := func(fields string) string {
		return "OPTIONS /live/s.flv HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n"
	}
	const request = "Access-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: range, x-custom\r\n"
	for _, c := range []struct {
		name string
		cors CORS
		head string
		want []string // lines after the status
	}{
		{"all origins", CORS{[]string{"*"}}, ask("Origin: https://x\r\n" + request), []string{
			"Access-Control-Allow-Origin: *", exposeLine, "Allow: GET, HEAD, OPTIONS", "Access-Control-Allow-Methods: GET, HEAD, OPTIONS",
			"Access-Control-Allow-Headers: range, x-custom", "Access-Control-Max-Age: 86400"}},
		{"listed origin", some, ask("Origin: https://b.example\r\n" + request), []string{
			"Access-Control-Allow-Origin: https://b.example", exposeLine, "Vary: Origin", "Allow: GET, HEAD, OPTIONS",
			"Access-Control-Allow-Methods: GET, HEAD, OPTIONS", "Access-Control-Allow-Headers: range, x-custom", "Access-Control-Max-Age: 86400"}},
		{"another origin", some, ask("Origin: https://c.example\r\n" + request), []string{"Vary: Origin", "Allow: GET, HEAD, OPTIONS"}},
		{"prefix of an origin", some, ask("Origin: https://b.example.org\r\n"), []string{"Vary: Origin", "Allow: GET, HEAD, OPTIONS"}},
		{"null origin", some, ask("Origin: null\r\n"), []string{"Vary: Origin", "Allow: GET, HEAD, OPTIONS"}},
		{"no origin", some, ask(""), []string{"Vary: Origin", "Allow: GET, HEAD, OPTIONS"}},
		{"none allowed", CORS{}, ask("Origin: https://x\r\n" + request), []string{"Allow: GET, HEAD, OPTIONS"}},
		{"private network", CORS{[]string{"*"}}, ask("Origin: https://x\r\nAccess-Control-Request-Private-Network: true\r\n"), []string{
			"Access-Control-Allow-Origin: *", exposeLine, "Allow: GET, HEAD, OPTIONS", "Access-Control-Allow-Methods: GET, HEAD, OPTIONS",
			"Access-Control-Allow-Private-Network: true", "Access-Control-Max-Age: 86400"}},
		{"fields that are no names", CORS{[]string{"*"}}, ask("Origin: https://x\r\nAccess-Control-Request-Headers: a\"b\r\n"), []string{
			"Access-Control-Allow-Origin: *", exposeLine, "Allow: GET, HEAD, OPTIONS", "Access-Control-Allow-Methods: GET, HEAD, OPTIONS",
			"Access-Control-Max-Age: 86400"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, keep := Responder{CORS: c.cors}.AppendPreflight(nil, mustParse(t, c.head), time.Time{})
			want := lines(append([]string{"HTTP/1.1 204 No Content"}, c.want...)...)
			if string(got) != want || !keep {
				t.Errorf("got  %q, %v\nwant %q", got, keep, want)
			}
		})
	}
}

// answers makes one of each kind of answer to h.
func answers(r Responder, h Head, at time.Time) [][]byte {
	preflight, _ := r.AppendPreflight(nil, h, at)
	refusal, _ := r.AppendRefusal(nil, h, Refusal{Status: 404, Reason: "no such stream", RetryAfter: time.Second}, at)
	redirect, _ := r.AppendRedirect(nil, h, h.Target, at)
	live := r.AppendLive(nil, h, at)
	if h.TakesChunks() {
		live = append(live, LastChunk...)
	}
	return [][]byte{preflight, refusal, redirect, live}
}

// readAnswer reads an answer with net/http and checks that it ends where the
// answer ends.
func readAnswer(t *testing.T, answer []byte, h Head) {
	t.Helper()
	br := bufio.NewReader(bytes.NewReader(answer))
	res, err := http.ReadResponse(br, &http.Request{Method: h.Method})
	if err != nil {
		t.Fatalf("%v in %q", err, answer)
	}
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatalf("%v in the body of %q", err, answer)
	}
	if n := br.Buffered(); n != 0 {
		t.Fatalf("%d bytes behind %q", n, answer)
	}
}

func TestAnswersEndWhereTheyEnd(t *testing.T) {
	t.Parallel()
	for _, c := range liveCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			checkLive(t, mustParse(t, c.head()))
		})
	}
}
