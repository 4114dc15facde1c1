package netloop

import (
	"math"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/core/stream"
)

// tcpNotsentLowat is TCP_NOTSENT_LOWAT.
const tcpNotsentLowat = unix.TCP_NOTSENT_LOWAT

// fanout is a loop's work of writing frames to its viewers.
type fanout struct {
	todo    []*viewer // to be visited, from next on
	next    int
	serving bool
	// active are the subs with frames that the merge window still holds.
	active   []*sub
	slot     int
	nextSlot int
	slotDue  int64
	scanDue  int64
	blocked  []*conn // their sockets are full, the drain epoll will tell
	batches  batches
	tally    tally
	iov      []unix.Iovec // scratch
}

const (
	// passBudget is how long a pass may take before the loop looks at its
	// sockets again, in ns.
	passBudget = int64(time.Millisecond)
	// longestTick is the time between two calls for slots of the merge window,
	// in ns: so many slots are served at once. A call costs as much as several
	// writes, but a loop that sleeps for 10 ms, by its timer and what delays
	// that, loses its place in the Go scheduler, and that costs more.
	longestTick = int64(8400 * time.Microsecond)
	// scanInterval is how often blocked viewers are looked at, in ns.
	scanInterval = int64(250 * time.Millisecond)
)

// dirty is a flag that any goroutine sets and one clears.
type dirty struct{ flag atomic.Bool }

// mark sets the flag and reports whether it was clear.
func (d *dirty) mark() bool { return !d.flag.Swap(true) }

// pass takes up the news and serves viewers, for at most a budget.
func (l *loop) pass() {
	// Cleared before heads are read: what comes after is seen here or wakes
	// the loop again.
	l.pending.Store(false)
	l.collect()
	l.serve()
}

// collect finds the streams with news. Without a merge window their viewers
// are served at once, otherwise in their slots.
func (l *loop) collect() {
	l.wokenMu.Lock()
	woken := l.woken.take()
	l.wokenMu.Unlock()
	for _, s := range woken {
		s.news.flag.Store(false)
		if l.window.size == 0 {
			s.enqueueAll(l)
			continue
		}
		if s.slotsLeft == 0 {
			l.fanout.active = append(l.fanout.active, s)
		}
		s.slotsLeft = mergeSlots
	}
	clear(woken)
	if len(l.fanout.active) > 0 && !l.ticking.Load() {
		l.ticking.Store(true)
		l.fanout.slotDue = l.now()
	}
}

func (s *sub) enqueueAll(l *loop) {
	for _, g := range s.groups {
		for _, vs := range g.slots {
			for _, v := range vs {
				l.enqueue(v)
			}
		}
	}
}

// slotTick serves the viewers whose slots of the merge window have come.
func (l *loop) slotTick(now int64) {
	l.pending.Store(false)
	l.collect()
	f := &l.fanout
	slot := max(l.window.size/mergeSlots, 1)
	for n := max(longestTick/slot, 1); n > 0 && len(f.active) > 0; n-- {
		l.enqueueSlot()
		f.slotDue += slot
	}
	f.slotDue = max(f.slotDue, now)
	if len(f.active) == 0 {
		l.ticking.Store(false)
		l.collect() // whoever saw ticking set relied on this look
	}
	l.serve()
}

// enqueueSlot has the viewers of the next slot visited.
func (l *loop) enqueueSlot() {
	f := &l.fanout
	f.slot = (f.slot + 1) % mergeSlots
	kept := f.active[:0]
	for _, s := range f.active {
		for _, g := range s.groups {
			for _, v := range g.slots[f.slot] {
				l.enqueue(v)
			}
		}
		if s.slotsLeft--; s.slotsLeft > 0 {
			kept = append(kept, s)
		}
	}
	clear(f.active[len(kept):])
	f.active = kept
}

func (l *loop) enqueue(v *viewer) {
	if v.queued || v.conn.blocked || v.ended {
		return
	}
	v.queued = true
	l.fanout.todo = append(l.fanout.todo, v)
}

// serve visits viewers in turn until all were, or the budget is used up: then
// the clock has the loop go on after it has looked at its sockets.
func (l *loop) serve() {
	if l.fanout.backlogged() {
		l.visitWaiting()
	}
	l.setBacklog(l.fanout.backlogged())
	l.rearm()
}

func (l *loop) visitWaiting() {
	f := &l.fanout
	f.serving = true
	defer func() { f.serving = false }()
	begin, cpu := l.now(), threadTime()
	count, now := 0, begin
	for f.next < len(f.todo) {
		v := f.todo[f.next]
		f.todo[f.next] = nil
		f.next++
		f.prefetch()
		v.queued = false
		if !v.ended {
			l.guard(v.conn, func() { l.visit(v, now) })
			count++
			now = l.now()
		}
		if now-begin > passBudget {
			break
		}
	}
	f.compact()
	if count > 0 {
		f.batches.reset()
		clear(f.iov)
		l.publish()
		took := now - begin
		l.window.sample(min(max(threadTime()-cpu, 0), took), count)
		l.window.update(l, begin)
		l.stats.pass(took)
	}
}

