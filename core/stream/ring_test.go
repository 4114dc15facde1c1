package stream

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/millrace/millrace/core/media"
)

// numbered is a frame that carries the sequence number that it will get.
func numbered(seq uint64) *media.Frame {
	f := newFrame(media.Audio, 0, 8)
	binary.BigEndian.PutUint64(f.Payload(), seq)
	return f
}

func number(f *media.Frame) uint64 { return binary.BigEndian.Uint64(f.Payload()) }

func newRing() *ring {
	r := &ring{}
	r.init()
	return r
}

// A ring that nothing leaves grows and keeps every frame in its place.
func TestRingGrows(t *testing.T) {
	t.Parallel()
	r := newRing()
	var size int64
	for seq := uint64(1); seq <= 5*firstSlots; seq++ {
		f := numbered(seq)
		r.push(f)
		size += int64(f.Size())
		for at := uint64(1); at <= seq; at++ {
			if f := r.at(at); f == nil || f.Seq != at || number(f) != at {
				t.Fatalf("with %d frames, at(%d) is %v", seq, at, f)
			}
		}
	}
	if got := r.bytes.Load(); got != size {
		t.Errorf("it says %d bytes, holds %d", got, size)
	}
}

// A ring that lets go as much as it takes wraps and does not grow.
func TestRingWraps(t *testing.T) {
	t.Parallel()
	r := newRing()
	const window = firstSlots - 1
	for seq := uint64(1); seq <= 10*firstSlots; seq++ {
		r.push(numbered(seq))
		if seq > window {
			if n := r.drop(); n != int64(numbered(seq).Size()) {
				t.Fatalf("drop freed %d bytes", n)
			}
		}
		for at := uint64(0); at <= seq+2*firstSlots; at++ {
			held := at >= r.tail.Load() && at <= seq
			if f := r.at(at); (f != nil) != held || held && number(f) != at {
				t.Fatalf("after %d frames, at(%d) is %v", seq, at, f)
			}
		}
	}
	if n := len(*r.slots.Load()); n != firstSlots {
		t.Errorf("it grew to %d slots", n)
	}
}

// Growing moves the frames of a ring that has wrapped.
func TestRingGrowsWrapped(t *testing.T) {
	t.Parallel()
	r := newRing()
	for seq := uint64(1); seq <= firstSlots+firstSlots/2; seq++ {
		r.push(numbered(seq))
		if seq <= firstSlots/2 {
			r.drop()
		}
	}
	for seq := r.head.Load(); seq < 1000; seq++ {
		r.push(numbered(seq))
	}
	for seq := r.tail.Load(); seq < r.head.Load(); seq++ {
		if f := r.at(seq); f == nil || number(f) != seq {
			t.Fatalf("at(%d) is %v", seq, f)
		}
	}
}

// Readers that race with a writer see the frame that they ask for, or none if
// it has gone.
func TestRingReaders(t *testing.T) {
	t.Parallel()
	r := newRing()
	r.push(numbered(1))
	var done atomic.Bool
	var readers sync.WaitGroup
	for i := range 3 {
		readers.Go(func() {
			for n := uint64(i); !done.Load(); n++ {
				tail, head := r.tail.Load(), r.head.Load()
				seq := tail + n%(head-tail+1) // sometimes the one to come
				f := r.at(seq)
				switch {
				case f != nil && (f.Seq != seq || number(f) != seq):
					t.Errorf("at(%d) is frame %d", seq, number(f))
					return
				case f == nil && seq < head && r.tail.Load() <= seq:
					t.Errorf("at(%d) is nil between tail %d and head %d", seq, r.tail.Load(), head)
					return
				}
			}
		})
	}
	for seq := uint64(2); seq < 50_000; seq++ {
		r.push(numbered(seq))
		window := seq % 5000 // grows, then shrinks at once
		for r.head.Load()-r.tail.Load() > window+1 {
			r.drop()
		}
	}
	done.Store(true)
	readers.Wait()
}
