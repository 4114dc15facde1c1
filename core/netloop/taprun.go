package netloop

import (
	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/core/media"
)

// tapRun is what one write to a tap consists of. A loop has one, used again
// and again.
type tapRun struct {
	pieces []piece
	iov    []unix.Iovec
	bytes  int
	next   uint64 // the frame after the run
	end    uint64 // the stream's head when it was filled
}

type pieceKind uint8

const (
	pieceRest  pieceKind = iota // of the frame that the tap is inside of
	pieceOut                    // bytes of the connection's own that wait
	pieceOwn                    // bytes for this plugin
	pieceFrame                  // a whole frame
)

// piece is a part of a run.
type piece struct {
	kind  pieceKind
	frame *media.Frame
	own   []byte
	size  int
	// Of a pieceOwn: the number that the plugin expects behind it, and how
	// many frames it was told to have missed.
	expect, missed uint64
}

// room reports whether another frame fits; two more pieces may come with it.
func (b *tapRun) room() bool { return len(b.iov) < maxVecs-3 && b.bytes < maxWrite }

func (b *tapRun) add(p piece) {
	p.size = len(p.own)
	b.iov = appendVec(b.iov, p.own)
	b.bytes += p.size
	b.pieces = append(b.pieces, p)
}

// tell adds bytes behind which the plugin expects a number.
func (b *tapRun) tell(own []byte, expect, missed uint64) {
	b.add(piece{kind: pieceOwn, own: own, expect: expect, missed: missed})
}

func (b *tapRun) frame(s shape, f *media.Frame) {
	from := len(b.iov)
	b.iov = s.appendFrom(b.iov, f, 0, maxVecs)
	b.addFrame(piece{kind: pieceFrame, frame: f}, from)
}

func (b *tapRun) rest(t *tap) {
	b.iov = t.shape.appendFrom(b.iov, t.inside, t.offset, maxVecs)
	b.addFrame(piece{kind: pieceRest, frame: t.inside}, 0)
}

func (b *tapRun) addFrame(p piece, from int) {
	p.size = vecBytes(b.iov[from:])
	b.bytes += p.size
	b.pieces = append(b.pieces, p)
}

// reset lets go of the frames.
func (b *tapRun) reset() {
	clear(b.pieces)
	clear(b.iov)
	*b = tapRun{pieces: b.pieces[:0], iov: b.iov[:0]}
}

// advanceTap moves t past the first n bytes of the run.
func (l *loop) advanceTap(t *tap, b *tapRun, n int, now int64) {
	seq := t.place.Seq
	for i := range b.pieces {
		if n == 0 {
			break
		}
		p := &b.pieces[i]
		part := min(n, p.size)
		n -= part
		seq = t.sent(l, p, part, seq, now)
	}
	if n == 0 && t.inside == nil && len(t.conn.out) == 0 && b.sentAll(t) {
		seq = b.next // frames at its end that the plugin does not want
	}
	t.place.Move(seq)
}

// sentAll reports whether t has got all of the run.
func (b *tapRun) sentAll(t *tap) bool {
	if len(b.pieces) == 0 {
		return true
	}
	last := &b.pieces[len(b.pieces)-1]
	switch last.kind {
	case pieceFrame:
		return t.expect == last.frame.Seq+1
	case pieceOwn:
		return t.expect == last.expect
	}
	return true
}

// sent notes that n bytes of p, more than none, are on their way: the rest
// comes for certain. It returns the frame that the tap takes next.
func (t *tap) sent(l *loop, p *piece, n int, seq uint64, now int64) uint64 {
	whole := n == p.size
	switch p.kind {
	case pieceRest:
		t.offset += n
		if whole {
			t.inside, t.offset = nil, 0
		}
		return seq
	case pieceOut:
		t.conn.sent(n)
		return seq
	case pieceOwn:
		t.expect = p.expect
		if !whole {
			t.conn.out = append([]byte(nil), p.own[n:]...)
		}
		if p.missed > 0 {
			t.tellGap(l, p.missed, now)
		}
		return max(seq, p.expect)
	}
	t.expect = p.frame.Seq + 1
	l.engine.totals.tapFrames.Add(1)
	if !whole {
		t.inside, t.offset = p.frame, n
	}
	return t.expect
}
