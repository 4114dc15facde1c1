package netloop

import (
	"context"
	"log/slog"
	"net"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/core/httpflv"
	"github.com/millrace/millrace/core/stream"
)

// patience is how long a test waits for what must come.
const patience = time.Minute

// rig is an engine with a listener for each protocol on loopback.
type rig struct {
	t          testing.TB
	engine     *Engine
	streams    *stream.Registry
	log        *logBook
	rtmp, http *Listener
}

// with changes what a rig is made of.
type with func(*Options, *stream.Options)

func settings(change func(*Settings)) with {
	return func(o *Options, _ *stream.Options) { change(&o.Settings) }
}

func loops(n int) with { return func(o *Options, _ *stream.Options) { o.Loops = n } }

func testSettings() Settings {
	return Settings{
		Limits: Limits{
			Waiting: 100, TLSHandshakes: 100,
			HandshakeTimeout: time.Minute, ConnectTimeout: time.Minute, PublishTimeout: time.Minute,
			RequestHeaderTimeout: time.Minute, IdleTimeout: time.Minute, PublishIdleTimeout: time.Minute,
			ConnectionBuffer: 1 << 20, CommandSize: 64 << 10, MediaSize: 16 << 20, PartialBytes: 32 << 20,
			ChunkStreams: 64, AMFDepth: 32, NotsentLowat: 128 << 10,
		},
		Viewers: Viewers{
			PlayWait: time.Minute, MergeWindow: MergeAuto, MergeWindowMax: 350 * time.Millisecond,
			MaxLag: time.Minute, StallTimeout: time.Minute,
		},
		ReadWindowMax: 40 * time.Millisecond,
		NamePattern:   regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]*$`),
		CORS:          httpflv.CORS{Origins: []string{"*"}},
	}
}

// newRig starts an engine that ends with the test.
func newRig(t testing.TB, changes ...with) *rig {
	t.Helper()
	r := &rig{t: t, log: &logBook{}}
	so := stream.DefaultOptions()
	so.ReconnectGrace = 0
	o := Options{
		Logger: slog.New(r.log), ChunkSize: 4096, Settings: testSettings(), Reserved: httpflv.Reserved,
	}
	for _, change := range append(changes, secured) {
		change(&o, &so)
	}
	var engine atomic.Pointer[Engine]
	r.streams = stream.NewRegistry(so, func(n stream.Notice) {
		if e := engine.Load(); e != nil && n.What == stream.Started {
			e.StreamStarted(n.Stream.Key)
		}
	})
	o.Streams = r.streams
	var err error
	if r.engine, err = New(o); err != nil {
		t.Fatal(err)
	}
	engine.Store(r.engine)
	here := Address{Addr: "127.0.0.1:0", TLS: isOverTLS(t)}
	r.rtmp = r.listen(r.engine.ListenRTMP, here)
	r.http = r.listen(r.engine.ListenHTTP, here)
	t.Cleanup(r.close)
	return r
}

func (r *rig) close() {
	r.rtmp.Close()
	r.http.Close()
	// A connection that is on its way to a loop when that stops is lost, with
	// its goroutines: gnet waits for it for ever.
	eventually(r.t, "connections have arrived", func() bool {
		var load, conns int64
		for _, l := range r.engine.loops {
			load += l.load.Load()
			conns += l.stats.conns.Load()
		}
		return load == conns
	})
	if err := r.engine.Close(); err != nil {
		r.t.Error(err)
	}
	if n := r.engine.totals.panics.Load(); n > 0 && len(r.log.find("panic in a connection's handler")) > r.log.panicsWanted {
		r.t.Errorf("%d panics: %v", n, r.log.find("panic in a connection's handler"))
	}
}

func (r *rig) listen(how func(Address) (*Listener, error), a Address) *Listener {
	r.t.Helper()
	ln, err := how(a)
	if err != nil {
		r.t.Fatal(err)
	}
	if a.TLS {
		securedAddrs.Store(ln.Addr().String(), true)
		r.t.Cleanup(func() { securedAddrs.Delete(ln.Addr().String()) })
	}
	return ln
}

// sendBuffer has connections that ln accepts from now on send through a
// buffer of n bytes.
func (ln *Listener) sendBuffer(t testing.TB, n int) {
	t.Helper()
	raw, err := ln.ln.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	_ = raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF, n) })
	if err != nil {
		t.Fatal(err)
	}
}

// change puts changed settings in force.
func (r *rig) change(f func(*Settings)) {
	s := *r.engine.Settings()
	f(&s)
	r.engine.SetSettings(s)
}

// on runs f on a loop and waits for it.
func (r *rig) on(l *loop, f func()) {
	done := make(chan struct{})
	l.post(func() {
		defer close(done)
		f()
	})
	<-done
}

// viewers is how many there are.
func (r *rig) viewers() (n int64) {
	for _, l := range r.engine.loops {
		n += l.stats.viewers.Load()
	}
	return n
}

func (r *rig) conns() (n int64) {
	for _, l := range r.engine.loops {
		n += l.stats.conns.Load()
	}
	return n
}

func (r *rig) waitViewers(n int) {
	r.t.Helper()
	eventually(r.t, "the number of viewers is right", func() bool { return r.viewers() == int64(n) })
}

func (r *rig) waitConns(n int) {
	r.t.Helper()
	eventually(r.t, "the number of connections is right", func() bool { return r.conns() == int64(n) })
}

// counted waits for these connections to be all that count as open.
func (r *rig) counted(rtmp, http int64) {
	r.t.Helper()
	eventually(r.t, "the counts of open connections are right", func() bool {
		s := r.engine.Stats()
		return s.OpenRTMP == rtmp && s.OpenHTTP == http && r.engine.gate.open.Load() == rtmp+http
	})
}

// clients are the engine's connections.
func (r *rig) clients() []ClientStatus {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	all, err := r.engine.Clients(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

// kick ends the only connection that role has.
func (r *rig) kick(role, reason string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, c := range r.clients() {
		if c.Role == role {
			if ok, err := r.engine.Kick(ctx, c.ID, reason); !ok || err != nil {
				r.t.Fatalf("kick %s: %v, %v", c.ID, ok, err)
			}
			return
		}
	}
	r.t.Fatalf("no %s to kick", role)
}

// eventually polls until ok.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// logBook keeps what is logged.
type logBook struct {
	mu           sync.Mutex
	lines        []line
	panicsWanted int
}

type line struct {
	level slog.Level
	text  string
	attrs map[string]string
}

func (b *logBook) Enabled(context.Context, slog.Level) bool { return true }
func (b *logBook) WithAttrs([]slog.Attr) slog.Handler       { return b }
func (b *logBook) WithGroup(string) slog.Handler            { return b }

func (b *logBook) Handle(_ context.Context, r slog.Record) error {
	l := line{r.Level, r.Message, map[string]string{}}
	r.Attrs(func(a slog.Attr) bool {
		l.attrs[a.Key] = a.Value.String()
		return true
	})
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, l)
	return nil
}

// find returns the lines with a text.
func (b *logBook) find(text string) (found []line) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.lines {
		if l.text == text {
			found = append(found, l)
		}
	}
	return found
}
