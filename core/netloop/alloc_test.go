package netloop

import (
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/core/media"
)

// socketPairs are n pairs of sockets: viewers' ends, and those that drain
// them.
func socketPairs(t testing.TB, n int) (near, far []int) {
	t.Helper()
	for range n {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		near, far = append(near, fds[0]), append(far, fds[1])
	}
	t.Cleanup(func() {
		for i := range near {
			unix.Close(near[i])
			unix.Close(far[i])
		}
	})
	return near, far
}

// drainSockets reads what there is, without allocating, and returns how much
// that was.
func drainSockets(far []int, buf []byte) (total int) {
	for _, fd := range far {
		for {
			n, err := unix.Read(fd, buf)
			if n <= 0 || err != nil {
				break
			}
			total += n
		}
	}
	return total
}

// benchFrame is a frame that goes into the ring as it is.
func (f *feed) benchFrame(kind media.Kind, payload []byte) {
	room := media.NewRoom(len(payload))
	copy(media.Payload(room), payload)
	fr := media.NewFrame(kind, room, 5)
	fr.Codec = media.AVC
	f.ts++
	f.pub.Write(fr, f.ts, f.engine.Now())
}

// fanOut is a stream with viewers on a bare loop.
type fanOut struct {
	*bare
	feed  *feed
	far   []int
	buf   []byte
	frame []byte
}

func newFanOut(t testing.TB, viewers int, key groupKey, size int) *fanOut {
	t.Helper()
	b := newBare(t, nil)
	b.engine.options.ChunkSize = 65536
	x := &fanOut{bare: b, feed: b.publish(t, "live/a"), buf: make([]byte, 1<<20)}
	x.feed.headers(1)
	x.feed.key(100)
	x.feed.audio(10)
	near, far := socketPairs(t, viewers)
	for _, fd := range near {
		b.view(fd, x.feed, key)
	}
	x.far = far
	x.frame = append([]byte{0x27, 1, 0, 0, 0}, make([]byte, size)...)
	for range 200 { // until all slices have grown
		x.step(t)
	}
	return x
}

// step publishes a frame and serves it to all viewers.
func (x *fanOut) step(t testing.TB) {
	x.publishOne()
	if len(x.fanout.blocked) > 0 {
		t.Fatal("a socket is full")
	}
	if n := drainSockets(x.far, x.buf); n < len(x.far)*len(x.frame) {
		t.Fatalf("%d bytes came out for %d viewers", n, len(x.far))
	}
}

// publishOne publishes a frame and serves it to all viewers.
func (x *fanOut) publishOne() {
	x.feed.benchFrame(media.Video, x.frame)
	x.feed.pub.Stream.Wake()
	x.pass()
	for len(x.fanout.todo) > x.fanout.next {
		x.serve()
	}
}

// TestFanoutDoesNotAllocate holds the way of a frame to a viewer at no
// allocation: what a frame costs does not depend on how many watch.
func TestFanoutDoesNotAllocate(t *testing.T) {
	keys := []groupKey{{form: form{kind: formChunked}, video: true, audio: true, all: true}}
	for _, form := range allForms {
		keys = append(keys, both(form))
	}
	for _, key := range keys {
		few, many := allocsPerFrame(t, 1, key), allocsPerFrame(t, 150, key)
		if many != few {
			t.Errorf("%+v: %v allocations for a frame to 1 viewer, %v to 150", key, few, many)
		}
		t.Logf("%+v: %v allocations for a frame", key, few)
	}
}

func allocsPerFrame(t *testing.T, viewers int, key groupKey) float64 {
	x := newFanOut(t, viewers, key, 1000)
	return testing.AllocsPerRun(500, func() { x.step(t) })
}

// TestEngineDoesNotAllocatePerViewer measures the same over real sockets and
// loops, where the readers and the runtime have their part.
func TestEngineDoesNotAllocatePerViewer(t *testing.T) {
	few := engineAllocs(t, 2)
	many := engineAllocs(t, 100)
	if perViewer := (many - few) / 98; perViewer > 0.05 {
		t.Errorf("%.1f allocations for a frame to 2 viewers, %.1f to 100: %.3f for each", few, many, perViewer)
	}
	t.Logf("%.1f allocations for a frame to 2 viewers, %.1f to 100", few, many)
}

