package netloop

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"
)

// tlsListener adds a listener for HTTP over TLS.
func (r *rig) tlsListener(proxied bool) *Listener {
	r.t.Helper()
	ln := r.listen(r.engine.ListenHTTP, Address{Addr: "127.0.0.1:0", TLS: true, ProxyProtocol: proxied})
	r.t.Cleanup(func() { ln.Close() })
	return ln
}

// TestProxyProtocolBeforeTLS has a PROXY header come before the handshake,
// whole and a byte at a time.
func TestProxyProtocolBeforeTLS(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]string{"version 1": proxy1, "version 2": proxy2()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.start("live/a")
			raw, err := net.Dial("tcp", r.tlsListener(true).Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer raw.Close()
			for i := range len(header) {
				io.WriteString(raw, header[i:i+1])
			}
			c := tls.Client(raw, &tls.Config{InsecureSkipVerify: true})
			io.WriteString(c, chunked.request("live/a"))
			r.waitViewers(1)
			if got := r.clients()[0]; got.RemoteAddr != "192.0.2.7:5555" || !got.TLS {
				t.Errorf("the client is %+v", got)
			}
		})
	}
}

// TestSlowHandshakes drops those who do not get on, whatever they have sent
// so far, and serves others meanwhile.
func TestSlowHandshakes(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings(func(s *Settings) {
		s.Limits.HandshakeTimeout = 5 * time.Second
		s.Limits.TLSHandshakes = 4
	}))
	r.start("live/a")
	ln := r.tlsListener(false)
	var slow []net.Conn
	for i := range 10 { // more than may be in progress
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		// The start of a ClientHello that does not come.
		io.WriteString(c, "\x16\x03\x01\x02\x00\x01"[:i%7])
		slow = append(slow, c)
	}
	c := dial(t, ln.Addr(), 0)
	io.WriteString(c, chunked.request("live/a"))
	r.waitViewers(1)
	for _, s := range slow {
		_ = s.SetReadDeadline(time.Now().Add(patience))
		if n, err := s.Read(make([]byte, 1)); n > 0 || err == nil || isTimeout(err) {
			t.Errorf("a slow peer gets %d bytes, %v", n, err)
		}
	}
	eventually(t, "they are counted", func() bool { return r.engine.Stats().Closed["timeout"] == 10 })
	r.counted(0, 1)
}

func isTimeout(err error) bool {
	e, ok := err.(net.Error)
	return ok && e.Timeout()
}

// TestNoTLS has peers that do not speak it.
func TestNoTLS(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ln := r.tlsListener(false)
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, chunked.request("live/a"))
	_ = c.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadAll(c); isTimeout(err) {
		t.Error("it is not closed")
	}
	old := tls.Client(dialRaw(t, ln), &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	if err := old.Handshake(); err == nil {
		t.Error("TLS 1.1 is taken")
	}
	eventually(t, "they are counted", func() bool { return r.engine.Stats().Closed["protocol_error"] == 2 })
	r.counted(0, 0)
}

func dialRaw(t *testing.T, ln *Listener) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestBrokenRecord ends a connection whose records were tampered with.
func TestBrokenRecord(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start("live/a")
	raw := dialRaw(t, r.tlsListener(false))
	c := tls.Client(raw, &tls.Config{InsecureSkipVerify: true})
	io.WriteString(c, chunked.request("live/a"))
	r.waitViewers(1)
	io.WriteString(raw, "\x17\x03\x03\x00\x20this is not sealed by any key at")
	r.waitViewers(0)
	eventually(t, "it is counted", func() bool { return r.engine.Stats().Closed["protocol_error"] == 1 })
}

// TestHandshakesEndWithTheEngine closes an engine, and a listener, in the
// middle of handshakes, and of waits for one.
func TestHandshakesEndWithTheEngine(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings(func(s *Settings) { s.Limits.TLSHandshakes = 1 }))
	first, second := r.tlsListener(false), r.tlsListener(false)
	for range 3 {
		dialRaw(t, first)
		dialRaw(t, second)
	}
	eventually(t, "one is in progress", func() bool {
		r.engine.shakes.mu.Lock()
		defer r.engine.shakes.mu.Unlock()
		return len(r.engine.shakes.open) == 1
	})
	first.Close()
	second.Close()
}