// prefetch has the next viewers' state fetched from memory while this one is
// written to: since their last turn the kernel has had the caches to itself.
func (f *fanout) prefetch() {
	if f.next+1 < len(f.todo) {
		prefetch(unsafe.Pointer(f.todo[f.next+1]), viewerLines)
	}
	if f.next < len(f.todo) {
		prefetch(unsafe.Pointer(f.todo[f.next].conn), connLines)
	}
}

// comesNext reports whether the next viewer is of the same group: it gets the
// same run, most likely.
func (f *fanout) comesNext(g *group) bool {
	return f.next < len(f.todo) && f.todo[f.next].group == g
}

// viewerLines and connLines are how many cache lines of each a write touches.
const (
	viewerLines = int(unsafe.Offsetof(viewer{}.sub)+63) / 64
	connLines   = int(unsafe.Offsetof(conn{}.cause)+63) / 64
)

// setBacklog notes whether viewers are left for the clock's next call. News
// that come meanwhile wait for it too: a loop that is woken for each of them
// never sees its sockets.
func (l *loop) setBacklog(left bool) {
	if left {
		l.backlog.Store(true)
		l.clock.set(0)
	} else if l.backlog.Swap(false) && l.hasNews() {
		l.clock.set(0) // whoever saw backlog set relied on this look
	}
}

func (l *loop) hasNews() bool {
	l.wokenMu.Lock()
	defer l.wokenMu.Unlock()
	return len(l.woken.all) > 0
}

// threadTime is the CPU time of this thread, in ns: what a pass costs, however
// busy the machine is with other things.
func threadTime() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		return 0
	}
	return ts.Nano()
}

// backlogged reports whether viewers wait for their visits.
func (f *fanout) backlogged() bool { return len(f.todo) > f.next }

// compact gives back the part of todo that was served.
func (f *fanout) compact() {
	if f.next == len(f.todo) {
		f.todo, f.next = f.todo[:0], 0
	} else if f.next > len(f.todo)/2 {
		n := copy(f.todo, f.todo[f.next:])
		clear(f.todo[n:])
		f.todo, f.next = f.todo[:n], 0
	}
}

// visit writes to v what it has not got yet, in one call.
func (l *loop) visit(v *viewer, now int64) {
	c := v.conn
	if !c.unsealed() {
		return
	}
	cur := &v.cursor
	end, pos := cur.Next(now, l.engine.maxLag())
	if cur.Skips != v.episode.skips {
		v.episode.skipped(l, v, now)
	}
	var b *batch
	if pos == stream.Sending {
		b = l.fanout.batches.find(v.group, end, v)
		if l.fanout.comesNext(v.group) {
			b.join()
		}
		l.prepare(v, b)
	}
	if cur.Inside == nil && len(c.out) == 0 {
		switch {
		case b != nil && len(b.frames) > 0:
			l.write(v, b, b.iov, b.bytes, now)
		case b != nil: // nothing in the run that it wants
			cur.Seq = b.next
			l.requeueIfBehind(v, b)
		case pos == stream.AtEnd:
			l.farewell(v)
		}
		return
	}
	iov, bytes := l.assemble(v, b)
	l.write(v, b, iov, bytes, now)
}

// unsure is the state of a viewer that was not sent every change: what it
// knows is looked up before its next frame.
var unsure = &media.State{}

// prepare puts what v must know before the batch's first frame in front of
// it: the greeting, metadata, sequence headers.
func (l *loop) prepare(v *viewer, b *batch) {
	if len(b.frames) == 0 {
		return
	}
	first := b.frames[0]
	if v.cursor.State == first.State {
		return
	}
	v.conn.out = v.appendState(v.conn.out, first)
	v.cursor.State = first.State
}

// assemble puts together a write that starts inside a frame, or with bytes of
// v's own: the rest of the frame, replies, then the batch.
func (l *loop) assemble(v *viewer, b *batch) ([]unix.Iovec, int) {
	iov := l.fanout.iov[:0]
	if f := v.cursor.Inside; f != nil {
		iov = v.group.shape.appendFrom(iov, f, v.cursor.Offset, maxVecs-1)
	}
	whole := len(iov) < maxVecs-1
	if whole {
		iov = appendVec(iov, v.conn.out)
		if b != nil {
			iov = append(iov, b.iov[:min(len(b.iov), maxVecs-len(iov))]...)
		}
	}
	l.fanout.iov = iov
	return iov, vecBytes(iov)
}

