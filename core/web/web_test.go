package web

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for what should come at once.
const patience = time.Minute

// tcpPair returns the two ends of a loopback connection.
func tcpPair(t *testing.T) (near, far *net.TCPConn) {
	t.Helper()
	ln := listen(t)
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far = c.(*net.TCPConn)
	if c, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	near = c.(*net.TCPConn)
	t.Cleanup(func() { _ = near.Close(); _ = far.Close() })
	return near, far
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}

func send(t *testing.T, c net.Conn, s string) {
	t.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		t.Fatal(err)
	}
}

// loop stands for the event loop: it accepts, reads request heads, answers
// live URLs with what it read, and hands all else to net/http.
type loop struct {
	t   *testing.T
	ln  net.Listener
	out *Handoff

	mu    sync.Mutex
	conns []net.Conn
}

// live is the rule for live URLs in these tests.
func live(path string) bool {
	return strings.HasSuffix(path, ".flv") && !strings.HasPrefix(path, "/flv/")
}

func (l *loop) accept() {
	for {
		c, err := l.ln.Accept()
		if err != nil {
			return
		}
		l.track(c)
		go l.serve(c, bufio.NewReaderSize(c, 256<<10), nil)
	}
}

func (l *loop) track(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns = append(l.conns, c)
}

func (l *loop) closeAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		_ = c.Close()
	}
}

// enroll is Options.ReturnToLoop. As the real loop it needs a socket.
func (l *loop) enroll(c net.Conn, prefix []byte, remote net.Addr) error {
	tcp := c.(*net.TCPConn)
	joined := io.MultiReader(bytes.NewReader(prefix), tcp)
	go l.serve(tcp, bufio.NewReaderSize(joined, 256<<10), remote)
	return nil
}

// serve answers live requests on c until one is not live. A live answer's body
// is the head as it was read, so that a test sees what became of it; for
// /live/take.flv it is the takeSize bytes that follow the head.
func (l *loop) serve(c net.Conn, in *bufio.Reader, remote net.Addr) {
	for {
		head, err := readHead(in)
		if err != nil {
			_ = c.Close()
			return
		}
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
		if err != nil {
			l.t.Errorf("loop got a bad head: %v\n%q", err, head)
			_ = c.Close()
			return
		}
		if !live(r.URL.Path) {
			rest, _ := in.Peek(in.Buffered())
			_ = l.out.Deliver(c, append(head, rest...), remote)
			return
		}
		if !l.answer(c, in, head, r) {
			return
		}
	}
}

func (l *loop) answer(c net.Conn, in *bufio.Reader, head []byte, r *http.Request) bool {
	body := head
	if r.URL.Path == "/live/take.flv" {
		body = make([]byte, takeSize)
		if _, err := io.ReadFull(in, body); err != nil {
			l.t.Errorf("loop is short of bytes that follow the head: %v", err)
			return false
		}
	}
	resp := http.Response{
		StatusCode: http.StatusOK, Proto: r.Proto, ProtoMajor: r.ProtoMajor, ProtoMinor: r.ProtoMinor,
		Header: http.Header{"X-Loop": {"1"}}, ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader(body)),
	}
	if r.ProtoMinor == 0 {
		resp.Header.Set("Connection", "keep-alive")
	}
	return resp.Write(c) == nil
}

// readHead reads through the empty line that ends a head.
func readHead(in *bufio.Reader) ([]byte, error) {
	var head []byte
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		head = append(head, line...)
		if string(line) == "\r\n" {
			return head, nil
		}
	}
}

// start runs a Server behind a fake event loop, changed by setup, and returns
// it with the address to dial.
func start(t *testing.T, o Options, setup ...func(*Server)) (*Server, string) {
	t.Helper()
	ln := listen(t)
	l := &loop{t: t, ln: ln, out: NewHandoff(ln.Addr())}
	o.Handoff = l.out
	o.ReturnToLoop = l.enroll
	if o.IsLive == nil {
		o.IsLive = func(r *http.Request) bool { return live(r.URL.Path) }
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range setup {
		f(s)
	}
	run(t, s)
	go l.accept()
	t.Cleanup(l.closeAll)
	return s, ln.Addr().String()
}

// run runs s until the test ends.
func run(t *testing.T, s *Server) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		_ = s.Close()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// client is one connection and a reader of answers on it.
type client struct {
	t *testing.T
	*net.TCPConn
	in *bufio.Reader
}

func dial(t *testing.T, addr string) *client {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return clientOn(t, c.(*net.TCPConn))
}

// clientOn is dial on a connection that is there already.
func clientOn(t *testing.T, c *net.TCPConn) *client {
	t.Helper()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &client{t, c, bufio.NewReader(c)}
}

// answer is an answer with its body read.
type answer struct {
	*http.Response
	body string
}

// next reads the next answer, to a request with the given method.
func (c *client) next(method string) answer {
	c.t.Helper()
	resp, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		c.t.Fatalf("read answer: %v", err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatalf("read body: %v", err)
	}
	return answer{resp, string(body)}
}

// do sends one request, given without the line ends and Host, and reads the
// answer.
func (c *client) do(head ...string) answer {
	c.t.Helper()
	lines := append([]string{head[0], "Host: millrace.test"}, head[1:]...)
	send(c.t, c, strings.Join(lines, "\r\n")+"\r\n\r\n")
	method, _, _ := strings.Cut(head[0], " ")
	return c.next(method)
}

// get is do on a connection of its own.
func get(t *testing.T, addr string, head ...string) answer {
	t.Helper()
	return dial(t, addr).do(head...)
}

// logTo returns a logger that writes to a buffer, and the buffer's text.
func logTo() (*slog.Logger, func() string) {
	var buf lockedBuffer
	return slog.New(slog.NewTextHandler(&buf, nil)), buf.text
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
