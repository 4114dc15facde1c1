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
	// All: every track is wanted. Otherwise VTrack and ATrack tell which: 0
	// for the default one, or the track's number plus 1.
	All            bool
	VTrack, ATrack uint16

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

	join    uint64 // head at the join or newest skip: frames before it do not count as lag
	fallen  bool   // the newest skip was because frames had fallen off the ring
	late    bool   // waits because of a skip, not by its own wish
	waiting uint64 // waits for a keyframe at or past this number; 0: does not
}

// Join places the cursor at its stream. Frames that were there already do not
// count as lag.
func (c *Cursor) Join() {
	c.join = c.Stream.Head()
	c.Seq = 0
}

// Awaited is called after Join for a viewer that was there before the session:
// frames that came before its loop could place it are for it as well.
func (c *Cursor) Awaited() {
	c.join = max(c.Stream.ring.tail.Load(), c.Stream.first.Load())
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
		c.moveTo(c.firstMedia(end), 0)
		return true
	}
	if gop := s.gop.Load(); gop != 0 && !c.Live && s.At(gop) != nil {
		c.moveTo(gop, gop)
		return true
	}
	c.Seq = c.join
	c.wait(c.join, false)
	return true
}

// firstMedia is where a viewer without video starts: at the frame just
// before the head, so that something comes at once, or at the first of a
// session that has just begun.
func (c *Cursor) firstMedia(end uint64) uint64 {
	s := c.Stream
	first := max(s.ring.tail.Load(), s.first.Load())
	if c.join <= first {
		return first
	}
	return max(first, min(c.join, end)-1)
}

// resume ends the wait for a keyframe once one came, or once it is known that
// none will.
func (c *Cursor) resume(end uint64) bool {
	key := c.newestKey(end)
	to, gate := key, key
	if key < c.waiting {
		if c.keyed() || !c.Stream.ready.Load() {
			return false
		}
		to, gate = max(c.waiting, end-1), 0
	}
	if c.late {
		c.drop(to - min(c.Seq, to))
	}
	c.moveTo(to, gate)
	return true
}

// moveTo has the viewer go on at frame seq; gate is that too if it is a
// keyframe, else 0. As at the join, what is there already is no lag: else a
// GOP longer than the allowed lag would be cut off again half sent.
func (c *Cursor) moveTo(seq, gate uint64) {
	c.Seq, c.Gate, c.waiting = seq, gate, 0
	c.join = c.Stream.Head()
}

// wait has the viewer go on at the first keyframe from seq on.
func (c *Cursor) wait(seq uint64, late bool) {
	c.waiting, c.late = seq, late
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
	to, gate := end-1, uint64(0)
	if c.keyed() {
		to = c.newestKey(end)
		gate = to
		if to <= c.Seq || c.Stream.At(to) == nil {
			c.wait(end, true)
			return
		}
	}
	c.drop(to - c.Seq)
	c.moveTo(to, gate)
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
// if it watches video and missed anything.
func (c *Cursor) Pause(paused bool) {
	c.Paused = paused
	if !paused && c.Seq < c.Stream.Head() {
		c.Rejoin()
	}
}

// Rejoin moves a viewer to the newest frame that it can go on at. What it
// passes over is no loss.
func (c *Cursor) Rejoin() {
	end := c.Stream.Head()
	if c.Seq == 0 {
		c.join = end
		return
	}
	if !c.keyed() {
		c.moveTo(end, 0)
		return
	}
	key := c.newestKey(end)
	if newer := key > c.Seq || c.waiting != 0 && key >= c.waiting; newer && c.Stream.At(key) != nil {
		c.moveTo(key, key)
		return
	}
	c.moveTo(end, 0)
	c.wait(end, false)
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

// Want sets what the viewer wants; see the fields.
func (c *Cursor) Want(video, audio, all bool, vtrack, atrack uint16) {
	c.Video, c.Audio, c.All, c.VTrack, c.ATrack = video, audio, all, vtrack, atrack
}

// Wants reports whether the viewer is to get f.
func (c *Cursor) Wants(f *media.Frame) bool {
	if f.Flags&media.Early != 0 && f.Key == c.Gate {
		return false
	}
	switch f.Kind {
	case media.Video:
		return c.Video && c.wantsTrack(f, c.VTrack)
	case media.Audio:
		return c.Audio && c.wantsTrack(f, c.ATrack)
	}
	// Metadata tells of both media; who wants one was told of that one.
	return f.Flags&media.Metadata == 0 || c.Video && c.Audio
}

func (c *Cursor) wantsTrack(f *media.Frame, track uint16) bool {
	switch {
	case c.All:
		return true
	case f.Flags&media.Extra != 0:
		return false
	case track == 0:
		return f.Flags&media.Other == 0
	}
	return uint16(f.Track) == track-1
}
