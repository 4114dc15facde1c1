package netloop

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/core/rtmp"
	"github.com/millrace/millrace/core/stream"
)

// gathering has publishers read in turn, each once in Settings.ReadWindowMax,
// in place of whenever something comes: a loop with thousands of messages
// a second spends most of its time on going to sleep, on waking, and on fetching
// a publisher's state from memory, whatever a read brings. Members' sockets
// are not announced for less than gatherAtOnce bytes (SO_RCVLOWAT). It costs
// latency, and only loops with so many messages do it. What a frame waits in
// its socket is not in loopStats.latency, nor in anything else that begins at
// media.Frame.Arrived: nobody knows when it came there.
type gathering struct {
	since    int64 // start of the interval that is counted, ns
	messages int
	on       bool
	// Messages in an interval from which on it is worth it, and below which it
	// is not any more.
	from, until int

	slots  [gatherSlots][]*publisher
	slot   int    // the next to be read
	left   int    // so many of it, the first, still have their turns; 0: all, or none
	join   int    // of the next member
	due    int64  // when the next slot is read
	budget int64  // passBudget; a test has another
	room   []byte // scratch for a read
}

// gathered is a publisher's place among the members.
type gathered struct {
	member   bool
	slot, at int
}

const (
	gatherInterval = int64(100 * time.Millisecond)
	gatherFrom     = 400 // messages in an interval
	gatherUntil    = 200
	// gatherEach is what a message takes of its publisher's time, in ns: a few
	// that send thousands a second are no reason to have others wait.
	gatherEach = int64(time.Second / 200)
	// gatherSlots is how many parts of a window the members are spread over.
	gatherSlots = 8
	// gatherAtOnce is how many bytes a socket announces before its turn, and
	// gatherMost how many are read in a turn: who sends more is read between
	// turns.
	gatherAtOnce = 32 << 10
	gatherMost   = 64 << 10
)

func (g *gathering) init() {
	g.from, g.until, g.due, g.budget = gatherFrom, gatherUntil, never, passBudget
}

// share is how many of the messages that came from p since its last flush
// count: at most one in gatherEach, over the time between two reads.
func (p *publisher) share(now, window int64) int {
	p.counted = max(p.counted, now-max(gatherInterval, window))
	n := min(p.fed, int((now-p.counted)/gatherEach))
	p.counted += int64(n) * gatherEach
	return n
}

// count notes messages that came until now.
func (g *gathering) count(messages int, now int64) {
	g.messages += messages
	took := now - g.since
	if took < gatherInterval {
		return
	}
	enough := g.from
	if g.on {
		enough = g.until
	}
	g.on = int64(g.messages)*gatherInterval >= int64(enough)*took
	g.since, g.messages = now, 0
}

// gather is called after each read of a publisher.
func (l *loop) gather(p *publisher) {
	g, now, window := &l.gathering, l.now(), int64(l.engine.Settings().ReadWindowMax)
	g.count(p.share(now, window), now)
	if !g.on || p.gathered.member || window == 0 {
		return
	}
	p.gathered = gathered{member: true, slot: g.join, at: len(g.slots[g.join])}
	g.slots[g.join] = append(g.slots[g.join], p)
	g.join = (g.join + 1) % gatherSlots
	p.rtmp.conn.receiveAtLeast(gatherAtOnce)
	if g.due == never {
		g.due = now
		l.rearm()
	}
}

// ungather has p read as soon as anything comes. What its socket holds is
// announced at once.
func (l *loop) ungather(p *publisher) {
	m := p.gathered
	if !m.member {
		return
	}
	slot := l.gathering.slots[m.slot]
	last := slot[len(slot)-1]
	slot[m.at], last.gathered.at = last, m.at
	slot[len(slot)-1] = nil
	l.gathering.slots[m.slot] = slot[:len(slot)-1]
	p.gathered = gathered{}
	p.rtmp.conn.receiveAtLeast(1)
}

// readGathered reads the members whose turn it is. With those that it has no
// time for it goes on when the loop has looked at its sockets and served
// viewers: they are due as long as the slot is.
func (l *loop) readGathered(now int64) {
	g := &l.gathering
	g.count(0, now)
	window := int64(l.engine.Settings().ReadWindowMax)
	if !g.on || window == 0 {
		l.ungatherAll()
		return
	}
	if g.room == nil {
		g.room = make([]byte, gatherMost)
	}
	if l.readSlot() {
		g.slot = (g.slot + 1) % gatherSlots
		g.due = max(g.due+window/gatherSlots, now)
	}
	l.rearm()
}

// readSlot reads members of the slot, one at least, for at most a budget, and
// reports whether all have had their turns. It begins with the last: a member
// that leaves is replaced by one that was read, if any was, and a newcomer was
// read just before.
func (l *loop) readSlot() bool {
	g, begin := &l.gathering, l.now()
	slot := &g.slots[g.slot]
	if g.left == 0 {
		g.left = len(*slot)
	}
	for {
		if g.left = min(g.left, len(*slot)); g.left == 0 {
			return true
		}
		g.left--
		g.prefetch(*slot, g.left)
		(*slot)[g.left].rtmp.conn.readNow(g.room)
		if l.now()-begin > g.budget {
			return g.left == 0
		}
	}
}

func (l *loop) ungatherAll() {
	g := &l.gathering
	for i := range g.slots {
		for len(g.slots[i]) > 0 {
			l.ungather(g.slots[i][0])
		}
	}
	g.due, g.left, g.room = never, 0, nil
	l.rearm()
}

// prefetch has the state of the members before i, whose turns are next,
// fetched from memory while this one is read: what points to more a turn
// before that.
func (g *gathering) prefetch(slot []*publisher, i int) {
	if i >= 3 {
		prefetch(unsafe.Pointer(slot[i-3]), publisherLines)
	}
	if i >= 2 {
		p := slot[i-2]
		prefetch(unsafe.Pointer(p.rtmp), rtmpConnLines)
		prefetch(unsafe.Pointer(p.pub), publicationLines)
	}
	if i >= 1 {
		p := slot[i-1]
		prefetch(unsafe.Pointer(p.rtmp.conn), connLines)
		prefetch(unsafe.Pointer(p.rtmp.session), sessionLines)
		prefetch(unsafe.Pointer(p.pub.Stream), streamLines)
	}
}

// How many cache lines of each a read touches: what it needs comes first.
const (
	publisherLines   = int(unsafe.Offsetof(publisher{}.streamID)+63) / 64
	rtmpConnLines    = int(unsafe.Offsetof(rtmpConn{}.flashVer)+63) / 64
	publicationLines = int(unsafe.Offsetof(stream.Publication{}.Publisher)+63) / 64
	sessionLines     = int(unsafe.Sizeof(rtmp.Session{})+63) / 64
	streamLines      = int(unsafe.Offsetof(stream.Stream{}.Key)+63) / 64
)

// readNow takes what the socket holds, if anything. That it has ended is for
// gnet to find.
func (c *conn) readNow(room []byte) {
	if c.dead || c.gc == nil || c.gc.InboundBuffered() > 0 {
		return
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(c.fd), uintptr(unsafe.Pointer(&room[0])), uintptr(len(room)),
		unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 || n == 0 {
		return
	}
	c.loop.guard(c, func() { c.taken(room[:n]) })
}

// receiveAtLeast has the socket announce that it has got something when that
// is n bytes, or the end.
func (c *conn) receiveAtLeast(n int) {
	if !c.dead {
		_ = unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_RCVLOWAT, n)
	}
}