// TestTLSEndsCleanly wants the good-bye of TLS behind that of HTTP.
func TestTLSEndsCleanly(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.start("live/a")
	c := dial(t, r.tlsListener(false).Addr(), 0)
	io.WriteString(c, chunked.request("live/a"))
	r.waitViewers(1)
	f.pub.Close(true, "over", r.engine.Now())
	f.pub.Stream.Wake()
	all, err := io.ReadAll(c) // without close_notify: unexpected EOF
	if err != nil || !strings.HasSuffix(string(all), "\r\n0\r\n\r\n") {
		t.Errorf("%d bytes, %v", len(all), err)
	}
}

// TestTunnel has a request come from within.
func TestTunnel(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.start("live/a")
	remote := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 9), Port: 99}
	tunnel, err := r.engine.Tunnel([]byte("GET /live/a.flv HTTP/1.0\r\n\r\n"), remote, &Admission{})
	if err != nil {
		t.Fatal(err)
	}
	defer tunnel.Close()
	r.waitViewers(1)
	if got := r.clients()[0]; got.RemoteAddr != remote.String() || !got.TLS || got.Protocol != "http-flv" {
		t.Errorf("the client is %+v", got)
	}
	in := bufio.NewReader(readInto{tunnel})
	if status, _, err := readHead(in); err != nil || !strings.Contains(status, "200") {
		t.Fatalf("answer %q, %v", status, err)
	}
	p := record(t, tunnel, &plainSource{r: in})
	f.gop(3, 100_000)
	p.waitLast(f)
	f.check(t, p.got(), wantsBoth, false)
	if tunnel.Whole() {
		t.Error("it is whole before its end")
	}
	f.pub.Close(true, "over", r.engine.Now())
	f.pub.Stream.Wake()
	eventually(t, "all has come", tunnel.Whole)
	tunnel.Close()
	r.counted(0, 0)
}

// TestTunnelForATrustedProxy takes the client's address from the request.
func TestTunnelForATrustedProxy(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings(func(s *Settings) {
		s.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	}))
	r.start("live/a")
	request := []byte("GET /live/a.flv HTTP/1.0\r\nX-Forwarded-For: 198.51.100.7\r\n\r\n")
	tunnel, err := r.engine.Tunnel(request, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 9), Port: 99}, &Admission{})
	if err != nil {
		t.Fatal(err)
	}
	defer tunnel.Close()
	r.waitViewers(1)
	if got := r.clients()[0].RemoteAddr; !strings.HasPrefix(got, "198.51.100.7:") {
		t.Errorf("the client is %s", got)
	}
}

// readInto reads as a relay does.
type readInto struct{ t *Tunnel }

func (r readInto) Read(b []byte) (int, error) { return r.t.ReadInto(func() []byte { return b }) }

// TestTunnelsCount has tunnels fill the limits.
func TestTunnelsCount(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings(func(s *Settings) { s.Limits.Connections, s.Limits.ConnectionsPerIP = 5, 1 }))
	from := func(last byte) net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, last), Port: 1} }
	open := func(last byte) (*Tunnel, error) { return r.engine.Tunnel(nil, from(last), &Admission{}) }
	first, err := open(1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(1); err == nil {
		t.Error("an address has a second")
	}
	second, err := open(2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(3); err == nil {
		t.Error("a third takes a sixth descriptor")
	}
	first.Close()
	second.Close()
	r.counted(0, 0)
	for _, reason := range []string{refusedConnections, refusedPerIP} {
		if r.engine.Stats().Refused[reason] != 1 {
			t.Errorf("refused: %v", r.engine.Stats().Refused)
		}
	}
}

// TestMemoryOfTLSViewers bounds what a viewer costs that keeps up, and one
// that does not read.
func TestMemoryOfTLSViewers(t *testing.T) {
	r := newRig(t, loops(1))
	f := r.start("live/a")
	ln := r.tlsListener(false)
	const viewers = 200
	before := heap()
	var conns []net.Conn
	for range viewers {
		c := dial(t, ln.Addr(), 4096)
		io.WriteString(c, chunked.request("live/a"))
		conns = append(conns, c)
	}
	r.waitViewers(viewers)
	idle := heap() - before
	for range 40 {
		f.gop(2, 50_000)
	}
	eventually(t, "all are blocked", func() bool {
		n := 0
		r.on(r.engine.loops[0], func() { n = len(r.engine.loops[0].fanout.blocked) })
		return n == viewers
	})
	ring := int(f.pub.Stream.Info().RingBytes)
	stalled := heap() - before - ring
	t.Logf("with the client's side: %d bytes each, %d when it does not read", idle/viewers, stalled/viewers)
	if most := maxSealed + 48<<10; stalled/viewers > most {
		t.Errorf("a viewer that does not read holds %d bytes, more than %d", stalled/viewers, most)
	}
	runtime.KeepAlive(conns)
}
