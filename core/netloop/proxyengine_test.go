package netloop

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// proxied starts a listener whose connections begin with a PROXY header.
func (r *rig) proxied() *Listener {
	r.t.Helper()
	ln := r.listen(r.engine.ListenHTTP, Address{Addr: "127.0.0.1:0", ProxyProtocol: true})
	r.t.Cleanup(func() { ln.Close() })
	return ln
}

const proxy1 = "PROXY TCP4 192.0.2.7 198.51.100.1 5555 80\r\n"

func proxy2() string {
	b := []byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\xc6\x33\x64\x01")
	return string(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, 5555), 80))
}

const proxyLocal = "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"

// TestProxyProtocol has each kind of header come before a request, whole and a
// byte at a time.
func TestProxyProtocol(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, header, want string }{
		{"version 1", proxy1, "192.0.2.7:5555"},
		{"unknown", "PROXY UNKNOWN\r\n", ""},
		{"version 2", proxy2(), "192.0.2.7:5555"},
		{"local", proxyLocal, ""},
	} {
		for _, step := range []int{1, 7, 1000} {
			t.Run(fmt.Sprint(c.name, " by ", step), func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				r.start("live/a")
				conn := dial(t, r.proxied().Addr(), 0)
				want := c.want
				if want == "" {
					want = conn.LocalAddr().String()
				}
				for b := c.header + chunked.request("live/a"); b != ""; {
					n := min(step, len(b))
					io.WriteString(conn, b[:n])
					b = b[n:]
				}
				r.waitViewers(1)
				if got := r.clients()[0].RemoteAddr; got != want {
					t.Errorf("the address is %s, want %s", got, want)
				}
				if status, _, err := readHead(conn); err != nil || !strings.Contains(status, "200") {
					t.Errorf("answer %q, %v", status, err)
				}
			})
		}
	}
}

// TestProxyProtocolRefused has connections without a header, and clients over
// their limit.
func TestProxyProtocolRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings(func(s *Settings) {
		s.Limits.ConnectionsPerIP = 2
		s.Limits.HandshakeTimeout = 2 * time.Second
	}))
	ln := r.proxied()
	for _, b := range []string{chunked.request("live/a"), "PROXY TCP4 x\r\n", "PROXY TCP4 192.0"} {
		c := dial(t, ln.Addr(), 0)
		io.WriteString(c, b)
		if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil {
			t.Errorf("%q gets %d bytes, %v", b, n, err)
		}
	}
	r.change(func(s *Settings) { s.Limits.HandshakeTimeout = time.Minute }) // these are to stay
	var open []net.Conn
	for range 2 {
		c := dial(t, ln.Addr(), 0)
		io.WriteString(c, proxy1)
		open = append(open, c)
	}
	eventually(t, "both count", func() bool {
		r.engine.gate.mu.Lock()
		defer r.engine.gate.mu.Unlock()
		for _, n := range r.engine.gate.perIP {
			return n == 2
		}
		return false
	})
	c := dial(t, ln.Addr(), 0)
	io.WriteString(c, proxy1)
	if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Errorf("the third connection gets %d bytes, %v", n, err)
	}
	for _, c := range open {
		c.Close()
	}
	eventually(t, "nobody counts", func() bool {
		r.engine.gate.mu.Lock()
		defer r.engine.gate.mu.Unlock()
		return len(r.engine.gate.perIP) == 0
	})
	eventually(t, "the refusal is counted", func() bool { return r.engine.Stats().Refused[refusedPerIP] == 1 })
}
