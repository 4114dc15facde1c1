package netloop

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/core/httpflv"
	"github.com/millrace/millrace/core/stream"
)

// borrower stands in for net/http: it answers "GET /echo/N" by N and gives
// the connection back at the first live request.
type borrower struct {
	mu      sync.Mutex
	engine  *Engine
	had     int
	remotes []string
	work    sync.WaitGroup
	// refuse has take fail, hold has it keep the connection.
	refuse, hold bool
	held         []net.Conn
}

func (b *borrower) take(c net.Conn, prefix []byte, remote net.Addr) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.had++
	b.remotes = append(b.remotes, remote.String())
	if b.refuse {
		return errors.New("no")
	}
	if b.hold {
		b.held = append(b.held, c)
		return nil
	}
	b.work.Add(1)
	go b.serve(c, prefix)
	return nil
}

// holds reports whether it has n connections to keep.
func (b *borrower) holds(n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.held) == n
}

func (b *borrower) release(i int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held[i].Close()
}

func (b *borrower) serve(c net.Conn, prefix []byte) {
	defer b.work.Done()
	in := bufio.NewReader(io.MultiReader(bytes.NewReader(prefix), c))
	for {
		var head bytes.Buffer
		for !bytes.HasSuffix(head.Bytes(), []byte("\r\n\r\n")) {
			x, err := in.ReadByte()
			if err != nil {
				c.Close()
				return
			}
			head.WriteByte(x)
		}
		path := strings.Fields(head.String())[1]
		n, ok := strings.CutPrefix(path, "/echo/")
		if !ok {
			b.giveBack(c, in, head.Bytes(), len(prefix))
			return
		}
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(n), n)
	}
}

func (b *borrower) giveBack(c net.Conn, in *bufio.Reader, head []byte, most int) {
	// What is buffered, and what the reader of the prefix holds still.
	left := make([]byte, most+1<<20)
	n := 0
	_ = c.SetReadDeadline(time.Now())
	for {
		m, err := in.Read(left[n:])
		n += m
		if err != nil {
			break
		}
	}
	_ = c.SetReadDeadline(time.Time{})
	b.mu.Lock()
	engine := b.engine
	b.mu.Unlock()
	if err := engine.Return(c, append(head, left[:n]...), c.RemoteAddr()); err != nil {
		c.Close()
	}
}

// lending starts an engine that hands requests to b.
func lending(t *testing.T, b *borrower, more ...with) *rig {
	r := newRig(t, append(more, func(o *Options, _ *stream.Options) {
		o.HTTP = b.take
		o.Settings.Viewers.PlayWait = 0
	})...)
	b.mu.Lock()
	b.engine = r.engine
	b.mu.Unlock()
	t.Cleanup(b.work.Wait)
	return r
}

const notThere = "GET /live/none.flv HTTP/1.1\r\nHost: h\r\n\r\n"

func echo(n int) string { return fmt.Sprintf("GET /echo/%d HTTP/1.1\r\nHost: h\r\n\r\n", n) }

// TestHandOff goes to and fro between the loops and a stand-in for net/http
// many times on one connection, and loses no byte.
func TestHandOff(t *testing.T) {
	t.Parallel()
	withAndWithoutTLS(t, testHandOff)
}

// withAndWithoutTLS runs f for both.
func withAndWithoutTLS(t *testing.T, f func(t *testing.T)) {
	for _, name := range []string{"plain", "all" + overTLS} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t)
		})
	}
}