func engineAllocs(t *testing.T, viewers int) float64 {
	r := newRig(t, settings(func(s *Settings) { s.Viewers.MergeWindow = 0 }))
	f := r.start("live/a")
	var conns []net.Conn
	var total [128]int
	for i := range viewers {
		c := dial(t, r.http.Addr(), 0)
		io.WriteString(c, chunked.request("live/a"))
		conns = append(conns, c)
		go func() {
			buf := make([]byte, 64<<10)
			for {
				n, err := c.Read(buf)
				if err != nil {
					return
				}
				total[i%128] += n
			}
		}()
	}
	r.waitViewers(viewers)
	frame := append([]byte{0x27, 1, 0, 0, 0}, make([]byte, 1000)...)
	const frames = 400
	round := func(n int) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range n {
			sent := r.sent()
			f.benchFrame(media.Video, frame)
			f.pub.Stream.Wake()
			for deadline := time.Now().Add(patience); r.sent() < sent+uint64(viewers) && time.Now().Before(deadline); {
				runtime.Gosched()
			}
		}
		runtime.ReadMemStats(&after)
		return after.Mallocs - before.Mallocs
	}
	round(100)
	n := round(frames)
	for _, c := range conns {
		c.Close()
	}
	r.waitConns(0)
	return float64(n) / frames
}

// sent is writes without what Stats costs.
func (r *rig) sent() (n uint64) {
	for _, l := range r.engine.loops {
		n += l.stats.writes.Load()
	}
	return n
}

// TestMemoryPerViewer holds what a viewer that stands at the head costs the
// heap: the size of its request must not matter.
func TestMemoryPerViewer(t *testing.T) {
	const viewers, most = 200, 4 << 10
	cookie := "Cookie: " + strings.Repeat("x", 16<<10) + "\r\n"
	query := "?token=" + strings.Repeat("x", 8<<10)
	for _, c := range []struct{ name, request string }{
		{"small request", chunked.request("live/a")},
		{"large head", "GET /live/a.flv HTTP/1.1\r\nUser-Agent: test\r\n" + cookie + "Host: h\r\n\r\n"},
		{"large query", "GET /live/a.flv" + query + " HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"websocket", "GET /live/a.flv HTTP/1.1\r\n" + cookie + wsHandshake},
	} {
		r := newRig(t)
		f := r.start("live/a")
		before := heap()
		for range viewers {
			conn := dial(t, r.http.Addr(), 0)
			io.WriteString(conn, c.request)
		}
		r.waitViewers(viewers)
		f.gop(1, 10)
		eventually(t, "all have got the frames", func() bool { return r.streamOut(f) >= 3*viewers })
		perViewer := (heap() - before) / viewers
		t.Logf("%s: %d bytes for a viewer, with the client's part", c.name, perViewer)
		if perViewer > most {
			t.Errorf("%s: %d bytes for a viewer", c.name, perViewer)
		}
	}
}

// streamOut is how many frames went to viewers of f.
func (r *rig) streamOut(f *feed) uint64 { return f.pub.Stream.Counters().FramesOut.Load() }

func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// newTapOut is a stream with plugins on a bare loop.
func newTapOut(t testing.TB, taps int, kind formKind) *fanOut {
	t.Helper()
	x := newFanOut(t, 0, both(form{kind: kind}), 1000)
	x.initTaps()
	near, far := socketPairs(t, taps)
	key := both(form{kind: kind})
	key.all = true
	for _, fd := range near {
		c := newConn(x.engine, protocolPlugin, ticket{})
		c.loop, c.fd, c.handler = x.loop, fd, silent{}
		x.tapInto(c, x.feed.pub.Stream, tapOptions{plugin: "p", budget: x.streams.Budget("p"), key: key})
	}
	x.far = far
	drainSockets(far, x.buf)
	for range 200 {
		x.stepTaps(t)
	}
	return x
}

// stepTaps publishes a frame and serves it to all plugins.
func (x *fanOut) stepTaps(t testing.TB) {
	x.feed.benchFrame(media.Video, x.frame)
	x.feed.pub.Stream.Wake()
	x.collectTaps()
	x.tickTaps(x.now())
	for x.taps.due != never {
		x.tickTaps(x.now())
	}
	if n := drainSockets(x.far, x.buf); n < len(x.far)*len(x.frame) {
		t.Fatalf("%d bytes came out for %d plugins", n, len(x.far))
	}
}

// TestTapsDoNotAllocate is TestFanoutDoesNotAllocate for plugins.
func TestTapsDoNotAllocate(t *testing.T) {
	for _, kind := range []formKind{formChunked, formPlain} {
		var each [2]float64
		for i, n := range []int{1, 100} {
			x := newTapOut(t, n, kind)
			each[i] = testing.AllocsPerRun(500, func() { x.stepTaps(t) })
		}
		if each[0] != each[1] {
			t.Errorf("form %v: %v allocations for a frame to 1 plugin, %v to 100", kind, each[0], each[1])
		}
		t.Logf("form %v: %v allocations for a frame", kind, each[0])
	}
}
