package httpflv

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const upgradeFields = "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

type liveCase struct {
	name   string
	method string // GET if empty
	target string
	fields string // header lines beside Host
	http10 bool
	want   string // the summary; "" when the request is not for a live stream
}

func (c liveCase) head() string {
	method, version := c.method, "HTTP/1.1"
	if method == "" {
		method = "GET"
	}
	if c.http10 {
		version = "HTTP/1.0"
	}
	return method + " " + c.target + " " + version + "\r\nHost: a\r\n" + c.fields + "\r\n"
}

// liveSummary writes a Live in a line, for comparison.
func liveSummary(l Live) string {
	if l.Refusal != nil {
		return fmt.Sprintf("%d %s", l.Refusal.Status, l.Refusal.Reason)
	}
	s := l.App + " " + l.Name
	for _, f := range []struct {
		on   bool
		word string
	}{{l.WebSocket, "ws"}, {l.Audio, "audio"}, {l.Video, "video"}, {l.Start != "", string(l.Start)}, {l.Wait, "wait"}} {
		if f.on {
			s += " " + f.word
		}
	}
	return s
}

var liveCases = []liveCase{
	{name: "plain", target: "/live/stream.flv", want: "live stream audio video wait"},
	{name: "nested app", target: "/live/eu/west/stream.flv", want: "live/eu/west stream audio video wait"},
	{name: "HEAD", method: "HEAD", target: "/live/stream.flv", want: "live stream audio video"},
	{name: "OPTIONS", method: "OPTIONS", target: "/live/stream.flv?audio=x", want: "live stream audio video"},
	{name: "HTTP/1.0", target: "/live/stream.flv", http10: true, want: "live stream audio video wait"},
	{name: "absolute", target: "http://b/live/stream.flv", want: "live stream audio video wait"},
	{name: "encoded", target: "/l%69ve/str%65am%2Eflv", want: "live stream audio video wait"},
	{name: "one .flv goes", target: "/live/a.flv.flv", want: "live a.flv audio video wait"},
	{name: "dots in the name", target: "/live/a.b..c.flv", want: "live a.b..c audio video wait"},
	{name: "encoded percent stays", target: "/live/%252e%252e.flv", want: "live %2e%2e audio video wait"},
	{name: "reserved word as name", target: "/live/hls.flv", want: "live hls audio video wait"},
	{name: "reserved word further on", target: "/live/hls/a.flv", want: "live/hls a audio video wait"},
	{name: "starts like a reserved word", target: "/hlsx/a.flv", want: "hlsx a audio video wait"},

	{name: "audio=0", target: "/live/s.flv?audio=0", want: "live s video wait"},
	{name: "video=0", target: "/live/s.flv?video=0&audio=1", want: "live s audio wait"},
	{name: "start=gop", target: "/live/s.flv?start=gop", want: "live s audio video gop wait"},
	{name: "start=live", target: "/live/s.flv?start=live", want: "live s audio video live wait"},
	{name: "wait=0", target: "/live/s.flv?wait=0&token=a%20b", want: "live s audio video"},
	{name: "wait=1", target: "/live/s.flv?wait=1", want: "live s audio video wait"},
	{name: "HEAD wait=1", method: "HEAD", target: "/live/s.flv?wait=1", want: "live s audio video"},
	{name: "bad pair in the query", target: "/live/s.flv?x=%zz&audio=0&a;b=1", want: "live s video wait"},
	{name: "audio=no", target: "/live/s.flv?audio=no", want: "400 parameter audio is not 0 or 1"},
	{name: "audio=", target: "/live/s.flv?audio=", want: "400 parameter audio is not 0 or 1"},
	{name: "video=2", target: "/live/s.flv?video=2", want: "400 parameter video is not 0 or 1"},
	{name: "wait=10s", target: "/live/s.flv?wait=10s", want: "400 parameter wait is not 0 or 1"},
	{name: "start=now", target: "/live/s.flv?start=now", want: "400 parameter start is not gop or live"},
	{name: "start=", target: "/live/s.flv?start=", want: "400 parameter start is not gop or live"},
	{name: "start=GOP", target: "/live/s.flv?start=GOP", want: "400 parameter start is not gop or live"},
	{name: "neither audio nor video", target: "/live/s.flv?audio=0&video=0", want: "400 parameters audio and video are both 0"},

	{name: "dot dot", target: "/live/../x/s.flv", want: "400 dot segment in the path"},
	{name: "dot dot encoded", target: "/live/%2e%2e/x/s.flv", want: "400 dot segment in the path"},
	{name: "dot dot first", target: "/../hls/s.flv", want: "400 dot segment in the path"},
	{name: "dot dot to a reserved word", target: "/a/../hls/s.flv", want: "400 dot segment in the path"},
	{name: "dot", target: "/live/./s.flv", want: "400 dot segment in the path"},
	{name: "name is dot dot", target: "/live/...flv", want: "400 dot segment in the path"},
	{name: "name is dot", target: "/live/..flv", want: "400 dot segment in the path"},
	{name: "empty segment", target: "/live//s.flv", want: "400 empty segment in the path"},
	{name: "empty segment first", target: "//live/s.flv", want: "400 empty segment in the path"},
	{name: "encoded slash", target: "/live%2Feu/s.flv", want: "400 encoded slash in the path"},
	{name: "encoded slash in the name", target: "/live/a%2fb.flv", want: "400 encoded slash in the path"},
	{name: "slash encoded twice", target: "/live/a%252fb.flv", want: "live a%2fb audio video wait"},
	{name: "encoded slash in the query", target: "/live/s.flv?a=%2F", want: "live s audio video wait"},
	{name: "encoded NUL", target: "/live/a%00b.flv", want: "400 control character in the path"},
	{name: "encoded line break", target: "/live/a%0d%0ab.flv", want: "400 control character in the path"},
	{name: "not UTF-8", target: "/live/a%ff.flv", want: "400 path is not UTF-8"},
	{name: "body", target: "/live/s.flv", fields: "Content-Length: 5\r\n", want: "400 a request for a live stream has no body"},
	{name: "body in chunks", target: "/live/s.flv", fields: "Transfer-Encoding: chunked\r\n", want: "400 a request for a live stream has no body"},
	{name: "empty body", target: "/live/s.flv", fields: "Content-Length: 0\r\n", want: "live s audio video wait"},

	{name: "WebSocket", target: "/live/s.flv?audio=0", fields: upgradeFields, want: "live s ws video wait"},
	{name: "WebSocket, upper case", target: "/live/s.flv", fields: strings.ReplaceAll(strings.ReplaceAll(upgradeFields, "websocket", "WebSocket"), "Upgrade\r", "UPGRADE\r"), want: "live s ws audio video wait"},
	{name: "another upgrade", target: "/live/s.flv", fields: "Upgrade: h2c\r\nConnection: Upgrade\r\n", want: "live s audio video wait"},
	{name: "WebSocket by HEAD is none", method: "HEAD", target: "/live/s.flv", fields: upgradeFields, want: "live s audio video"},
	{name: "WebSocket, wrong parameter", target: "/live/s.flv?start=x", fields: upgradeFields, want: "400 parameter start is not gop or live"},
	{name: "WebSocket in HTTP/1.0", target: "/live/s.flv", http10: true, fields: upgradeFields, want: "426 WebSocket needs HTTP/1.1"},
	{name: "WebSocket without Upgrade", target: "/live/s.flv", fields: strings.Replace(upgradeFields, "Upgrade:", "X:", 1), want: "426 no Upgrade: websocket in a WebSocket handshake (does a proxy drop it?)"},
	{name: "WebSocket without Connection", target: "/live/s.flv", fields: strings.Replace(upgradeFields, ", Upgrade", "", 1), want: "426 no Connection: Upgrade in a WebSocket handshake (does a proxy drop it?)"},
	{name: "WebSocket 8", target: "/live/s.flv", fields: strings.Replace(upgradeFields, "13", "8", 1), want: "426 Sec-WebSocket-Version is not 13"},
	{name: "WebSocket without version", target: "/live/s.flv", fields: strings.Replace(upgradeFields, "-Version", "-X", 1), want: "426 Sec-WebSocket-Version is not 13"},
	{name: "WebSocket without key", target: "/live/s.flv", fields: strings.Replace(upgradeFields, "-Key", "-X", 1), want: "400 malformed Sec-WebSocket-Key"},
	{name: "WebSocket, short key", target: "/live/s.flv", fields: strings.Replace(upgradeFields, "dGhl", "", 1), want: "400 malformed Sec-WebSocket-Key"},
	{name: "WebSocket, two keys", target: "/live/s.flv", fields: upgradeFields + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", want: "400 malformed Sec-WebSocket-Key"},

	{name: "POST", method: "POST", target: "/live/s.flv"},
	{name: "PUT", method: "PUT", target: "/live/s.flv"},
	{name: "method in lower case", method: "get", target: "/live/s.flv"},
	{name: "no app", target: "/stream.flv"},
	{name: "no name", target: "/live/.flv"},
	{name: "nothing", target: "/.flv"},
	{name: "no .flv", target: "/live/stream"},
	{name: "upper case", target: "/live/stream.FLV"},
	{name: "slash at the end", target: "/live/stream.flv/"},
	{name: ".flv in the query", target: "/live/stream?x=.flv"},
	{name: "root", target: "/"},
	{name: "OPTIONS *", method: "OPTIONS", target: "*"},
	{name: "recording", target: "/flv/live/stream/20260101_000000.flv"},
	{name: "hls", target: "/hls/live/s.flv"},
	{name: "hls encoded", target: "/h%6cs/live/s.flv"},
	{name: "hls with an encoded slash", target: "/hls%2flive/s.flv"},
	{name: "api", target: "/api/s.flv"},
}

func TestParseLive(t *testing.T) {
	t.Parallel()
	for _, c := range liveCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l, ok := ParseLive(mustParse(t, c.head()), Reserved)
			if ok != (c.want != "") {
				t.Fatalf("ParseLive = %+v, %v", l, ok)
			}
			if ok && liveSummary(l) != c.want {
				t.Errorf("got  %s\nwant %s", liveSummary(l), c.want)
			}
			if l.WebSocket && l.Refusal == nil && l.WSKey != "dGhlIHNhbXBsZSBub25jZQ==" {
				t.Errorf("key %q", l.WSKey)
			}
		})
	}
}

