package stream

import (
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/core/media"
)

// Budget bounds what the rings keep for one owner, over all its claims, past
// the rings' own caps. Any goroutine may use it.
type Budget struct {
	bytes, age atomic.Int64
	held       atomic.Int64 // by claims that need frames past the caps
	holders    atomic.Int64 // such claims
}

// Limits are a budget's bounds: bytes, and how old a frame may become. 0 bytes
// is nothing past the rings' caps; an age of 0 is no bound.
type Limits struct {
	Bytes int64
	Age   time.Duration
}

// Allow sets the bounds.
func (b *Budget) Allow(l Limits) {
	b.bytes.Store(l.Bytes)
	b.age.Store(int64(l.Age))
}

// Limits are the bounds in force.
func (b *Budget) Limits() Limits { return Limits{b.bytes.Load(), time.Duration(b.age.Load())} }

// Held is how many bytes the rings keep for claims that need frames past the
// caps.
func (b *Budget) Held() int64 { return b.held.Load() }

// allows reports whether a claim that holds bytes, the oldest of them age ns
// old, may go on. Past the bound the largest gives way: those with less than
// an even share keep theirs.
func (b *Budget) allows(bytes, age int64) bool {
	if limit := b.age.Load(); limit > 0 && age > limit {
		return false
	}
	limit := b.bytes.Load()
	return b.held.Load() <= limit || bytes <= limit/max(b.holders.Load(), 1)
}

// Claim has a stream's ring keep what its owner has not taken yet, as far as
// its budget goes.
type Claim struct {
	stream *Stream
	budget *Budget
	next   atomic.Uint64 // what its owner takes next
	held   atomic.Int64
}

// Claim keeps frames from seq on for an owner with budget b, until Release.
// Any goroutine.
func (s *Stream) Claim(b *Budget, seq uint64) *Claim {
	c := &Claim{stream: s, budget: b}
	c.next.Store(seq)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.claims = append(s.claims, c)
	s.recorded = true
	return c
}

// Move notes that the owner takes seq next. Its goroutine only.
func (c *Claim) Move(seq uint64) { c.next.Store(seq) }

// Release ends the claim.
func (c *Claim) Release() {
	s := c.stream
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, o := range s.claims {
		if o == c {
			s.claims = append(s.claims[:i:i], s.claims[i+1:]...)
			c.hold(0)
			return
		}
	}
}

// hold notes that the ring keeps n bytes for the claim. Under the stream's mu.
func (c *Claim) hold(n int64) {
	old := c.held.Swap(n)
	c.budget.held.Add(n - old)
	switch {
	case old == 0 && n > 0:
		c.budget.holders.Add(1)
	case old > 0 && n == 0:
		c.budget.holders.Add(-1)
	}
}

// needs reports whether the claim wants f, the oldest frame held and past the
// caps, to stay, and may have that. Under the stream's mu.
func (c *Claim) needs(f *media.Frame, now int64) bool {
	if c.next.Load() > f.Seq {
		c.hold(0)
		return false
	}
	held := c.stream.ring.bytes.Load()
	c.hold(held)
	return c.budget.allows(held, now-f.Arrived)
}

// claimed reports whether anybody's claim keeps f, the oldest frame. All
// claims are asked: that is how what they hold is counted. Under s.mu.
func (s *Stream) claimed(f *media.Frame, now int64) bool {
	kept := false
	for _, c := range s.claims {
		kept = c.needs(f, now) || kept
	}
	return kept
}

// wanted is the oldest frame that a claim wants, or end if none wants an older
// one. Under s.mu.
func (s *Stream) wanted(end uint64) uint64 {
	for _, c := range s.claims {
		if c.budget.bytes.Load() > 0 {
			end = min(end, c.next.Load())
		}
	}
	return end
}
