package netloop

import (
	"sort"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/core/media"
)

const (
	// maxVecs is what the kernel takes at once (IOV_MAX).
	maxVecs = 1024
	// maxWrite bounds one writev, so that one viewer's backlog does not hold
	// the loop, in bytes.
	maxWrite = 256 << 10
)

// batch is the wire form of a run of frames: built once, written to every
// viewer that stands at its start.
type batch struct {
	group *group
	from  uint64 // first sequence number
	head  uint64 // the stream's head when it was built
	gate  uint64 // the keyframe that the viewers started at, if in this run

	next uint64 // sequence number after the run
	// news are the frames of the run that change what decoders must know, as
	// indexes; missed: others were left out.
	news   []int
	missed bool
	frames []*media.Frame
	ends   []int // where each frame ends, in bytes from the start
	iov    []unix.Iovec
	bytes  int // in iov
	// clear is iov as one piece, as far as it is sealed at once; nil until a
	// viewer with TLS asks for it. It lies in room.
	clear, room []byte
}

// build fills b with frames [from, end) that the viewers of g want.
func (b *batch) build(g *group, from, end, gate uint64, v *viewer) {
	b.reset()
	total := 0
	seq := from
	for ; seq < end && len(b.iov) < maxVecs && total < maxWrite; seq++ {
		f := v.cursor.Stream.At(seq)
		if f == nil {
			break // fell off the ring meanwhile; the next pass skips
		}
		if !v.cursor.Wants(f) {
			b.missed = b.missed || f.State != f.Next
			continue
		}
		if f.State != f.Next {
			b.news = append(b.news, len(b.frames))
		}
		total += g.shape.size(f)
		b.frames = append(b.frames, f)
		b.ends = append(b.ends, total)
		b.iov = g.shape.appendFrom(b.iov, f, 0, maxVecs)
	}
	b.next = seq
	if len(b.iov) > maxVecs {
		clear(b.iov[maxVecs:])
		b.iov = b.iov[:maxVecs]
	}
	b.bytes = vecBytes(b.iov)
	// Last: after a panic nobody finds half a run.
	b.group, b.from, b.head, b.gate = g, from, end, gate
}

// join makes one piece of a short run that several viewers get: one copy for
// all of them costs less than the kernel's way through the pieces for each.
func (b *batch) join() {
	if len(b.iov) < 2 || b.bytes > maxSealed {
		return
	}
	b.room = gather(b.room[:0], b.iov)
	clear(b.iov)
	b.iov = append(b.iov[:0], unix.Iovec{Base: &b.room[0], Len: uint64(b.bytes)})
	b.clear = b.room
}

// at returns the index of the frame that byte n is in, and where that frame
// starts.
func (b *batch) at(n int) (i, start int) {
	i = sort.SearchInts(b.ends, n+1)
	if i > 0 {
		start = b.ends[i-1]
	}
	return i, start
}

// reset lets go of the frames.
func (b *batch) reset() {
	clear(b.frames)
	clear(b.iov)
	*b = batch{frames: b.frames[:0], ends: b.ends[:0], iov: b.iov[:0], news: b.news[:0], room: b.room[:0]}
}

// batches remembers the newest few, since viewers come in the order of their
// groups and mostly stand at the same place.
type batches struct {
	all  [4]batch
	next int
}

func (bs *batches) find(g *group, end uint64, v *viewer) *batch {
	from, gate := v.cursor.Seq, uint64(0)
	if f := v.cursor.Stream.At(from); f != nil && f.Key == v.cursor.Gate {
		gate = f.Key
	}
	for i := range bs.all {
		b := &bs.all[i]
		if b.group == g && b.from == from && b.head == end && b.gate == gate {
			b.join()
			return b
		}
	}
	b := &bs.all[bs.next]
	bs.next = (bs.next + 1) % len(bs.all)
	b.build(g, from, end, gate, v)
	return b
}

func (bs *batches) reset() {
	for i := range bs.all {
		bs.all[i].reset()
	}
}
