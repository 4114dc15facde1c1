package netloop

import (
	"math/rand/v2"
	"net/netip"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestSlots gives numbers to connections and takes them back: no two have one,
// and none comes again with its old generation.
func TestSlots(t *testing.T) {
	t.Parallel()
	var s slots
	random := rand.New(rand.NewPCG(1, 2))
	held := map[slot]*conn{}
	seen := map[slot]bool{}
	for range 5000 {
		if random.IntN(2) == 0 || len(held) == 0 {
			c := &conn{}
			at := s.take(c)
			if seen[at] {
				t.Fatalf("slot %v comes again", at)
			}
			seen[at], held[at] = true, c
			if s.conns[at.index] != c || s.gens[at.index] != at.generation {
				t.Fatalf("slot %v is not its connection's", at)
			}
			continue
		}
		for at := range held {
			s.give(at)
			delete(held, at)
			if s.conns[at.index] != nil || s.gens[at.index] == at.generation {
				t.Fatalf("slot %v was given back and is held", at)
			}
			break
		}
	}
	if len(s.conns) > 5000/2 {
		t.Errorf("%d slots", len(s.conns))
	}
}

// TestCheckName judges names of streams.
func TestCheckName(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxSegment)
	for _, c := range []struct {
		path string
		ok   bool
	}{
		{"live/a", true},
		{"live/eu/a", true},
		{"live/a.b-c_D9", true},
		{"live/-a", true},
		{"live/a.flv", true},
		{long + "/" + long, true},
		{"1/2/3/4/5/6/7/8/a", true},
		{"1/2/3/4/5/6/7/8/9/a", false},
		{"live/.a", false},
		{"live/..", false},
		{"./a", false},
		{"live/", false},
		{"/a", false},
		{"live//a", false},
		{"live/a b", false},
		{"live/a\n", false},
		{"live/ä", false},
		{"live/a%2f", false},
		{"live/" + long + "x", false},
		{"hls/a", false},
		{"api/x/a", false},
		{"live/hls", true},
		{"live/hls/a", true},
		{"live/output_merge", false},
		{"live/output_separate", false},
		{"output_merge/a", true},
		{"live/20240131_235959", false},
		{"live/20240131_235959_2", false},
		{"live/20240131_235959_x", true},
		{"live/20240131_2359590", true},
		{"live/20240131-235959", true},
		{"live/2024013_235959", true},
		{"20240131_235959/a", true},
	} {
		l := newBare(t, nil)
		l.engine.options.Reserved = func(first string) bool { return first == "hls" || first == "api" }
		if err := l.engine.checkName(parseKey(c.path)); (err == nil) != c.ok {
			t.Errorf("%q: %v", c.path, err)
		}
	}
}

// TestCheckNameStrictly judges by the reference system's rule.
func TestCheckNameStrictly(t *testing.T) {
	t.Parallel()
	l := newBare(t, func(s *Settings) { s.NamePattern = regexp.MustCompile(`^[A-Za-z0-9]+$`) })
	for path, ok := range map[string]bool{"live/a1": true, "live/a-b": false, "li-ve/a": false, "live/a\n": false} {
		if err := l.engine.checkName(parseKey(path)); (err == nil) != ok {
			t.Errorf("%q: %v", path, err)
		}
	}
}

// TestWindowAuto follows the load of a loop.
func TestWindowAuto(t *testing.T) {
	t.Parallel()
	w := window{visit: 10_000} // ns
	last := int64(0)
	for n := int64(0); n < 100_000; n += 50 {
		size := w.auto(n)
		if size < last {
			t.Fatalf("%d viewers: the window falls from %d to %d", n, last, size)
		}
		if size != 0 && size < shortest {
			t.Fatalf("%d viewers: a window of %d is too short", n, size)
		}
		// Serving thousands once per window takes less than tightShare.
		if round := w.visit * float64(n); round > longRound && round > 1.001*tightShare*float64(size) {
			t.Fatalf("%d viewers: a round of %.0f in a window of %d", n, round, size)
		}
		last = size
	}
	if w.auto(10) != 0 {
		t.Error("few viewers wait for their frames")
	}
	if w.auto(1000) == 0 {
		t.Error("many viewers' frames are not merged")
	}
}

