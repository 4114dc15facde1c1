package stream

import (
	"sync/atomic"

	"github.com/millrace/millrace/core/media"
)

// ring is a growable array of frames by sequence number. One goroutine at a
// time writes (under the stream's lock); any number read without a lock.
//
// It is no linked list on purpose: a stalled reader would pin every frame
// after its own; here it pins at most the one that it holds.
type ring struct {
	slots atomic.Pointer[[]atomic.Pointer[media.Frame]]
	// tail is the oldest sequence number held, head the next to be written:
	// the ring holds [tail, head).
	tail, head atomic.Uint64
	bytes      atomic.Int64
	pushed     int64 // bytes ever; the writer's
}

const firstSlots = 64

func (r *ring) init() {
	slots := make([]atomic.Pointer[media.Frame], firstSlots)
	r.slots.Store(&slots)
	r.tail.Store(1)
	r.head.Store(1)
}

// at returns frame seq, or nil if it has fallen off or is not there yet.
func (r *ring) at(seq uint64) *media.Frame {
	slots := *r.slots.Load()
	f := slots[seq&uint64(len(slots)-1)].Load()
	if f == nil || f.Seq != seq {
		return nil
	}
	return f
}

// push appends f and gives it its sequence number.
func (r *ring) push(f *media.Frame) {
	seq := r.head.Load()
	slots := *r.slots.Load()
	if seq-r.tail.Load() == uint64(len(slots)) {
		slots = r.grow(slots)
	}
	f.Seq = seq
	if f.Key == keyIsSelf {
		f.Key = seq
	}
	r.pushed += int64(f.Size())
	f.Total = r.pushed
	slots[seq&uint64(len(slots)-1)].Store(f)
	r.bytes.Add(int64(f.Size()))
	r.head.Store(seq + 1)
}

// keyIsSelf stands for a keyframe's own sequence number until push gives it.
const keyIsSelf = ^uint64(0)

// grow doubles the array. Readers that still hold the old one find in it the
// frames that it held; they load head before the array, so never miss one.
func (r *ring) grow(old []atomic.Pointer[media.Frame]) []atomic.Pointer[media.Frame] {
	slots := make([]atomic.Pointer[media.Frame], 2*len(old))
	for i := range old {
		if f := old[i].Load(); f != nil {
			slots[f.Seq&uint64(len(slots)-1)].Store(f)
		}
	}
	r.slots.Store(&slots)
	return slots
}

// drop lets go of the oldest frame and returns the bytes freed.
func (r *ring) drop() int64 {
	seq := r.tail.Load()
	slots := *r.slots.Load()
	slot := &slots[seq&uint64(len(slots)-1)]
	f := slot.Load()
	r.tail.Store(seq + 1)
	slot.Store(nil)
	n := int64(f.Size())
	r.bytes.Add(-n)
	return n
}
