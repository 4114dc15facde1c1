package stream

import (
	"cmp"
	"slices"

	"github.com/millrace/millrace/core/media"
)

// Tap is a recorder's place in a stream. Unlike a viewer it gets every frame,
// never skips to be in time, and is told what it missed. It belongs to one
// goroutine.
type Tap struct {
	Stream *Stream
	// Seq is the next frame to take; 0: not decided yet.
	Seq   uint64
	claim *Claim
	begun bool
}

// NewTap begins at frame from, or, if that is 0, where a newcomer can start to
// decode. The ring keeps what it has not taken as far as b allows, until
// Close.
func NewTap(s *Stream, from uint64, b *Budget) *Tap {
	if from > 0 {
		from = min(from, s.Head())
	}
	return &Tap{Stream: s, Seq: from, claim: s.Claim(b, max(from, s.ring.tail.Load()))}
}

// Close ends what NewTap began.
func (t *Tap) Close() { t.claim.Release() }

// Next finds what to take: frames [t.Seq, end), as far as the ring still holds
// them, or nothing.
func (t *Tap) Next() (end uint64, p Position) {
	s := t.Stream
	_, ended := s.Ended() // before head: after the end head is final
	end = s.Head()
	if !t.begun && !t.begin(end, ended) {
		return end, Idle
	}
	if t.Seq >= end {
		return end, atEnd(ended)
	}
	return end, Sending
}

// begin waits until it is known which media there are, and has their metadata:
// what comes before the first frame tells of them.
func (t *Tap) begin(end uint64, ended bool) bool {
	if !t.Stream.ready.Load() && !ended {
		return false
	}
	t.begun = true
	if t.Seq == 0 {
		t.Move(t.Stream.entrance(end))
	}
	return true
}

// Move notes that frames up to, not including, seq were taken or given up.
func (t *Tap) Move(seq uint64) {
	t.Seq = seq
	t.claim.Move(seq)
}

// Reentry is where a tap whose next frame has fallen off goes on: at the
// oldest keyframe held, so that what comes can be decoded and a tap that is
// always too slow misses some of it at a time, not a little of everything.
// Without video it is the oldest frame.
func (t *Tap) Reentry(end uint64) uint64 {
	s := t.Stream
	for seq := max(t.Seq, s.ring.tail.Load()); seq < end; seq++ {
		if f := s.At(seq); f != nil && f.Key == f.Seq {
			return seq
		}
	}
	return min(max(t.Seq, s.ring.tail.Load()), end)
}

// entrance is where one starts who comes late: at the cached GOP, else at the
// newest keyframe held. Without video, and where the session's first frame is
// held and no keyframe, at the oldest frame of the session.
func (s *Stream) entrance(end uint64) uint64 {
	if gop := s.gop.Load(); gop != 0 && s.At(gop) != nil {
		return gop
	}
	first := max(s.first.Load(), s.ring.tail.Load())
	newest := s.At(end - 1)
	switch {
	case newest == nil || newest.Key == 0:
		return min(first, end)
	case s.At(newest.Key) != nil:
		return newest.Key
	}
	return end
}

// Backlog is how many bytes the tap has not taken, and how old the oldest of
// them is in ns.
func (t *Tap) Backlog(now int64) (bytes, age int64) {
	f := t.Stream.At(max(t.Seq, t.Stream.ring.tail.Load()))
	newest := t.Stream.At(t.Stream.Head() - 1)
	if f == nil || newest == nil {
		return 0, 0
	}
	return newest.Total - f.Total + int64(f.Size()), now - f.Arrived
}

// Missed returns the headers and metadata of the state before frame f whose
// numbers are in [from, to), in order: what a tap must still be told when it
// leaves those frames out.
func Missed(f *media.Frame, from, to uint64) (all []*media.Frame) {
	st := f.State
	for _, h := range append([]*media.Frame{st.Metadata, st.Video, st.Audio}, st.Others...) {
		if h != nil && h.Seq >= from && h.Seq < to {
			all = append(all, h)
		}
	}
	slices.SortFunc(all, func(a, b *media.Frame) int { return cmp.Compare(a.Seq, b.Seq) })
	return all
}
