package netloop

import (
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Address is where to listen.
type Address struct {
	Addr string
	// ProxyProtocol: each connection begins with a PROXY protocol header.
	ProxyProtocol bool
	// TLS: it is spoken below RTMP or HTTP, behind a PROXY protocol header.
	TLS bool
}

// Listener accepts connections of one protocol at one address.
type Listener struct {
	engine   *Engine
	protocol protocol
	proxy    bool
	tls      *tls.Config // nil: plain
	ln       net.Listener
	closing  atomic.Bool
	ended    chan struct{}
	path     string // of a unix socket, to be removed at the end
}

// ListenRTMP accepts RTMP connections at a, until the listener is closed.
func (e *Engine) ListenRTMP(a Address) (*Listener, error) { return e.listen(a, protocolRTMP) }

// ListenHTTP accepts HTTP connections at a, until the listener is closed.
func (e *Engine) ListenHTTP(a Address) (*Listener, error) { return e.listen(a, protocolHTTP) }

func (e *Engine) listen(a Address, p protocol) (*Listener, error) {
	config, err := e.configFor(a, p)
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", a.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen for %s: %w", p, err)
	}
	l := &Listener{engine: e, protocol: p, proxy: a.ProxyProtocol, tls: config, ln: ln, ended: make(chan struct{})}
	e.log.Info("listening", "protocol", string(p), "addr", ln.Addr().String(), "tls", a.TLS, "proxy_protocol", a.ProxyProtocol)
	go l.run()
	return l, nil
}

// Addr is the address in use.
func (l *Listener) Addr() net.Addr { return l.ln.Addr() }

// Close stops accepting. Connections stay.
func (l *Listener) Close() error {
	l.closing.Store(true)
	err := l.ln.Close()
	if l.path != "" {
		err = errors.Join(err, os.Remove(l.path))
	}
	l.engine.shakes.wake()
	<-l.ended
	return err
}

// run accepts until the listener is closed. Whatever else Accept says, it
// goes on: one bad moment must not end the service.
func (l *Listener) run() {
	defer close(l.ended)
	for {
		nc, err := l.ln.Accept()
		switch {
		case err == nil && l.protocol == protocolPlugin:
			l.engine.admitPlugin(nc)
		case err == nil:
			l.engine.admit(nc, l)
		case l.closing.Load():
			return
		default:
			l.engine.gate.acceptFailed(l, err)
		}
	}
}

// admit takes an accepted connection onto a loop, if there is room for it.
func (e *Engine) admit(nc net.Conn, l *Listener) {
	peer := addrPort(nc.RemoteAddr())
	t, refusal := e.gate.enter(peer.Addr(), !l.proxy && !e.trusts(l.protocol, peer.Addr()))
	if refusal != "" {
		nc.Close()
		e.gate.refused(refusal, l.protocol, peer)
		return
	}
	c := newConn(e, l.protocol, t)
	c.peer, c.via = peer, peer
	e.totals.opened(l.protocol)
	if l.tls != nil {
		e.shake(nc, c, l)
		return
	}
	c.handler = c.firstHandler()
	if l.proxy {
		c.handler = &proxyConn{conn: c}
	}
	e.enroll(nc, c)
}

func (c *conn) firstHandler() handler {
	if c.protocol == protocolRTMP {
		return newRTMPConn(c)
	}
	return &httpConn{conn: c}
}

// gatekeeper counts connections, in all and per address, and keeps the
// process from running out of descriptors.
type gatekeeper struct {
	engine *Engine
	// spare is given up for a moment to refuse somebody properly.
	spareMu sync.Mutex
	spare   *os.File
	most    int // that the descriptor limit allows
	open    atomic.Int64

	mu     sync.Mutex
	perIP  map[netip.Addr]int
	logged map[string]int64 // when each refusal was last logged, ns
	// refusals and errors count by reason.
	refusals, errors map[string]uint64
}

// ticket is a connection's admission; its zero value is none.
type ticket struct {
	ip      netip.Addr
	counted bool // in perIP
	valid   bool
}

// Reasons of refusals: the limits' keys.
const (
	refusedConnections = "limits.connections"
	refusedPerIP       = "limits.connections_per_ip"
	refusedWaiting     = "limits.waiting"
)

// reserved descriptors are left for files, pipes and the listeners.
const reservedDescriptors = 64

func (g *gatekeeper) init(e *Engine) {
	g.engine = e
	g.perIP = make(map[netip.Addr]int)
	g.logged = make(map[string]int64)
	g.refusals = map[string]uint64{refusedConnections: 0, refusedPerIP: 0, refusedWaiting: 0}
	g.errors = map[string]uint64{"EMFILE": 0}
	g.spare, _ = os.Open(os.DevNull)
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err == nil {
		g.most = max(int(lim.Cur)-reservedDescriptors, 1)
	}
}