// TestWindowUpdate takes the settings in force.
func TestWindowUpdate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		window, most time.Duration
		viewers      int64
		want         time.Duration
	}{
		{0, time.Second, 1 << 20, 0},
		{100 * time.Millisecond, 350 * time.Millisecond, 0, 100 * time.Millisecond},
		{MergeAuto, 350 * time.Millisecond, 1 << 20, 350 * time.Millisecond},
		{MergeAuto, 350 * time.Millisecond, 0, 0},
		{MergeAuto, 0, 1 << 20, 0},
	} {
		l := newBare(t, func(s *Settings) { s.Viewers.MergeWindow, s.Viewers.MergeWindowMax = c.window, c.most })
		l.stats.viewers.Store(c.viewers)
		l.loop.window.update(l.loop, 1)
		if got := time.Duration(l.loop.window.size); got != c.want {
			t.Errorf("%v of %v, %d viewers: %v, want %v", c.window, c.most, c.viewers, got, c.want)
		}
	}
}

// TestGatekeeper counts connections in and out.
func TestGatekeeper(t *testing.T) {
	t.Parallel()
	l := newBare(t, func(s *Settings) { s.Limits.Connections, s.Limits.ConnectionsPerIP = 3, 2 })
	g := &l.engine.gate
	g.init(l.engine)
	defer g.close()
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	var tickets []ticket
	for i, c := range []struct {
		ip    netip.Addr
		known bool
		want  string
	}{
		{a, true, ""}, {a, true, ""}, {a, true, refusedPerIP}, {a, false, ""},
		{b, true, refusedConnections}, {b, false, refusedConnections},
	} {
		k, reason := g.enter(c.ip, c.known)
		if reason != c.want {
			t.Errorf("connection %d: %q, want %q", i, reason, c.want)
		}
		if reason == "" {
			tickets = append(tickets, k)
		}
	}
	if g.count(&tickets[2], a) {
		t.Error("a third connection of one address is let in later")
	}
	if !g.count(&tickets[2], b) {
		t.Error("another address is refused")
	}
	g.leave(ticket{})
	for _, k := range tickets {
		g.leave(k)
	}
	if g.open.Load() != 0 || len(g.perIP) != 0 {
		t.Errorf("%d open, %v", g.open.Load(), g.perIP)
	}
}

// TestGatekeeperDoesNotHoldLoops has loops let connections go while the
// process is out of descriptors: that must not wait for what the listeners do
// about it.
func TestGatekeeperDoesNotHoldLoops(t *testing.T) {
	t.Parallel()
	l := newBare(t, nil)
	g := &l.engine.gate
	g.init(l.engine)
	g.close() // somebody took the spare descriptor
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.acceptFailed(&Listener{}, os.NewSyscallError("accept", unix.EMFILE))
	}()
	defer g.close()
	held, free := 0, 0
	for {
		select {
		case <-done:
			if held > 10+free {
				t.Errorf("the lock is held at %d of %d looks", held, held+free)
			}
			return
		default:
		}
		if g.mu.TryLock() {
			g.mu.Unlock()
			free++
		} else {
			held++
		}
		runtime.Gosched()
	}
}

// TestHistogram sorts durations into buckets.
func TestHistogram(t *testing.T) {
	t.Parallel()
	var h histogram
	for _, ns := range []int64{-5, 0, 16_000, 16_001, 32_000, 1 << 40} {
		h.observe(ns)
	}
	s := h.snapshot()
	if len(s.Counts) != len(s.Bounds)+1 || s.Counts[0] != 3 || s.Counts[1] != 2 || s.Counts[len(s.Counts)-1] != 1 {
		t.Errorf("counts %v of bounds %v", s.Counts, s.Bounds)
	}
	if s.Bounds[0] != 16e-6 || s.Bounds[1] != 32e-6 {
		t.Errorf("bounds %v", s.Bounds)
	}
	for i := 1; i < len(s.Bounds); i++ {
		if s.Bounds[i] <= s.Bounds[i-1] {
			t.Errorf("bounds %v", s.Bounds)
		}
	}
}

// TestHistogramAnywhere is used by many.
func TestHistogramAnywhere(t *testing.T) {
	t.Parallel()
	var h histogram
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range int64(1000) {
				h.observe(i * 1000)
				_ = h.snapshot()
			}
		})
	}
	all.Wait()
	n := uint64(0)
	for _, c := range h.snapshot().Counts {
		n += c
	}
	if n != 4000 {
		t.Errorf("%d durations", n)
	}
}
