package netloop

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/core/stream"
)

// tapLife is a tap to which anything may happen; the test is its socket.
type tapLife struct {
	*bare
	t    *testing.T
	feed *feed
	tap  *tap
	run  tapRun
	out  bytes.Buffer
	all  map[uint64]unit
	seen uint64 // frames from there on are not in all
}

func newTapLife(t *testing.T, from uint64) *tapLife {
	l := &tapLife{bare: newBare(t, nil), t: t, all: map[uint64]unit{}, seen: 1}
	so := stream.DefaultOptions()
	so.RingBytes, so.GOPMaxBytes = 5000, 5000
	l.streams.SetOptions(so)
	l.feed = l.publish(t, "live/a")
	l.feed.headers(1)
	l.feed.gop(3, 50)
	budget := l.streams.Budget("rec")
	budget.Allow(stream.Limits{Bytes: 20_000})
	c := newConn(l.engine, protocolPlugin, ticket{})
	c.loop = l.loop
	s := l.feed.pub.Stream
	l.tap = &tap{conn: c, place: stream.NewTap(s, from, budget), shape: shape{form: form{kind: formPlain}}}
	l.tap.want.Stream = s
	l.tap.want.Want(true, true, false, 0, 0)
	l.note()
	return l
}

// note remembers what was published.
func (l *tapLife) note() {
	s := l.feed.pub.Stream
	for ; l.seen < s.Head(); l.seen++ {
		f := s.At(l.seen)
		if f == nil {
			l.t.Fatalf("frame %d is gone at once", l.seen)
		}
		l.all[l.seen] = unit{f.Kind, f.Timestamp(), string(f.Payload())}
	}
}

// step has the socket take n bytes. It reports false at the end.
func (l *tapLife) step(n int) bool {
	defer l.run.reset()
	pos := l.tap.fill(&l.run)
	if l.run.bytes == 0 {
		l.tap.place.Move(l.run.next)
		return pos != stream.AtEnd
	}
	n = min(n, l.run.bytes)
	l.out.Write(bytesOf(l.run.iov)[:n])
	if n > 0 {
		l.advanceTap(l.tap, &l.run, n, l.now())
	}
	return true
}

var tapOps = []func(l *tapLife, n byte){
	func(l *tapLife, n byte) { l.feed.key(int(n)) },
	func(l *tapLife, n byte) { l.feed.inter(int(n) * 8) },
	func(l *tapLife, n byte) { l.feed.audio(int(n)) },
	func(l *tapLife, n byte) { l.feed.videoHeader(n % 4) },
	func(l *tapLife, n byte) { l.feed.audioHeader(n % 4) },
	func(l *tapLife, n byte) { l.feed.metadata(string(rune('a' + n%4))) },
	func(l *tapLife, _ byte) { l.feed.write(media.Data, []byte("\x02\x00\x05onGap\x05")) },
	func(l *tapLife, _ byte) { l.feed.write(media.Data, []byte("\x02\x00\x04onCu\x05")) },
	func(l *tapLife, n byte) { l.step(int(n)) },
	func(l *tapLife, n byte) { l.step(int(n) * 16) },
	func(l *tapLife, n byte) { l.step(1 << 30) },
	func(l *tapLife, n byte) {
		for range n {
			l.feed.inter(300)
			l.note()
		}
	},
}

// live does what ops say, then has the tap read to the end, and checks that
// it got each frame with its number, or was told of the gap.
func (l *tapLife) live(ops []byte, first uint64) {
	for ; len(ops) >= 2; ops = ops[2:] {
		tapOps[int(ops[0])%len(tapOps)](l, ops[1])
		l.note()
	}
	l.feed.pub.Close(true, "done", l.now())
	for i := 0; l.step(1 << 30); i++ {
		if i > 10_000 {
			l.t.Fatal("it does not come to an end")
		}
	}
	c := &tapClient{t: l.t, body: &l.out}
	got := c.until(0)
	l.check(got, first)
	if n, err := c.body.Read(make([]byte, 1)); n > 0 || err != io.EOF {
		l.t.Errorf("bytes are left")
	}
}

// check is for numbers with holes: scripts that play our part are left out.
func (l *tapLife) check(got []piped, first uint64) {
	l.t.Helper()
	head := l.feed.pub.Stream.Head()
	left := func(from, to uint64) {
		for seq := from; seq < to; seq++ {
			if u := l.all[seq]; u.kind != media.Data || !isTapScript([]byte(u.data)) {
				l.t.Fatalf("frame %d was left out without a word", seq)
			}
		}
	}
	next := first
	for _, p := range got {
		switch {
		case p.to > 0:
			left(next, p.from)
			if p.from < next || p.to <= p.from {
				l.t.Fatalf("gap from %d to %d, %d is next", p.from, p.to, next)
			}
			next = p.to
		case p.seq > 0:
			left(next, p.seq)
			if p.seq < next || p.unit != l.all[p.seq] {
				l.t.Fatalf("frame %d, want %d: %.40q, want %.40q", p.seq, next, p.data, l.all[p.seq].data)
			}
			next = p.seq + 1
		}
	}
	left(next, head)
}

func TestTapLife(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		ops := make([]byte, random.IntN(400))
		for i := range ops {
			ops[i] = byte(random.Uint32())
		}
		newTapLife(t, 1).live(ops, 1)
	}
}

func FuzzTap(f *testing.F) {
	f.Add([]byte{0, 50, 8, 10, 1, 20, 9, 3})
	f.Add([]byte{11, 200, 3, 2, 11, 200, 10, 0, 6, 0, 10, 0})
	f.Fuzz(func(t *testing.T, ops []byte) {
		if len(ops) < 1<<12 {
			newTapLife(t, 1).live(ops, 1)
		}
	})
}

// TestTapSlots holds that a window is kept, and that taps come together.
func TestTapSlots(t *testing.T) {
	t.Parallel()
	window := int64(300 * time.Millisecond)
	for now := int64(0); now < window; now += window / 100 {
		due := nextSlot(now, window)
		if wait := due - now; wait > window || wait < window-window/tapSlots || due%(window/tapSlots) != 0 {
			t.Errorf("at %d ns it waits %d", now, wait)
		}
	}
}