func testHandOff(t *testing.T) {
	b := &borrower{}
	r := lending(t, b)
	f := r.start("live/a")
	c := dial(t, r.http.Addr(), 0)
	in := manner{}.reader(c)
	const rounds = 200
	for i := range rounds {
		fmt.Fprint(c, echo(i), notThere)
		wantAnswer(t, in, "200", fmt.Sprint(i))
		wantAnswer(t, in, "404", "")
	}
	fmt.Fprint(c, chunked.request("live/a"))
	if status, _, err := readHead(in); err != nil || !strings.Contains(status, "200") {
		t.Fatalf("answer %q, %v", status, err)
	}
	p := record(t, c, &chunkSource{r: in})
	f.gop(3, 1000)
	p.waitLast(f)
	f.check(t, p.got(), wantsBoth, false)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.had != rounds {
		t.Errorf("the connection was handed over %d times", b.had)
	}
	s := r.engine.Stats()
	if s.OpenHTTP != 1 || s.AllHTTP != 1 || r.engine.gate.open.Load() != 1 {
		t.Errorf("%d open, %d in all, %d admitted", s.OpenHTTP, s.AllHTTP, r.engine.gate.open.Load())
	}
	c.Close()
	eventually(t, "the connection is counted out", func() bool {
		return r.engine.Stats().OpenHTTP == 0 && r.engine.gate.open.Load() == 0
	})
}

// TestHandOffOfAPipeline sends all requests at once: 64 KiB and more, cut
// anywhere.
func TestHandOffOfAPipeline(t *testing.T) {
	t.Parallel()
	withAndWithoutTLS(t, testPipeline)
}

func testPipeline(t *testing.T) {
	r := lending(t, &borrower{})
	c := dial(t, r.http.Addr(), 0)
	var all strings.Builder
	n := 0
	for ; all.Len() < 80<<10; n++ {
		all.WriteString(echo(n))
		if n%3 == 0 {
			all.WriteString(notThere)
		}
	}
	go func() {
		for b := []byte(all.String()); len(b) > 0; {
			m := min(len(b), 1+len(b)%4999)
			if _, err := c.Write(b[:m]); err != nil {
				return
			}
			b = b[m:]
		}
	}()
	in := manner{}.reader(c)
	for i := range n {
		wantAnswer(t, in, "200", fmt.Sprint(i))
		if i%3 == 0 {
			wantAnswer(t, in, "404", "")
		}
	}
}

func wantAnswer(t *testing.T, in io.Reader, status, body string) {
	t.Helper()
	got, head, err := readHead(in)
	if err != nil || !strings.Contains(got, " "+status+" ") {
		t.Fatalf("answer %q, %v, want %s", got, err, status)
	}
	if body == "" {
		skipBody(t, in, head)
		return
	}
	if b, err := inside(in, len(body)); err != nil || string(b) != body {
		t.Fatalf("body %q, %v, want %q", b, err, body)
	}
}

// TestHandOffRefused has net/http not take a connection.
func TestHandOffRefused(t *testing.T) {
	t.Parallel()
	r := lending(t, &borrower{refuse: true})
	c := dial(t, r.http.Addr(), 0)
	fmt.Fprint(c, echo(1))
	if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	eventually(t, "the connection is counted out", func() bool { return r.engine.gate.open.Load() == 0 })
}

// TestLentConnectionsCount has connections that net/http holds fill the limit.
func TestLentConnectionsCount(t *testing.T) {
	t.Parallel()
	b := &borrower{hold: true}
	r := lending(t, b, settings(func(s *Settings) { s.Limits.Connections = 2 }))
	for range 2 {
		fmt.Fprint(dial(t, r.http.Addr(), 0), echo(1))
	}
	eventually(t, "both are lent", func() bool { return b.holds(2) })
	c := dial(t, r.http.Addr(), 0)
	if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Errorf("a third connection gets %d bytes, %v", n, err)
	}
	b.release(0)
	b.release(0) // only the first counts
	fmt.Fprint(dial(t, r.http.Addr(), 0), echo(1))
	eventually(t, "the next is lent", func() bool { return b.holds(3) })
	b.release(1)
	b.release(2)
	if n := r.engine.gate.open.Load(); n != 0 {
		t.Errorf("%d connections are admitted", n)
	}
}

// TestReturnOfAStranger gives back what was not lent.
func TestReturnOfAStranger(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a, b := net.Pipe()
	defer b.Close()
	defer a.Close()
	if err := r.engine.Return(a, nil, nil); err == nil {
		t.Error("it was taken")
	}
}

