package web

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
)

const takeSize = 64 << 10

// notLive is a request that goes before a live one on a delivered connection.
const notLive = "GET /absent HTTP/1.1\r\nHost: m\r\n\r\n"

// TestRoundTrips goes 200 times loop → net/http → loop on one connection, a
// request at a time.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	_, addr := start(t, Options{Settings: Settings{List: true}})
	c := dial(t, addr)
	for i := range 200 {
		if a := c.do("GET /streams.json HTTP/1.1"); a.StatusCode != http.StatusOK || a.body != "[]\n" {
			t.Fatalf("round %d, page: %s %q", i, a.Status, a.body)
		}
		a := c.do(fmt.Sprintf("GET /live/a.flv?n=%d HTTP/1.1", i))
		want := fmt.Sprintf("GET /live/a.flv?n=%d HTTP/1.1\r\nHost: millrace.test\r\n\r\n", i)
		if a.Header.Get("X-Loop") == "" || a.body != want {
			t.Fatalf("round %d, live: %s %q", i, a.Status, a.body)
		}
	}
}

// TestRoundTripsPipelined sends 200 pairs without waiting for an answer, with
// heads of many sizes, so that the border falls at every place in net/http's
// buffer, in the prefix and in the socket; each byte of each head counts.
func TestRoundTripsPipelined(t *testing.T) {
	t.Parallel()
	_, addr := start(t, Options{})
	for _, version := range []string{"1.1", "1.0"} {
		t.Run(version, func(t *testing.T) {
			c := dial(t, addr)
			rnd := rand.New(rand.NewPCG(1, 2))
			var all bytes.Buffer
			var want []string
			for i := range 200 {
				filler := strings.Repeat("x", 1+rnd.IntN(6000))
				page := fmt.Sprintf("GET /absent%d HTTP/%s\r\nConnection: keep-alive\r\nHost: m\r\nX-Filler: %s\r\n\r\n", i, version, filler)
				flv := fmt.Sprintf("GET /live/s%d.flv HTTP/%s\r\nHost: m\r\nConnection: keep-alive\r\nX-Filler: %s\r\n\r\n", i, version, filler)
				all.WriteString(page + flv)
				want = append(want, fmt.Sprintf("there is no page at \"/absent%d\"\n", i), flv)
			}
			go func() { _, _ = c.Write(all.Bytes()) }() // a failure shows as a missing answer
			for i, w := range want {
				if a := c.next("GET"); a.body != w {
					t.Fatalf("answer %d: %q, want %q", i, a.body, w)
				}
			}
		})
	}
}

// TestPipelinedPrefixToLoop holds that 64 KiB which follow a live request, and
// came to net/http in the prefix, in its buffer or by the socket, all go back.
func TestPipelinedPrefixToLoop(t *testing.T) {
	t.Parallel()
	_, addr := start(t, Options{})
	blob := make([]byte, takeSize)
	rnd := rand.NewChaCha8([32]byte{1})
	_, _ = rnd.Read(blob)

	// How many bytes of the blob go out at once with the request; the rest
	// follows, and meets net/http's background reader.
	for _, atOnce := range []int{0, 1, 3900, 4096, 5000, takeSize - 1, takeSize} {
		t.Run(fmt.Sprint(atOnce), func(t *testing.T) {
			c := dial(t, addr)
			for i := range 20 {
				head := "GET /absent HTTP/1.1\r\nHost: m\r\n\r\nGET /live/take.flv HTTP/1.1\r\nHost: m\r\n\r\n"
				send(t, c, head+string(blob[:atOnce]))
				send(t, c, string(blob[atOnce:]))
				c.next("GET")
				if a := c.next("GET"); a.body != string(blob) {
					t.Fatalf("round %d: the bytes after a live request came back changed (%d of %d)", i, len(a.body), len(blob))
				}
			}
		})
	}
}

// TestPipelinedPrefixFromLoop holds that 64 KiB of requests that the loop had
// read are all answered.
func TestPipelinedPrefixFromLoop(t *testing.T) {
	t.Parallel()
	s, _ := start(t, Options{})
	near, far := tcpPair(t)
	var prefix bytes.Buffer
	n := 0
	for ; prefix.Len() < 64<<10; n++ {
		fmt.Fprintf(&prefix, "GET /absent%d HTTP/1.1\r\nHost: m\r\n\r\n", n)
	}
	remote := &net.TCPAddr{IP: net.IPv4(203, 0, 113, 9), Port: 1}
	if err := s.opts.Handoff.Deliver(near, prefix.Bytes(), remote); err != nil {
		t.Fatal(err)
	}
	c := clientOn(t, far)
	for i := range n {
		want := fmt.Sprintf("there is no page at \"/absent%d\"\n", i)
		if a := c.next("GET"); a.body != want {
			t.Fatalf("answer %d: %q", i, a.body)
		}
	}
}