// write sends iov, of bytes in all, and moves v's cursor past what the socket
// took.
func (l *loop) write(v *viewer, b *batch, iov []unix.Iovec, bytes int, now int64) {
	if bytes == 0 {
		return
	}
	n, errno := v.conn.writeVec(iov, bytes, b, now)
	t := l.tallyOf(v)
	t.writes++
	if n > 0 {
		v.conn.bytesOut += uint64(n)
		t.bytes += uint64(n)
		l.advance(v, b, n, now)
	}
	if errno == unix.EAGAIN {
		t.partial++
	}
	if v.conn.stuck(errno) {
		return
	}
	if b != nil {
		l.requeueIfBehind(v, b)
	} else if v.cursor.Inside != nil || len(v.conn.out) > 0 {
		l.enqueue(v)
	} else {
		l.enqueueIfMore(v)
	}
}

// advance moves v past n bytes: the rest of its frame, its own bytes, then
// those of the batch.
func (l *loop) advance(v *viewer, b *batch, n int, now int64) {
	cur := &v.cursor
	if f := cur.Inside; f != nil {
		rest := v.group.shape.size(f) - cur.Offset
		if n < rest {
			cur.Offset += n
			return
		}
		n -= rest
		cur.Inside, cur.Offset = nil, 0
	}
	if own := len(v.conn.out); own > 0 {
		n -= v.conn.sent(min(n, own))
		if len(v.conn.out) > 0 {
			return
		}
	}
	if n > 0 && b != nil {
		l.advanceIn(v, b, n, now)
	}
}

func (l *loop) advanceIn(v *viewer, b *batch, n int, now int64) {
	cur := &v.cursor
	i, start := b.at(n)
	if at := b.frames[0].Arrived; at >= v.since { // not the cached GOP
		l.stats.latency.observe(now - at)
	}
	l.fanout.tally.frames += uint64(i)
	inside := i < len(b.frames) && n > start // the rest of it comes for certain
	for _, at := range b.news {
		if at < i || at == i && inside {
			v.known.learn(b.frames[at])
		}
	}
	if i == len(b.frames) {
		cur.Seq = b.next
		cur.State = b.frames[i-1].Next
		if b.missed {
			cur.State = unsure
		}
		return
	}
	f := b.frames[i]
	cur.Seq, cur.State = f.Seq, f.State
	if inside {
		cur.Seq, cur.State = f.Seq+1, f.Next
		cur.Inside, cur.Offset = f, n-start
	}
}

func (l *loop) requeueIfBehind(v *viewer, b *batch) {
	if v.cursor.Seq < b.head || v.cursor.Inside != nil || len(v.conn.out) > 0 {
		l.enqueue(v)
		return
	}
	l.enqueueIfMore(v)
}

// enqueueIfMore has v visited again if its stream has ended: the news of that
// may have come while it was being served.
func (l *loop) enqueueIfMore(v *viewer) {
	if _, ended := v.cursor.Stream.Ended(); ended {
		l.enqueue(v)
	}
}

// writev sends iov, as writev(2) does, but by calls for sockets: they spare
// the kernel a look at the file and its inode, which with thousands of viewers
// are in no cache. The calls are raw, the scheduler need not know of them.
func writev(fd int, iov []unix.Iovec) (n int, errno unix.Errno) {
	if len(iov) == 1 {
		return send(fd, unsafe.Pointer(iov[0].Base), uintptr(iov[0].Len))
	}
	msg := unix.Msghdr{Iov: &iov[0], Iovlen: uint64(len(iov))}
	for {
		r, _, e := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)), sendFlags)
		if e != unix.EINTR {
			return sent(r, e)
		}
	}
}

func write(fd int, b []byte) (n int, errno unix.Errno) {
	return send(fd, unsafe.Pointer(&b[0]), uintptr(len(b)))
}

func send(fd int, from unsafe.Pointer, n uintptr) (int, unix.Errno) {
	for {
		r, _, e := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(from), n, sendFlags, 0, 0)
		if e != unix.EINTR {
			return sent(r, e)
		}
	}
}

const sendFlags = unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL

func sent(n uintptr, e unix.Errno) (int, unix.Errno) {
	if e != 0 {
		return 0, e
	}
	return int(n), 0
}

// maxLag is in ns; no limit when it is 0.
func (e *Engine) maxLag() int64 {
	if d := e.Settings().Viewers.MaxLag; d > 0 {
		return int64(d)
	}
	return math.MaxInt64
}

func reasonOf(errno unix.Errno) string {
	if errno == unix.EPIPE || errno == unix.ECONNRESET {
		return "connection reset by peer"
	}
	return "write: " + errno.Error()
}