// TestTrustedProxy has requests of two clients come through one kept-alive
// connection of a proxy: each has its own address.
func TestTrustedProxy(t *testing.T) {
	t.Parallel()
	b := &borrower{hold: true}
	r := lending(t, b, settings(func(s *Settings) {
		s.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}))
	r.start("live/a")
	from := func(ip string) string { return "Host: h\r\nX-Forwarded-For: " + ip + "\r\n\r\n" }
	c := dial(t, r.http.Addr(), 0)
	in := manner{}.reader(c)
	fmt.Fprint(c, "GET /live/none.flv HTTP/1.1\r\n", from("192.0.2.1"))
	wantAnswer(t, in, "404", "")
	fmt.Fprint(c, "GET /live/a.flv HTTP/1.1\r\n", from("192.0.2.2"))
	r.waitViewers(1)
	if got := r.clients()[0].RemoteAddr; !strings.HasPrefix(got, "192.0.2.2:") {
		t.Errorf("the viewer's address is %s", got)
	}

	c = dial(t, r.http.Addr(), 0)
	fmt.Fprint(c, "GET /live/none.flv HTTP/1.1\r\n", from("192.0.2.1"))
	wantAnswer(t, manner{}.reader(c), "404", "")
	fmt.Fprint(c, "GET /echo/1 HTTP/1.1\r\n", from("192.0.2.2"))
	eventually(t, "the connection is lent", func() bool { return b.holds(1) })
	if got := b.remotes[0]; strings.HasPrefix(got, "192.0.2.1:") {
		t.Errorf("net/http is told that the second client is %s", got)
	}
	b.release(0)
}

// TestTrustedProxyAndLimit has the clients of one proxy not share one limit.
func TestTrustedProxyAndLimit(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings(func(s *Settings) {
		s.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		s.Limits.ConnectionsPerIP = 2
	}))
	r.start("live/a")
	for i := range 5 {
		c := dial(t, r.http.Addr(), 0)
		fmt.Fprintf(c, "GET /live/a.flv HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 192.0.2.%d\r\n\r\n", i)
		if status, _, err := readHead(c); err != nil || !strings.Contains(status, "200") {
			t.Fatalf("client %d behind the proxy gets %q, %v", i, status, err)
		}
	}
}

// TestTrustedProxyAndRTMP limits RTMP connections of an address that is trusted
// to name others in HTTP: RTMP has no header that could do so.
func TestTrustedProxyAndRTMP(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings(func(s *Settings) {
		s.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		s.Limits.ConnectionsPerIP = 2
	}))
	for range 2 {
		dial(t, r.rtmp.Addr(), 0)
	}
	r.waitConns(2)
	c := dial(t, r.rtmp.Addr(), 0)
	_ = c.SetReadDeadline(time.Now().Add(patience))
	if _, err := c.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Errorf("the third connection gets %v", err)
	}
}

// TestUntrustedHeaders are not believed.
func TestUntrustedHeaders(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start("live/a")
	c := dial(t, r.http.Addr(), 0)
	fmt.Fprint(c, "GET /live/a.flv HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n")
	r.waitViewers(1)
	if got := r.clients()[0].RemoteAddr; got != c.LocalAddr().String() {
		t.Errorf("the viewer's address is %s", got)
	}
}

// TestReservedIsOptional leaves the option out.
func TestReservedIsOptional(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *Options, _ *stream.Options) { o.Reserved = nil })
	f := r.start("live/a")
	p := r.watch(chunked, manner{}, "live/a")
	p.waitLast(f)
}

// TestReservedApps are net/http's.
func TestReservedApps(t *testing.T) {
	t.Parallel()
	b := &borrower{hold: true}
	r := lending(t, b)
	for _, path := range []string{"/hls/a.flv", "/flv/a/b.flv", "/", "/x", "/live/a", "/a.flv"} {
		fmt.Fprintf(dial(t, r.http.Addr(), 0), "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path)
	}
	eventually(t, "all are lent", func() bool { return b.holds(6) })
	for i := range 6 {
		b.release(i)
	}
	if !httpflv.Reserved("hls") {
		t.Error("hls is not reserved")
	}
}