// enter admits a connection from ip or says why not.
func (g *gatekeeper) enter(ip netip.Addr, known bool) (ticket, string) {
	if g.open.Add(1) > int64(g.limit()) {
		g.open.Add(-1)
		return ticket{}, refusedConnections
	}
	t := ticket{valid: true}
	if known && !g.count(&t, ip) {
		g.open.Add(-1)
		return ticket{}, refusedPerIP
	}
	return t, ""
}

// close gives the spare descriptor back.
func (g *gatekeeper) close() {
	g.spareMu.Lock()
	defer g.spareMu.Unlock()
	if g.spare != nil {
		g.spare.Close()
		g.spare = nil
	}
}

// limit is the most connections there may be.
func (g *gatekeeper) limit() int {
	if n := g.engine.Settings().Limits.Connections; n > 0 {
		return min(n, g.most)
	}
	return g.most
}

// count notes that t's connection comes from ip, if that may have one more.
func (g *gatekeeper) count(t *ticket, ip netip.Addr) bool {
	limit := g.engine.Settings().Limits.ConnectionsPerIP
	g.mu.Lock()
	defer g.mu.Unlock()
	if t.counted {
		if t.ip == ip {
			return true
		}
		g.uncount(t)
	}
	if limit > 0 && g.perIP[ip] >= limit {
		return false
	}
	g.perIP[ip]++
	t.ip, t.counted = ip, true
	return true
}

// leave is what enter did, undone.
func (g *gatekeeper) leave(t ticket) {
	if !t.valid {
		return
	}
	g.open.Add(-1)
	if !t.counted {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.uncount(&t)
}

// uncount is what count did, undone. Under g.mu.
func (g *gatekeeper) uncount(t *ticket) {
	t.counted = false
	if g.perIP[t.ip]--; g.perIP[t.ip] <= 0 {
		delete(g.perIP, t.ip)
	}
}

// trusts reports whether ip is a proxy that may tell a client's address, as
// HTTP proxies do.
func (e *Engine) trusts(p protocol, ip netip.Addr) bool {
	return p == protocolHTTP && slices.ContainsFunc(e.Settings().TrustedProxies, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// refused counts a refusal, and logs it at most once a second.
func (g *gatekeeper) refused(reason string, p protocol, peer netip.AddrPort) {
	if n, ok := g.note(g.refusals, reason); ok {
		g.engine.log.Warn("connections refused", "reason", reason, "protocol", string(p),
			"remote_addr", peer.String(), "refused_in_all", n)
	}
}

func (g *gatekeeper) note(counts map[string]uint64, reason string) (n uint64, tell bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	counts[reason]++
	now := g.engine.Now()
	if last, ok := g.logged[reason]; ok && now-last < int64(time.Second) {
		return 0, false
	}
	g.logged[reason] = now
	return counts[reason], true
}

// acceptFailed handles an error of Accept. Out of descriptors, it gives up
// the spare one for as long as it takes to refuse the next in line.
func (g *gatekeeper) acceptFailed(l *Listener, err error) {
	if n, ok := g.note(g.errors, errnoName(err)); ok {
		g.engine.log.Warn("accept failed", "protocol", string(l.protocol), "reason", err.Error(), "failed_in_all", n)
	}
	short := errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE)
	if !short || l.protocol == protocolPlugin { // plugins wait in the queue
		time.Sleep(acceptPatience)
		return
	}
	if nc := g.refuseNext(l); nc != nil {
		l.engine.admit(nc, l) // there is room again
	}
}

// refuseNext refuses the next in line, or returns it if there is room again.
func (g *gatekeeper) refuseNext(l *Listener) net.Conn {
	g.spareMu.Lock()
	defer g.spareMu.Unlock()
	if g.spare == nil {
		time.Sleep(acceptPatience)
		g.spare, _ = os.Open(os.DevNull)
		return nil
	}
	g.spare.Close()
	nc := acceptNext(l.ln)
	g.spare, _ = os.Open(os.DevNull)
	if nc == nil || g.spare != nil {
		return nc
	}
	nc.Close()
	g.spare, _ = os.Open(os.DevNull)
	return nil
}

// acceptNext takes the next connection in the queue, if there is one: the
// kernel says that descriptors are short even if nobody waits.
func acceptNext(ln net.Listener) net.Conn {
	tcp, ok := ln.(*net.TCPListener)
	if !ok {
		return nil
	}
	_ = tcp.SetDeadline(time.Now().Add(acceptPatience))
	defer tcp.SetDeadline(time.Time{})
	nc, err := tcp.Accept()
	if err != nil {
		return nil
	}
	return nc
}

// acceptPatience is how long the queue is looked at while descriptors are
// short.
const acceptPatience = 5 * time.Millisecond

func errnoName(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return unix.ErrnoName(errno)
	}
	return "other"
}

// counts are the refusals and errors so far, by reason.
func (g *gatekeeper) counts() (refusals, errors map[string]uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.refusals), maps.Clone(g.errors)
}
