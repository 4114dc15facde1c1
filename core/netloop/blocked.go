package netloop

import (
	"log/slog"
	"time"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/core/event"
)

// slots are the connections that the drain epoll knows.
type slots struct {
	conns []*conn
	gens  []int32
	free  []int32
}

// block notes that c's socket is full; the drain epoll tells when it is not.
func (l *loop) block(c *conn) {
	if c.blocked || c.dead {
		return
	}
	if !l.watch(c) {
		return
	}
	l.setBlocked(c)
}

// blockUntilScan has c wait for the next look at those who are blocked: the
// kernel is out of memory for sockets, and tells nobody when it has some.
func (l *loop) blockUntilScan(c *conn) {
	if !c.blocked && !c.dead {
		c.hungry = true
		l.setBlocked(c)
	}
}

// watch has the drain epoll tell when c's socket takes bytes again.
func (l *loop) watch(c *conn) bool {
	if !c.armed {
		c.slot = l.slots.take(c)
	}
	if err := l.drain.arm(c.fd, c.slot, c.armed); err != nil {
		if !c.armed {
			l.slots.give(c.slot)
		}
		c.kill(causeServer, "watch socket: "+err.Error())
		return false
	}
	c.armed = true
	return true
}

func (l *loop) setBlocked(c *conn) {
	c.blocked = true
	c.blockedAt = len(l.fanout.blocked)
	l.fanout.blocked = append(l.fanout.blocked, c)
	if l.fanout.scanDue == never {
		l.fanout.scanDue = l.now() + scanInterval
		l.rearm()
	}
}

func (l *loop) unblock(c *conn) {
	if !c.blocked {
		return
	}
	c.blocked, c.hungry = false, false
	list := l.fanout.blocked
	last := list[len(list)-1]
	list[c.blockedAt], last.blockedAt = last, c.blockedAt
	list[len(list)-1] = nil
	l.fanout.blocked = list[:len(list)-1]
}

// release has the drain epoll forget c, before its descriptor goes.
func (l *loop) release(c *conn) {
	if c.armed {
		c.armed = false
		l.drain.forget(c.fd)
		l.slots.give(c.slot)
	}
}

func (s *slots) take(c *conn) slot {
	if n := len(s.free); n > 0 {
		i := s.free[n-1]
		s.free = s.free[:n-1]
		s.conns[i] = c
		return slot{i, s.gens[i]}
	}
	s.conns, s.gens = append(s.conns, c), append(s.gens, 0)
	return slot{index: int32(len(s.conns) - 1)}
}

func (s *slots) give(at slot) {
	s.conns[at.index] = nil
	s.gens[at.index]++
	s.free = append(s.free, at.index)
}

// onDrain goes on with those whose sockets take bytes again, for at most a
// budget: an object's readers take a lot at once. Who comes too late is told of
// again when the loop has looked at its sockets.
func (l *loop) onDrain(ready []slot) {
	begin := l.now()
	for _, at := range ready {
		c := l.slots.conns[at.index]
		if c == nil || l.slots.gens[at.index] != at.generation || !c.blocked || l.stalled(c) {
			continue
		}
		if l.now()-begin > passBudget {
			l.watch(c)
			continue
		}
		l.unblock(c)
		l.guard(c, c.flush)
	}
	l.serve()
}

// scanBlocked looks after those whose sockets stay full: it reports the slow
// and closes the stalled.
func (l *loop) scanBlocked(now int64) {
	viewers := l.engine.Settings().Viewers
	for i := len(l.fanout.blocked) - 1; i >= 0; i-- {
		if i >= len(l.fanout.blocked) {
			continue // closing one took others with it
		}
		c := l.fanout.blocked[i]
		if c.tap != nil {
			l.lookAtTap(c.tap, now)
			continue
		}
		l.endStall(c, now)
		if !l.stalled(c) {
			c.lookAtQueue(now)
		}
		stalled := viewers.StallTimeout > 0 && now-c.progress > int64(viewers.StallTimeout)
		if v := c.viewer; v != nil {
			v.episode.look(l, v, now, stalled)
		}
		if stalled {
			c.kill(causeStalled, "stalled: the socket took no byte for "+viewers.StallTimeout.String()+" (stream.stall_timeout)")
		} else if c.hungry {
			l.unblock(c)
			l.guard(c, c.flush)
		}
	}
	if len(l.fanout.blocked) > 0 {
		l.fanout.scanDue = now + scanInterval
	} else {
		l.fanout.scanDue = never
	}
}

// lookAtQueue takes it for progress when the kernel holds fewer bytes than
// before: a peer that reads a few at a time makes no room that we would be
// told of, yet it is alive.
func (c *conn) lookAtQueue(now int64) {
	if now-c.progress < quietTime {
		c.queue = 0
		return
	}
	queue := socketQueue(c.fd)
	if queue < c.queue {
		c.progress = now
	}
	c.queue = queue
}

// quietTime is how long a full socket is left alone, in ns.
const quietTime = int64(time.Second)

// episode is a time in which a viewer was too slow. It makes one log line.
type episode struct {
	skips uint64 // the cursor's, as last seen
	told  int64  // when the last line was written
}

// episodeGap is how long a viewer must have kept up before another line about
// it is written, in ns.
const episodeGap = int64(30 * time.Second)

// skipped is called when the cursor has skipped.
func (e *episode) skipped(l *loop, v *viewer, now int64) {
	e.skips = v.cursor.Skips
	v.cursor.Stream.Counters().Skips.Add(1)
	action := "skipped to the newest keyframe"
	if v.cursor.Waiting() {
		action = "waits for the next keyframe"
	}
	e.tell(l, v, now, action)
}

// look is called while the viewer's socket is full.
func (e *episode) look(l *loop, v *viewer, now int64, stalled bool) {
	switch {
	case stalled: // if a line was written, the one about its end goes with it
		e.tell(l, v, now, "closed")
	case v.cursor.Lag(now) > l.engine.maxLag():
		e.tell(l, v, now, "will skip to a keyframe when it reads again")
	}
}

func (e *episode) tell(l *loop, v *viewer, now int64, action string) {
	if e.told != 0 && now-e.told < episodeGap {
		e.told = now
		return
	}
	e.told = now
	c := v.conn
	since := time.Duration(now - c.progress)
	l.engine.log.Warn("viewer is too slow", c.attrs(
		slog.String(event.Stream, v.cursor.Stream.Key.String()),
		slog.Int64(event.LagMS, v.cursor.Lag(now)/1e6),
		slog.Int("socket_queue", socketQueue(c.fd)),
		slog.String("no_progress_for", since.Round(time.Millisecond).String()),
		slog.Uint64(event.Dropped, v.cursor.Dropped),
		slog.String("action", action))...)
}

// socketQueue is how many bytes the kernel holds for fd.
func socketQueue(fd int) int {
	n, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
	if err != nil {
		return 0
	}
	return n
}

// attrs are what every log line about c tells, and more.
func (c *conn) attrs(more ...slog.Attr) []any {
	attrs := make([]any, 0, len(more)+3)
	attrs = append(attrs,
		slog.String(event.ClientID, c.idString()),
		slog.String(event.Protocol, c.watchedBy()),
		slog.String(event.RemoteAddr, c.remote()))
	for _, a := range more {
		attrs = append(attrs, a)
	}
	return attrs
}
