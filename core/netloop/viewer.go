package netloop

import (
	"slices"

	"github.com/millrace/millrace/core/stream"
)

// mergeSlots is how many parts of a merge window the viewers are spread over:
// so many that a whole number of them comes near longestTick in most windows.
const mergeSlots = 96

// sub is a loop's share of a stream: its viewers, grouped by what they get.
type sub struct {
	loop   *loop
	stream *stream.Stream
	groups []*group
	count  int

	// news is set by whoever appends, until the loop has noticed.
	news dirty
	// slotsLeft is how many slots of the merge window still have to be
	// served since the newest frame came.
	slotsLeft int
}

// Wake is called by the stream, on any goroutine.
func (s *sub) Wake(*stream.Stream) {
	if s.news.mark() {
		s.loop.wake(s)
	}
}

// groupKey tells apart viewers whose bytes differ.
type groupKey struct {
	form
	video, audio bool
	// all: every track. Otherwise the tracks, 0 for the default one, or the
	// number plus 1.
	all            bool
	vtrack, atrack uint16
}

// group are a loop's viewers of one stream that get the same bytes.
type group struct {
	key   groupKey
	shape shape
	slots [mergeSlots][]*viewer
	count int
}

// viewer is a connection that watches: a cursor and little else.
type viewer struct {
	conn    *conn
	group   *group
	since   int64 // ns
	queued  bool  // it is in the loop's todo
	ended   bool
	greeted bool // the FLV header was sent
	stopped bool // its end was told
	cursor  stream.Cursor
	episode episode
	sub     *sub
	// slot and index are its place in group.slots.
	slot, index int
	known       known
	userAgent   string
	query       string // of its request, if somebody wants to know
	player      player
}

// player is what a protocol does for a viewer; loop goroutine only.
type player interface {
	// greet appends what comes before the first frame, for a stream that
	// has these media.
	greet(dst []byte, audio, video bool) []byte
	// farewell appends what ends the protocol's stream cleanly.
	farewell(dst []byte, reason string) []byte
	// afterwards is called once the farewell was queued; it reports whether
	// the connection is to be closed.
	afterwards() bool
}

// attach makes c a viewer of s.
func (l *loop) attach(c *conn, s *stream.Stream, key groupKey, live bool, p player) *viewer {
	v := &viewer{conn: c, player: p}
	v.cursor = stream.Cursor{Stream: s, Live: live}
	v.cursor.Want(key.video, key.audio, key.all, key.vtrack, key.atrack)
	v.cursor.Join()
	v.sub = l.subTo(s)
	v.sub.count++
	v.slot = l.fanout.nextSlot
	l.fanout.nextSlot = (l.fanout.nextSlot + 1) % mergeSlots
	v.sub.groupOf(key, l.engine.options.ChunkSize).add(v)
	s.Counters().Viewers[key.protocol()].Add(1)
	l.stats.viewers.Add(1)
	c.viewer = v
	c.limitUnsent()
	l.enqueue(v)
	l.rearm()
	return v
}

// detach is what attach did, undone.
func (l *loop) detach(v *viewer) {
	if v.conn.viewer != v {
		return
	}
	v.conn.viewer = nil
	v.ended = true
	v.group.remove(v)
	l.stats.viewers.Add(-1)
	v.cursor.Stream.Counters().Viewers[v.group.key.protocol()].Add(-1)
	v.sub.count--
	if v.sub.count == 0 {
		v.sub.stream.Unsubscribe(v.sub)
		delete(l.subs, v.sub.stream)
	}
}

// regroup has v get what key says from now on.
func (l *loop) regroup(v *viewer, key groupKey) {
	more := key.video && !v.cursor.Video
	v.group.remove(v)
	v.sub.groupOf(key, l.engine.options.ChunkSize).add(v)
	v.cursor.Want(key.video, key.audio, key.all, key.vtrack, key.atrack)
	if v.cursor.State != nil {
		v.cursor.State = unsure
	}
	if more {
		v.cursor.Rejoin()
	}
}

func (g *group) add(v *viewer) {
	v.group = g
	v.index = len(g.slots[v.slot])
	g.slots[v.slot] = append(g.slots[v.slot], v)
	g.count++
}

func (g *group) remove(v *viewer) {
	list := g.slots[v.slot]
	last := list[len(list)-1]
	list[v.index], last.index = last, v.index
	list[len(list)-1] = nil
	g.slots[v.slot] = list[:len(list)-1]
	if g.count--; g.count == 0 {
		v.sub.groups = slices.DeleteFunc(v.sub.groups, func(o *group) bool { return o == g })
	}
}

func (l *loop) subTo(s *stream.Stream) *sub {
	if u := l.subs[s]; u != nil {
		return u
	}
	u := &sub{loop: l, stream: s}
	l.subs[s] = u
	s.Subscribe(u)
	return u
}

func (s *sub) groupOf(key groupKey, chunkSize int) *group {
	for _, g := range s.groups {
		if g.key == key {
			return g
		}
	}
	g := &group{key: key, shape: shape{form: key.form, all: key.all, chunkSize: chunkSize}}
	s.groups = append(s.groups, g)
	return g
}
