package stream

import "github.com/millrace/millrace/core/media"

// Cursor is a viewer's place in a stream. It belongs to one goroutine (the
// viewer's event loop or its writer); the stream itself may be written
// meanwhile.
type Cursor struct {
	Stream *Stream
	// Video and Audio tell what the viewer wants, Live that it starts at the
	// next keyframe and not in the cached GOP.
	Video, Audio, Live bool

	// Seq is the next frame to send from its start. Inside is the frame that
	// it is in the middle of, nil at a frame boundary, and Offset the bytes
	// of its wire form already sent.
	Seq    uint64
	Inside *media.Frame
	Offset int
	// State is what the viewer's decoders know; nil before the start.
	State *media.State
	// Gate is the keyframe that the viewer started or skipped to: frames of
	// its GOP that are too early for it are left out.
	Gate uint64
	// Paused: the viewer wants nothing for now.
	Paused bool
	// Dropped counts frames that were skipped, Skips how often.
	Dropped, Skips uint64

	join    uint64 // head at the join: frames before it do not count as lag
	fallen  bool   // the newest skip was because frames had fallen off the ring
	waiting uint64 // waits for a keyframe at or past this number; 0: does not
}

// Join places the cursor at its stream. Frames that were there already do not
// count as lag.
func (c *Cursor) Join() {
	c.join = c.Stream.Head()
	c.Seq = 0
}

// Position is the outcome of [Cursor.Next].
type Position uint8

// Positions of a cursor.
const (
	Idle    Position = iota // nothing to send yet
	Sending                 // frames [Seq, end) can be sent
	AtEnd                   // all was sent and the stream has ended
)

// Next finds what to send from the next frame boundary on: frames from c.Seq up to end,
// or nothing. A viewer too far behind is moved to the newest keyframe, or
// waits for the next one.
func (c *Cursor) Next(now int64, maxLag int64) (end uint64, p Position) {
	_, ended := c.Stream.Ended() // before head: after the end head is final
	end = c.Stream.Head()
	if c.Paused {
		return end, atEnd(ended)
	}
	if c.Seq == 0 && !c.start(end) || c.waiting != 0 && !c.resume(end) {
		return end, atEnd(ended)
	}
	if c.Seq < end {
		c.fallen = c.Stream.At(c.Seq) == nil
		if c.fallen || c.behind(now, end) > maxLag {
			c.skip(end)
		}
		if c.waiting != 0 {
			return end, atEnd(ended)
		}
	}
	if c.Seq >= end {
		return end, atEnd(ended)
	}
	return end, Sending
}

func atEnd(ended bool) Position {
	if ended {
		return AtEnd
	}
	return Idle
}

// keyed reports whether the viewer can start at keyframes only.
func (c *Cursor) keyed() bool {
	return c.Video && (c.Stream.State().HasVideo || c.newestKey(c.Stream.Head()) != 0)
}

// start puts a newcomer at the cached GOP, or has it wait for a keyframe.
func (c *Cursor) start(end uint64) bool {
	s := c.Stream
	if !s.ready.Load() && !s.ended.Load() {
		return false
	}
	if !c.keyed() {
		c.Seq = max(c.firstMedia(end), 1)
		return true
	}
	if gop := s.gop.Load(); gop != 0 && !c.Live && s.At(gop) != nil {
		c.Seq, c.Gate = gop, gop
		return true
	}
	c.Seq = c.join
	c.waiting = c.join
	return true
}

// firstMedia is where a viewer without video starts: at the frame just
// before the head, so that something comes at once, or at the first of a
// stream that has just begun.
func (c *Cursor) firstMedia(end uint64) uint64 {
	if c.join <= 1 {
		return c.Stream.ring.tail.Load()
	}
	return min(c.join, end) - 1
}

// resume ends the wait for a keyframe once one came.
func (c *Cursor) resume(end uint64) bool {
	key := c.newestKey(end)
	if key < c.waiting {
		return false
	}
	c.drop(key - min(c.Seq, key))
	c.Seq, c.Gate, c.waiting = key, key, 0
	return true
}

func (c *Cursor) newestKey(end uint64) uint64 {
	if f := c.Stream.At(end - 1); f != nil {
		return f.Key
	}
	return 0
}

// skip moves the cursor forward to the newest keyframe past it, or makes it
// wait for the next.
func (c *Cursor) skip(end uint64) {
	c.Skips++
	if !c.keyed() {
		c.drop(end - 1 - c.Seq)
		c.Seq = end - 1
		return
	}
	if key := c.newestKey(end); key > c.Seq && c.Stream.At(key) != nil {
		c.drop(key - c.Seq)
		c.Seq, c.Gate = key, key
		return
	}
	c.waiting = end
}

func (c *Cursor) drop(n uint64) {
	if c.State == nil {
		return // not started: what it never was to see is not lost
	}
	c.Dropped += n
	if c.fallen {
		c.Stream.counters.Gaps.Add(n)
	} else {
		c.Stream.counters.Dropped.Add(n)
	}
}

// Pause has the viewer stand still, or go on at the live edge: at a keyframe,
// if it watches video.
func (c *Cursor) Pause(paused bool) {
	c.Paused = paused
	if !paused {
		c.Rejoin()
	}
}

// Rejoin moves a viewer that has started to the newest frame that it can go
// on at. What it passes over is no loss.
func (c *Cursor) Rejoin() {
	end := c.Stream.Head()
	if c.Seq == 0 || c.Seq >= end {
		return
	}
	c.join = end
	if !c.keyed() {
		c.Seq = end
		return
	}
	if key := c.newestKey(end); key > c.Seq && c.Stream.At(key) != nil {
		c.Seq, c.Gate = key, key
		return
	}
	c.Seq, c.waiting = end, end
}

// Waiting reports whether the viewer waits for a keyframe.
func (c *Cursor) Waiting() bool { return c.waiting != 0 }

// Lag is the age in ns of the oldest frame not sent that arrived after the
// viewer joined.
func (c *Cursor) Lag(now int64) int64 {
	if c.Seq == 0 || c.Paused || c.waiting != 0 && c.Inside == nil {
		return 0
	}
	if c.Inside != nil && c.Inside.Seq >= c.join {
		return now - c.Inside.Arrived
	}
	return c.behind(now, c.Stream.Head())
}

// behind is the lag of the next whole frame, in ns.
func (c *Cursor) behind(now int64, end uint64) int64 {
	oldest := max(c.Seq, c.join)
	if oldest >= end {
		return 0
	}
	f := c.Stream.At(oldest)
	if f == nil { // fallen off: at least as old as what is still there
		f = c.Stream.At(c.Stream.ring.tail.Load())
	}
	if f == nil {
		return 0
	}
	return now - f.Arrived
}

// Wants reports whether the viewer is to get f.
func (c *Cursor) Wants(f *media.Frame) bool {
	switch f.Kind {
	case media.Video:
		return c.Video
	case media.Data:
		// It tells of both media; who wants one was told of that one.
		return f.Flags&media.Metadata == 0 || c.Video && c.Audio
	case media.Audio:
		return c.Audio && !(f.Flags&media.Early != 0 && f.Key == c.Gate)
	}
	return true
}
