package httpflv

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// headLimit is the limit of heads in these tests, in bytes.
const headLimit = 4096

const chromium = "GET /live/stream.flv?token=abc HTTP/1.1\r\n" +
	"Host: 127.0.0.1:8501\r\n" +
	"Connection: keep-alive\r\n" +
	"sec-ch-ua-platform: \"Linux\"\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36\r\n" +
	"sec-ch-ua: \"Chromium\";v=\"156\", \"Not)A;Brand\";v=\"8\"\r\n" +
	"sec-ch-ua-mobile: ?0\r\n" +
	"Accept: */*\r\n" +
	"Origin: http://127.0.0.1:8080\r\n" +
	"Sec-Fetch-Site: same-site\r\n" +
	"Sec-Fetch-Mode: cors\r\n" +
	"Sec-Fetch-Dest: empty\r\n" +
	"Referer: http://127.0.0.1:8080/\r\n" +
	"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Accept-Language: en-US,en;q=0.9\r\n\r\n"

const chromiumWS = "GET /live/stream.flv HTTP/1.1\r\n" +
	"Host: 127.0.0.1:8501\r\n" +
	"Connection: Upgrade\r\n" +
	"Pragma: no-cache\r\n" +
	"Cache-Control: no-cache\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36\r\n" +
	"Upgrade: websocket\r\n" +
	"Origin: http://127.0.0.1:8080\r\n" +
	"Sec-WebSocket-Version: 13\r\n" +
	"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Accept-Language: en-US,en;q=0.9\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
	"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"

// summary writes the parsed part of a head in a line, for comparison.
func summary(h Head) string {
	s := fmt.Sprintf("%s %s ?%s 1.%d host=%s", h.Method, h.Path, h.RawQuery, h.Minor, h.Host)
	if h.ContentLength != 0 {
		s += fmt.Sprintf(" length=%d", h.ContentLength)
	}
	if h.Chunked {
		s += " chunked"
	}
	if h.KeepAlive {
		s += " keep"
	}
	return s
}

