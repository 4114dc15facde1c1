package netloop

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/core/httpflv"
	"github.com/millrace/millrace/core/stream"
)

// taps are a loop's plugins that take streams, as far as there is something
// for them.
type taps struct {
	woken   inbox[*tap] // with news; any goroutine appends, under loop.wokenMu
	pending atomic.Bool
	task    *task
	active  []*tap
	start   int   // whose turn is first
	due     int64 // of the first of the active
	run     tapRun
}

// tapSlots is how many parts of their merge window taps are spread over: they
// come in as many groups, so that the loop need not wake for each by itself.
const tapSlots = 8

// soonTap is the window up to which a tap is woken by the next frame, in ns.
// With a longer one a frame is sure to be there when it is over: then the clock
// is cheaper than a wake-up.
const soonTap = int64(25 * time.Millisecond)

func (l *loop) initTaps() {
	l.taps.due = never
	l.taps.task = &task{l, l.collectTaps}
}

// wakeTap notes that t has news. Any goroutine.
func (l *loop) wakeTap(t *tap) {
	l.wokenMu.Lock()
	l.taps.woken.add(t)
	l.wokenMu.Unlock()
	if l.taps.pending.Swap(true) || l.waking.Load() {
		return // somebody is on the way already, or wakeStream looks when it is done
	}
	l.stats.wakeups.Add(1)
	l.postTask(l.taps.task)
}

// collectTaps takes up the news.
func (l *loop) collectTaps() {
	l.taps.pending.Store(false) // before the list is read: what comes later wakes again
	l.wokenMu.Lock()
	woken := l.taps.woken.take()
	l.wokenMu.Unlock()
	now := l.now()
	for _, t := range woken {
		l.activate(t, max(now, t.last+t.window))
	}
	clear(woken)
}

// activate has t visited at due.
func (l *loop) activate(t *tap, due int64) {
	if t.ended || t.conn.blocked {
		return // the drain epoll tells when it can go on
	}
	t.due = due
	l.taps.due = min(l.taps.due, due)
	if !t.active {
		t.active = true
		l.taps.active = append(l.taps.active, t)
	}
	l.clock.set(due)
}

// tickTaps visits those whose time has come, for at most a budget.
func (l *loop) tickTaps(now int64) {
	ts := &l.taps
	n := len(ts.active)
	begin := l.now()
	for i := range n {
		t := ts.active[(ts.start+i)%n]
		if t.ended || t.due > now {
			continue
		}
		l.guard(t.conn, func() { l.visitTap(t) })
		if l.now()-begin > passBudget {
			ts.start = (ts.start + i + 1) % n
			break
		}
	}
	ts.compact()
}

// compact lets go of those that wait for news or for their socket, and of those
// that have ended.
func (ts *taps) compact() {
	kept := ts.active[:0]
	ts.due = never
	for _, t := range ts.active {
		if t.ended || t.due == never {
			t.active = false
			continue
		}
		kept = append(kept, t)
		ts.due = min(ts.due, t.due)
	}
	clear(ts.active[len(kept):])
	ts.active = kept
}

// visitTap writes to t what it has not got yet, in one call, and says when
// it is to be visited again.
func (l *loop) visitTap(t *tap) {
	now := l.now()
	t.last, t.due = now, never
	c := t.conn
	if c.dead || c.blocked {
		return
	}
	b := &l.taps.run
	pos := t.fill(b)
	switch {
	case b.bytes > 0:
		l.writeTap(t, b, now)
	case pos == stream.AtEnd:
		l.endTap(t)
	default:
		t.place.Move(b.next)
		l.rest(t, now)
	}
	b.reset()
}

// writeTap sends the run.
func (l *loop) writeTap(t *tap, b *tapRun, now int64) {
	c := t.conn
	n, errno := c.writeVec(b.iov, b.bytes, nil, now)
	l.stats.writes.Add(1)
	if n > 0 {
		c.bytesOut += uint64(n)
		l.engine.totals.tapBytes.Add(uint64(n))
		l.advanceTap(t, b, n, now)
	}
	if errno == unix.EAGAIN {
		l.stats.partial.Add(1)
	}
	if c.stuck(errno) {
		return
	}
	_, pos := t.place.Next()
	switch {
	case pos == stream.AtEnd || t.place.Seq < b.end:
		l.activate(t, now) // there is more than one write takes
	case t.window <= soonTap:
		l.rest(t, now)
	default:
		l.activate(t, nextSlot(now, t.window))
	}
}

// nextSlot is the moment, of those that the window is divided by, that is
// nearest to a window from now.
func nextSlot(now, window int64) int64 {
	slot := max(window/tapSlots, 1)
	return (now + window) / slot * slot
}

// rest has t wait for news. Those that came while it was served count.
func (l *loop) rest(t *tap, now int64) {
	t.news.flag.Store(false)
	if _, pos := t.place.Next(); pos != stream.Idle && t.news.mark() {
		l.activate(t, now+t.window)
	}
}

// endTap ends a tap whose stream has ended and who has got all of it.
func (l *loop) endTap(t *tap) {
	c := t.conn
	reason, _ := t.place.Stream.Ended()
	l.untap(t, reason)
	if t.shape.kind == formChunked {
		c.out = append(c.out, httpflv.LastChunk...)
	}
	c.finish(causeServer, reason)
}

// lookAtTap looks after a tap whose socket stays full. A plugin may take its
// time, its lag bounds what that costs; only once its stream has ended is the
// ring kept for it alone, and then it has to go on taking something.
func (l *loop) lookAtTap(t *tap, now int64) {
	c := t.conn
	if c.hungry {
		l.unblock(c)
		l.guard(c, c.flush)
		return
	}
	if _, ended := t.place.Stream.Ended(); !ended {
		return
	}
	if t.over == 0 {
		t.over = now
	}
	stall := l.engine.Settings().Viewers.StallTimeout
	if stall > 0 && now-max(t.over, c.progress) > int64(stall) {
		c.kill(causeStalled, "stalled: the plugin took no byte of an ended stream for "+stall.String()+" (stream.stall_timeout)")
	}
}