func TestParseLiveQuery(t *testing.T) {
	t.Parallel()
	l, ok := ParseLive(mustParse(t, "GET /live/s.flv?token=a%20b&x=1&x=2 HTTP/1.1\r\nHost: a\r\n\r\n"), Reserved)
	if !ok || l.Query.Get("token") != "a b" || len(l.Query["x"]) != 2 {
		t.Errorf("query %v", l.Query)
	}
}

func TestReserved(t *testing.T) {
	t.Parallel()
	for first := range strings.FieldsSeq("flv hls mp4 api offline remote objects assets metrics healthz") {
		if !Reserved(first) {
			t.Errorf("%s is not reserved", first)
		}
	}
	for _, first := range []string{"live", "", "HLS", "flv2", "."} {
		if Reserved(first) {
			t.Errorf("%s is reserved", first)
		}
	}
}

// checkLive holds for any head: a stream that is not refused has a name that
// is safe in a path, and every answer to the head is a whole one.
func checkLive(t *testing.T, h Head) {
	t.Helper()
	l, ok := ParseLive(h, Reserved)
	r := Responder{Server: "test", CORS: CORS{Origins: []string{"https://a"}}}
	at := time.Unix(0, 0)
	if ok && l.Refusal == nil {
		for segment := range strings.SplitSeq(l.App+"/"+l.Name, "/") {
			if segment == "" || segment == "." || segment == ".." || strings.ContainsRune(segment, 0) {
				t.Fatalf("segment %q in %q, %q", segment, l.App, l.Name)
			}
		}
	}
	for _, answer := range answers(r, h, at) {
		readAnswer(t, answer, h)
	}
}