// headCases serve the test of ParseHead, the same byte by byte, the comparison
// with net/http, and the corpus of the fuzz target. Each good head stands
// alone; tests add bytes behind it.
var headCases = []struct {
	name   string
	in     string
	want   string // summary of the head, "" for an error
	status int    // of the SyntaxError; 0 with want "" is ErrShort or ErrTooLarge
	reason string
}{
	{name: "Chromium", in: chromium, want: "GET /live/stream.flv ?token=abc 1.1 host=127.0.0.1:8501 keep"},
	{name: "Chromium, WebSocket", in: chromiumWS, want: "GET /live/stream.flv ? 1.1 host=127.0.0.1:8501 keep"},
	{name: "curl", in: "GET /live/stream.flv HTTP/1.1\r\nHost: localhost:8501\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n", want: "GET /live/stream.flv ? 1.1 host=localhost:8501 keep"},
	{name: "ffmpeg", in: "GET /live/stream.flv HTTP/1.1\r\nUser-Agent: Lavf/59.27.100\r\nAccept: */*\r\nRange: bytes=0-\r\nConnection: close\r\nHost: 127.0.0.1:8501\r\nIcy-MetaData: 1\r\n\r\n", want: "GET /live/stream.flv ? 1.1 host=127.0.0.1:8501"},
	{name: "1.0", in: "GET /live/stream.flv HTTP/1.0\r\n\r\n", want: "GET /live/stream.flv ? 1.0 host="},
	{name: "1.0 keep-alive", in: "GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n", want: "GET / ? 1.0 host=a keep"},
	{name: "1.0 keep-alive and close", in: "GET / HTTP/1.0\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n", want: "GET / ? 1.0 host="},
	{name: "1.1 close in a list", in: "GET / HTTP/1.1\r\nHost: a\r\nConnection: TE , Close\r\n\r\n", want: "GET / ? 1.1 host=a"},
	{name: "1.1 a Kelvin sign is no k", in: "GET / HTTP/1.0\r\nHost: a\r\nConnection: \u212Aeep-alive\r\n\r\n", want: "GET / ? 1.0 host=a"},
	{name: "POST", in: "POST /api HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", want: "POST /api ? 1.1 host=a length=5 keep"},
	{name: "POST, leading zeros", in: "POST /api HTTP/1.1\r\nHost: a\r\nContent-Length: 0005\r\n\r\n", want: "POST /api ? 1.1 host=a length=5 keep"},
	{name: "POST, largest length", in: "POST /api HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775807\r\n\r\n", want: "POST /api ? 1.1 host=a length=9223372036854775807 keep"},
	{name: "chunked", in: "PUT /o HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n", want: "PUT /o ? 1.1 host=a length=-1 chunked keep"},
	{name: "percent-encoding, once", in: "GET /a%20b/%252e?x=%zz HTTP/1.1\r\nHost: a\r\n\r\n", want: "GET /a b/%2e ?x=%zz 1.1 host=a keep"},
	{name: "plus stays plus", in: "GET /a+b HTTP/1.1\r\nHost: a\r\n\r\n", want: "GET /a+b ? 1.1 host=a keep"},
	{name: "dots stay", in: "GET /a/../b//c HTTP/1.1\r\nHost: a\r\n\r\n", want: "GET /a/../b//c ? 1.1 host=a keep"},
	{name: "two slashes are no host", in: "GET //b/c HTTP/1.1\r\nHost: a\r\n\r\n", want: "GET //b/c ? 1.1 host=a keep"},
	{name: "question mark at the end", in: "GET /a? HTTP/1.1\r\nHost: a\r\n\r\n", want: "GET /a ? 1.1 host=a keep"},
	{name: "two question marks", in: "GET /a??b? HTTP/1.1\r\nHost: a\r\n\r\n", want: "GET /a ??b? 1.1 host=a keep"},
	{name: "UTF-8 as typed", in: "GET /é HTTP/1.1\r\nHost: a\r\n\r\n", want: "GET /é ? 1.1 host=a keep"},
	{name: "absolute", in: "GET http://b:80/live/x.flv?q HTTP/1.1\r\nHost: a\r\n\r\n", want: "GET /live/x.flv ?q 1.1 host=b:80 keep"},
	{name: "absolute, IPv6, upper case", in: "GET HTTPS://[::1]:80/ HTTP/1.1\r\nHost: a\r\n\r\n", want: "GET / ? 1.1 host=[::1]:80 keep"},
	{name: "absolute without path", in: "GET http://b HTTP/1.1\r\nHost: a\r\n\r\n", want: "GET / ? 1.1 host=b keep"},
	{name: "OPTIONS *", in: "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", want: "OPTIONS * ? 1.1 host=a keep"},
	{name: "empty Host", in: "GET / HTTP/1.1\r\nHost:\r\n\r\n", want: "GET / ? 1.1 host= keep"},
	{name: "odd method", in: "M-SEARCH / HTTP/1.1\r\nHost: a\r\n\r\n", want: "M-SEARCH / ? 1.1 host=a keep"},
	{name: "white space around values", in: "GET / HTTP/1.1\r\nHost:\t a \t\r\nX:\r\nY: \r\n\r\n", want: "GET / ? 1.1 host=a keep"},
	{name: "Latin-1 in a value", in: "GET / HTTP/1.1\r\nHost: a\r\nX: caf\xe9\r\n\r\n", want: "GET / ? 1.1 host=a keep"},

	{name: "nothing", in: ""},
	{name: "half", in: "GET / HTTP/1.1\r\nHost: a\r\n"},
	{name: "all but the last byte", in: "GET / HTTP/1.1\r\nHost: a\r\n\r"},
	{name: "too large", in: "GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", headLimit) + "\r\n\r\n"},
	{name: "too large, without a line", in: strings.Repeat("G", headLimit)},

	{name: "TLS", in: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", status: 400, reason: "control character"},
	{name: "RTMP", in: "\x03\x00\x00\x00\x00\x00\x00\x00\x00", status: 400, reason: "control character"},
	{name: "bare LF", in: "GET / HTTP/1.1\nHost: a\n\n", status: 400, reason: "CR LF"},
	{name: "bare LF at the start", in: "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", status: 400, reason: "CR LF"},
	{name: "bare LF in a header", in: "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", status: 400, reason: "CR LF"},
	{name: "bare LF as the empty line", in: "GET / HTTP/1.1\r\nHost: a\r\n\n", status: 400, reason: "CR LF"},
	{name: "bare CR in a value", in: "GET / HTTP/1.1\r\nHost: a\r\nX: b\rY: c\r\n\r\n", status: 400, reason: "CR LF"},
	{name: "bare CR in the target", in: "GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", status: 400, reason: "CR LF"},
	{name: "CR CR LF", in: "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", status: 400, reason: "CR LF"},
	{name: "NUL in a value", in: "GET / HTTP/1.1\r\nHost: a\r\nX: b\x00\r\n\r\n", status: 400, reason: "control character"},
	{name: "NUL in the target", in: "GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n", status: 400, reason: "control character"},
	{name: "DEL in a value", in: "GET / HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n", status: 400, reason: "control character"},
	{name: "empty line first", in: "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", status: 400, reason: "method"},
	{name: "space first", in: " GET / HTTP/1.1\r\nHost: a\r\n\r\n", status: 400, reason: "method"},
	{name: "method with a bad character", in: "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", status: 400, reason: "method"},
	{name: "method with UTF-8", in: "GÉT / HTTP/1.1\r\nHost: a\r\n\r\n", status: 400, reason: "method"},
	{name: "no version", in: "GET /\r\n\r\n", status: 400, reason: "request line"},
	{name: "two spaces", in: "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", status: 400, reason: "malformed HTTP version"},
	{name: "space in the target", in: "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", status: 400, reason: "malformed HTTP version"},
	{name: "tab in the target", in: "GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n", status: 400, reason: "request target"},
	{name: "tabs for spaces", in: "GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n", status: 400, reason: "method"},
	{name: "space at the end of the line", in: "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", status: 400, reason: "malformed HTTP version"},
	{name: "version in lower case", in: "GET / http/1.1\r\nHost: a\r\n\r\n", status: 400, reason: "malformed HTTP version"},
	{name: "version 1.10", in: "GET / HTTP/1.10\r\nHost: a\r\n\r\n", status: 400, reason: "malformed HTTP version"},
	{name: "version 1.2", in: "GET / HTTP/1.2\r\nHost: a\r\n\r\n", status: 505, reason: "unsupported HTTP version"},
	{name: "HTTP/2 preface", in: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", status: 505, reason: "unsupported HTTP version"},
	{name: "CONNECT", in: "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", status: 501, reason: "CONNECT"},
	{name: "GET *", in: "GET * HTTP/1.1\r\nHost: a\r\n\r\n", status: 400, reason: "request target"},
	{name: "empty target", in: "GET  HTTP/1.1\r\nHost: a\r\n\r\n", status: 400, reason: "request target"},
	{name: "target without a slash", in: "GET live/x.flv HTTP/1.1\r\nHost: a\r\n\r\n", status: 400, reason: "request target"},
	{name: "fragment", in: "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", status: 400, reason: "request target"},
	{name: "bad percent-encoding", in: "GET /a%2 HTTP/1.1\r\nHost: a\r\n\r\n", status: 400, reason: "percent-encoding"},
	{name: "absolute with another scheme", in: "GET file:///etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", status: 400, reason: "request target"},
	{name: "absolute without slashes", in: "GET http:a/b HTTP/1.1\r\nHost: a\r\n\r\n", status: 400, reason: "host"},
	{name: "absolute with a user", in: "GET http://u:p@b/ HTTP/1.1\r\nHost: a\r\n\r\n", status: 400, reason: "host"},
	{name: "absolute without host", in: "GET http:///live/x.flv HTTP/1.1\r\nHost: a\r\n\r\n", status: 400, reason: "host"},
	{name: "absolute with a bad port", in: "GET http://b:80x/ HTTP/1.1\r\nHost: a\r\n\r\n", status: 400, reason: "request target"},

	{name: "no Host", in: "GET / HTTP/1.1\r\n\r\n", status: 400, reason: "no Host"},
	{name: "no Host, absolute", in: "GET http://b/ HTTP/1.1\r\n\r\n", status: 400, reason: "no Host"},
	{name: "two Hosts", in: "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", status: 400, reason: "more than one Host"},
	{name: "two Hosts, 1.0", in: "GET / HTTP/1.0\r\nHost: a\r\nhost: a\r\n\r\n", status: 400, reason: "more than one Host"},
	{name: "Host with a path", in: "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", status: 400, reason: "malformed Host"},
	{name: "Host with a user", in: "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", status: 400, reason: "malformed Host"},
	{name: "Host with a space", in: "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", status: 400, reason: "malformed Host"},

	{name: "space before the colon", in: "GET / HTTP/1.1\r\nHost : a\r\n\r\n", status: 400, reason: "header name"},
	{name: "tab before the colon", in: "GET / HTTP/1.1\r\nHost: a\r\nX\t: a\r\n\r\n", status: 400, reason: "header name"},
	{name: "folded line", in: "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", status: 400, reason: "folded"},
	{name: "folded line with a tab", in: "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\tY: c\r\n\r\n", status: 400, reason: "folded"},
	{name: "space before the first header", in: "GET / HTTP/1.1\r\n Host: a\r\n\r\n", status: 400, reason: "folded"},
	{name: "no colon", in: "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", status: 400, reason: "colon"},
	{name: "no name", in: "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", status: 400, reason: "header name"},
	{name: "name with UTF-8", in: "GET / HTTP/1.1\r\nHost: a\r\nÉ: b\r\n\r\n", status: 400, reason: "header name"},

	{name: "length and chunked", in: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", status: 400, reason: "both"},
	{name: "chunked and length", in: "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", status: 400, reason: "both"},
	{name: "two lengths", in: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", status: 400, reason: "more than one Content-Length"},
	{name: "two equal lengths", in: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\ncontent-length: 5\r\n\r\n", status: 400, reason: "more than one Content-Length"},
	{name: "lengths in a list", in: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n", status: 400, reason: "malformed Content-Length"},
	{name: "negative length", in: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", status: 400, reason: "malformed Content-Length"},
	{name: "length with a sign", in: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n", status: 400, reason: "malformed Content-Length"},
	{name: "length in hexadecimal", in: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\n", status: 400, reason: "malformed Content-Length"},
	{name: "length with an underscore", in: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1_0\r\n\r\n", status: 400, reason: "malformed Content-Length"},
	{name: "empty length", in: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", status: 400, reason: "malformed Content-Length"},
	{name: "length of 2^63", in: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775808\r\n\r\n", status: 400, reason: "malformed Content-Length"},
	{name: "gzip, chunked", in: "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", status: 501, reason: "Transfer-Encoding"},
	{name: "chunked twice", in: "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", status: 501, reason: "Transfer-Encoding"},
	{name: "identity", in: "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", status: 501, reason: "Transfer-Encoding"},
	{name: "xchunked", in: "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", status: 501, reason: "Transfer-Encoding"},
	{name: "chunked, 1.0", in: "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", status: 400, reason: "HTTP/1.0"},
}

func TestParseHead(t *testing.T) {
	t.Parallel()
	for _, c := range headCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h, n, err := ParseHead([]byte(c.in), headLimit)
			switch {
			case c.want != "":
				if err != nil || n != len(c.in) || summary(h) != c.want {
					t.Errorf("got  %s, %d, %v\nwant %s, %d", summary(h), n, err, c.want, len(c.in))
				}
			case c.status != 0:
				checkSyntax(t, err, c.status, c.reason)
			case len(c.in) >= headLimit:
				if !errors.Is(err, ErrTooLarge) {
					t.Errorf("error %v, want ErrTooLarge", err)
				}
			default:
				if !errors.Is(err, ErrShort) {
					t.Errorf("error %v, want ErrShort", err)
				}
			}
			if err != nil && n != 0 {
				t.Errorf("n = %d with error %v", n, err)
			}
		})
	}
}

func checkSyntax(t *testing.T, err error, status int, reason string) {
	t.Helper()
	var syntax *SyntaxError
	if !errors.As(err, &syntax) {
		t.Fatalf("error %v, want a SyntaxError", err)
	}
	if syntax.Status != status || !strings.Contains(syntax.Reason, reason) {
		t.Errorf("error %v with status %d, want %q with %d", err, syntax.Status, reason, status)
	}
}

func TestParseHeadLeavesTheRest(t *testing.T) {
	t.Parallel()
	for _, rest := range []string{"\x00\x01 body", "\n", "GET / HTTP/1.1\n", strings.Repeat("x", 2*headLimit)} {
		_, n, err := ParseHead([]byte(chromium+rest), headLimit)
		if err != nil || n != len(chromium) {
			t.Errorf("with %.10q behind it: %d, %v", rest, n, err)
		}
	}
}

func TestParseHeadLimit(t *testing.T) {
	t.Parallel()
	if _, n, err := ParseHead([]byte(chromium), len(chromium)); err != nil || n != len(chromium) {
		t.Errorf("a head of exactly the limit: %d, %v", n, err)
	}
	if _, _, err := ParseHead([]byte(chromium), len(chromium)-1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a head of one more: %v", err)
	}
}

// bytewise feeds in one byte more at a time, until the answer is not ErrShort.
func bytewise(in []byte) (Head, int, error) {
	for n := range in {
		h, used, err := ParseHead(in[:n], headLimit)
		if !errors.Is(err, ErrShort) {
			return h, used, err
		}
	}
	return ParseHead(in, headLimit)
}

func checkBytewise(t *testing.T, in []byte) {
	t.Helper()
	h1, n1, err1 := ParseHead(in, headLimit)
	h2, n2, err2 := bytewise(in)
	if h1 != h2 || n1 != n2 || fmt.Sprint(err1) != fmt.Sprint(err2) {
		t.Errorf("whole: %s, %d, %v\nbyte by byte: %s, %d, %v", summary(h1), n1, err1, summary(h2), n2, err2)
	}
}

func TestParseHeadBytewise(t *testing.T) {
	t.Parallel()
	for _, c := range headCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			checkBytewise(t, []byte(c.in))
		})
	}
}

// checkAgainstNetHTTP reports where net/http reads another request from in
// than the head h of n bytes, which ParseHead made of it.
func checkAgainstNetHTTP(t *testing.T, h Head, n int, in []byte) {
	t.Helper()
	src := bytes.NewReader(in)
	br := bufio.NewReader(src)
	r, err := http.ReadRequest(br)
	if err != nil {
		t.Fatalf("net/http refuses: %v", err)
	}
	if used := len(in) - src.Len() - br.Buffered(); used != n {
		t.Errorf("net/http takes %d bytes, we take %d", used, n)
	}
	want := FromRequest(r)
	if want.Path == "" {
		want.Path = "/" // net/http leaves it empty for http://host
	}
	if summary(h) != summary(want) {
		t.Errorf("ParseHead: %s\nnet/http:  %s", summary(h), summary(want))
	}
	checkFields(t, h, r.Header)
}

func checkFields(t *testing.T, h Head, header http.Header) {
	t.Helper()
	for name, values := range header {
		if name == "Host" || len(values) == 0 {
			continue
		}
		if got, want := h.Joined(name), strings.Join(values, ", "); got != want && name != "Cache-Control" {
			t.Errorf("%s: %q, net/http reads %q", name, got, want)
		}
	}
}

func TestParseHeadAgreesWithNetHTTP(t *testing.T) {
	t.Parallel()
	for _, c := range headCases {
		if c.want == "" {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h, n, err := ParseHead([]byte(c.in), headLimit)
			if err != nil {
				t.Fatal(err)
			}
			checkAgainstNetHTTP(t, h, n, []byte(c.in))
		})
	}
}

// TestNetHTTPWrites parses requests as Go clients write them.
func TestNetHTTPWrites(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"http://h/", "http://h:80/live/x.flv?a=b", "http://[::1]:80/a%2Fb", "http://h/ä ö"} {
		for _, method := range []string{"GET", "HEAD", "OPTIONS", "POST"} {
			r, err := http.NewRequest(method, target, strings.NewReader("body"))
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if err := r.Write(&b); err != nil {
				t.Fatal(err)
			}
			h, n, err := ParseHead(b.Bytes(), headLimit)
			if err != nil {
				t.Fatalf("%q: %v", b.String(), err)
			}
			checkAgainstNetHTTP(t, h, n, b.Bytes())
		}
	}
}

// FuzzHead holds that what ParseHead accepts net/http reads as the same
// request of the same length, that ParseHead says the same byte by byte, and
// that what comes of a head can be asked and answered.
func FuzzHead(f *testing.F) {
	for _, c := range headCases {
		f.Add([]byte(c.in))
	}
	for _, c := range liveCases {
		f.Add([]byte(c.head()))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) <= 1024 { // the check costs the square of that
			checkBytewise(t, in)
		}
		h, n, err := ParseHead(in, headLimit)
		if err != nil {
			return
		}
		if n > len(in) || n > headLimit {
			t.Fatalf("n = %d of %d", n, len(in))
		}
		checkAgainstNetHTTP(t, h, n, in)
		checkLive(t, h)
	})
}

func BenchmarkParseHead(b *testing.B) {
	in := []byte(chromium)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := ParseHead(in, headLimit); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNetHTTP(b *testing.B) {
	in := []byte(chromium)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	src := bytes.NewReader(in)
	br := bufio.NewReader(src)
	for b.Loop() {
		src.Reset(in)
		br.Reset(src)
		if _, err := http.ReadRequest(br); err != nil {
			b.Fatal(err)
		}
	}
}