// TestReturnedConnection holds what the loop is given: the connection itself,
// the client's address, no deadlines.
func TestReturnedConnection(t *testing.T) {
	t.Parallel()
	type returned struct {
		c      net.Conn
		prefix string
		remote net.Addr
	}
	back := make(chan returned, 1)
	near, far := tcpPair(t)
	h := NewHandoff(near.LocalAddr())
	s, err := New(Options{
		Handoff: h,
		IsLive:  func(r *http.Request) bool { return live(r.URL.Path) },
		ReturnToLoop: func(c net.Conn, prefix []byte, remote net.Addr) error {
			back <- returned{c, string(prefix), remote}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	run(t, s)
	remote := &net.TCPAddr{IP: net.IPv4(203, 0, 113, 9), Port: 1}
	if err := h.Deliver(near, []byte(notLive+"GET /live/a.flv HTTP/1.1\r\nHost: m\r\n\r\nmore"), remote); err != nil {
		t.Fatal(err)
	}
	got := <-back
	if got.c != net.Conn(near) || got.remote != net.Addr(remote) {
		t.Errorf("returned %T %v", got.c, got.remote)
	}
	if want := "GET /live/a.flv HTTP/1.1\r\nHost: m\r\n\r\nmore"; got.prefix != want {
		t.Errorf("prefix %q, want %q", got.prefix, want)
	}
	clientOn(t, far).next("GET")
	send(t, far, "on")
	if _, err := io.ReadFull(got.c, make([]byte, 2)); err != nil {
		t.Errorf("read on the returned connection: %v", err)
	}
}

func TestReturnToLoopRefused(t *testing.T) {
	t.Parallel()
	log, text := logTo()
	h := NewHandoff(&net.TCPAddr{})
	s, err := New(Options{
		Logger: log, Handoff: h,
		IsLive:       func(*http.Request) bool { return true },
		ReturnToLoop: func(net.Conn, []byte, net.Addr) error { return errors.New("loop is full") },
	})
	if err != nil {
		t.Fatal(err)
	}
	run(t, s)
	near, far := tcpPair(t)
	if err := h.Deliver(near, []byte(notLive+"GET /live/a.flv HTTP/1.1\r\nHost: m\r\n\r\n"), nil); err != nil {
		t.Fatal(err)
	}
	c := clientOn(t, far)
	c.next("GET")
	if b, err := io.ReadAll(c.in); err != nil || len(b) != 0 {
		t.Errorf("read %q, %v; want the end", b, err)
	}
	if !strings.Contains(text(), "loop is full") {
		t.Errorf("the log does not say why: %s", text())
	}
}

// TestNoPingPong holds that a request which the loop takes for another's is not
// given back to it, even if IsLive disagrees.
func TestNoPingPong(t *testing.T) {
	t.Parallel()
	_, addr := start(t, Options{IsLive: func(*http.Request) bool { return true }})
	if a := get(t, addr, "GET /live/a HTTP/1.1"); a.StatusCode != http.StatusNotFound {
		t.Errorf("%s", a.Status)
	}
}

// TestLiveAfterRefusal holds that a request which net/http refused counts.
func TestLiveAfterRefusal(t *testing.T) {
	t.Parallel()
	_, addr := start(t, Options{})
	c := dial(t, addr)
	if a := c.do("DELETE /absent HTTP/1.1"); a.StatusCode != http.StatusMethodNotAllowed {
		t.Fatalf("%s", a.Status)
	}
	if a := c.do("GET /live/a.flv HTTP/1.1"); a.Header.Get("X-Loop") == "" {
		t.Errorf("%s", a.Status)
	}
}

func TestLiveRequestWithBody(t *testing.T) {
	t.Parallel()
	_, addr := start(t, Options{})
	for _, framing := range []string{"Content-Length: 5", "Transfer-Encoding: chunked"} {
		t.Run(framing, func(t *testing.T) {
			c := dial(t, addr)
			c.do("GET /absent HTTP/1.1") // leaves the loop, which reads no bodies here
			a := c.do("GET /live/a.flv HTTP/1.1", framing)
			if a.StatusCode != http.StatusBadRequest || !a.Close {
				t.Errorf("%s, close %v", a.Status, a.Close)
			}
		})
	}
}

// heads are requests as they arrive, and as appendHead writes them anew.
var heads = []struct{ name, in, want string }{
	{
		"plain",
		"GET /a/b.flv?x=%20y HTTP/1.1\r\nHost: h:1\r\n\r\n",
		"GET /a/b.flv?x=%20y HTTP/1.1\r\nHost: h:1\r\n\r\n",
	},
	{
		"1.0 without host",
		"HEAD /a HTTP/1.0\r\n\r\n",
		"HEAD /a HTTP/1.0\r\n\r\n",
	},
	{
		"absolute form",
		"GET http://other/a.flv?q HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /a.flv?q HTTP/1.1\r\nHost: other\r\n\r\n",
	},
	{
		"absolute form without a path",
		"GET http://other HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: other\r\n\r\n",
	},
	{
		"websocket",
		"GET /a HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: eA==\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nSec-Websocket-Key: eA==\r\nUpgrade: websocket\r\n\r\n",
	},
	{
		"repeated field",
		"GET /a HTTP/1.1\r\nHost: h\r\nCookie: b=2\r\nX:1\r\ncookie: a=1\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost: h\r\nCookie: b=2\r\nCookie: a=1\r\nX: 1\r\n\r\n",
	},
	{
		"folded value",
		"GET /a HTTP/1.1\r\nHost: h\r\nX: a\r\n b: c\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost: h\r\nX: a b: c\r\n\r\n",
	},
	{
		"line feeds only",
		"GET /a HTTP/1.1\nHost: h\n\n",
		"GET /a HTTP/1.1\r\nHost: h\r\n\r\n",
	},
}

func TestOriginForm(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"a:b": "", "*": "", "http://h/x?y": "/x?y", "//h/x": "//h/x", "/%2f": "/%2f"} {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("OPTIONS " + in + " HTTP/1.1\r\nHost: h\r\n\r\n")))
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := originForm(r); ok != (want != "") || ok && got != want {
			t.Errorf("%s: %q, %v", in, got, ok)
		}
	}
}

func TestAppendHead(t *testing.T) {
	t.Parallel()
	for _, tt := range heads {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(tt.in)))
			if err != nil {
				t.Fatal(err)
			}
			target, ok := originForm(r)
			if got := string(appendHead([]byte("before"), r, target)); !ok || got != "before"+tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestAppendHeadSafe holds that no field can bring a line of its own.
func TestAppendHeadSafe(t *testing.T) {
	t.Parallel()
	r := &http.Request{
		Method: "GET", ProtoMajor: 1, ProtoMinor: 1, Host: "h",
		Header: http.Header{"X": {"a\r\nY: b"}, "Z: z\r\nW": {"1"}},
	}
	if got, want := string(appendHead(nil, r, "/a")), "GET /a HTTP/1.1\r\nHost: h\r\nX: a  Y: b\r\n\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// FuzzAppendHead holds that what is written anew is one request, the same one.
func FuzzAppendHead(f *testing.F) {
	for _, tt := range heads {
		f.Add([]byte(tt.in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(in)))
		if err != nil || hasBody(r) || !methodAllowed(r.Method) || !passesServer(r) {
			t.Skip()
		}
		target, ok := originForm(r)
		if !ok {
			t.Skip()
		}
		head := appendHead(nil, r, target)
		rd := bufio.NewReaderSize(bytes.NewReader(head), len(head)+1)
		again, err := http.ReadRequest(rd)
		if err != nil {
			t.Fatalf("%q became %q: %v", in, head, err)
		}
		if rd.Buffered() != 0 {
			t.Errorf("%q became more than one request: %q", in, head)
		}
		if again.Method != r.Method || again.Proto != r.Proto || again.Host != r.Host || again.URL.RequestURI() != r.URL.RequestURI() {
			t.Errorf("%q became %q", in, head)
		}
		if twice := appendHead(nil, again, again.RequestURI); !bytes.Equal(twice, head) {
			t.Errorf("%q, written again, is %q", head, twice)
		}
	})
}

// passesServer does what net/http's server checks after ReadRequest.
func passesServer(r *http.Request) bool {
	control := func(s string) bool {
		return strings.ContainsFunc(s, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f })
	}
	for name, values := range r.Header {
		if control(name) || slices.ContainsFunc(values, control) {
			return false
		}
	}
	validHost := func(c rune) bool {
		return c < 0x7f && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("!$%&'()*+,-.:;=@[]_~", c))
	}
	return r.ProtoMajor == 1 && !strings.ContainsFunc(r.Host, func(c rune) bool { return !validHost(c) })
}
