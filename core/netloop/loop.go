package netloop

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/core/stream"
)

// loop is one event loop: its connections, its share of each stream's
// viewers, its timers. Unless noted, fields belong to the loop's goroutine.
type loop struct {
	engine *Engine
	index  int
	el     gnet.EventLoop
	load   atomic.Int64 // connections, with those on their way here

	conns     map[uint64]*conn
	subs      map[*stream.Stream]*sub
	waiting   waiting
	objects   objects
	wheel     wheel
	clock     *clock
	doze      doze
	drain     *drain
	fanout    fanout
	window    window
	slots     slots
	sealer    sealer
	stats     loopStats
	gathering gathering
	taps      taps
	// stalls are the connections that a command keeps from writing, and until
	// when, ns.
	stalls map[*conn]int64
	// writev is the system call that sends; a test has it fail.
	writev func(fd int, iov []unix.Iovec) (n int, errno unix.Errno)
	// passTask is a pass, ready to be posted.
	passTask *task

	// current is the connection being served, to be blamed for a panic.
	current *conn

	wokenMu sync.Mutex
	woken   inbox[*sub] // streams with news, any goroutine appends
	// pending is set while a pass is due; waking while this loop wakes others
	// for frames that it read itself; ticking and backlog while the clock
	// comes anyway, for slots of the merge window or for viewers that the
	// last pass had no time for.
	pending, waking, ticking, backlog atomic.Bool
}

func newLoop(e *Engine, index int, el gnet.EventLoop) (*loop, error) {
	l := &loop{
		engine: e, index: index, el: el, writev: writev,
		conns: make(map[uint64]*conn),
		subs:  make(map[*stream.Stream]*sub),
	}
	l.waiting.init(l)
	l.objects.init(l)
	l.wheel.due, l.fanout.scanDue = never, never
	l.window.init(e.Settings())
	l.gathering.init()
	l.initTaps()
	l.passTask = &task{l, l.pass}
	var err error
	if l.clock, err = newClock(e.Now); err != nil {
		return nil, err
	}
	if l.drain, err = newDrain(func(ready []slot) { l.post(func() { l.onDrain(ready) }) }); err != nil {
		l.clock.close()
		return nil, fmt.Errorf("create drain epoll: %w", err)
	}
	fd, err := l.clock.enroll(l)
	if err != nil {
		l.close()
		return nil, fmt.Errorf("enroll clock: %w", err)
	}
	if l.doze.epoll, err = epollOf(fd); err != nil {
		e.log.Debug("loop does not doze between the slots of a merge window", "reason", err.Error())
	}
	return l, nil
}

func (l *loop) close() {
	l.clock.close()
	l.drain.close()
}

func (l *loop) now() int64 { return l.engine.Now() }

// task is a function to be run on a loop, as gnet wants it. The loop keeps one
// for what it does again and again: posting that allocates nothing of ours.
type task struct {
	loop *loop
	f    func()
}

// Run is gnet's.
func (t *task) Run(context.Context) error {
	t.loop.doze.coming.Add(-1)
	t.loop.run(t.f)
	return nil
}

// run runs f as part of the loop's work.
func (l *loop) run(f func()) {
	begin := l.now()
	l.guard(nil, f)
	l.stats.busy.Add(uint64(l.now() - begin))
}

// post runs f on the loop, from any goroutine but the loop's own: gnet would
// run it in the same round, and a loop that posts to itself starves its I/O.
func (l *loop) post(f func()) { l.postTask(&task{l, f}) }

func (l *loop) postTask(t *task) {
	l.doze.coming.Add(1)
	_ = l.el.Execute(context.Background(), t) // fails when the engine is closed only
}

// guard runs f for c. A panic ends that connection and nothing else.
func (l *loop) guard(c *conn, f func()) {
	prev := l.current
	l.current = c
	defer func() {
		blamed := l.current
		l.current = prev
		if p := recover(); p != nil {
			l.engine.panicked(p)
			if blamed != nil {
				blamed.kill(causeServer, "internal error")
			}
		}
	}()
	f()
}

// panicked counts a panic that was recovered from, and logs it.
func (e *Engine) panicked(p any) {
	e.totals.panics.Add(1)
	e.log.Error("panic in a connection's handler", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
}

// wakeStream tells a stream's viewers on all loops of what this loop appended,
// and serves those on this loop.
func (l *loop) wakeStream(s *stream.Stream) {
	l.waking.Store(true)
	s.Wake()
	l.waking.Store(false)
	if l.pending.Load() {
		l.pass()
	}
	if l.taps.pending.Load() {
		l.collectTaps()
	}
}

// wake notes that sub has news. Any goroutine.
func (l *loop) wake(s *sub) {
	l.wokenMu.Lock()
	l.woken.add(s)
	l.wokenMu.Unlock()
	if l.ticking.Load() || l.backlog.Load() || l.pending.Swap(true) || l.waking.Load() {
		return
	}
	l.stats.wakeups.Add(1)
	l.postTask(l.passTask)
}

// onClock does all that has come due.
func (l *loop) onClock() {
	now := l.now()
	l.clock.fired()
	if now >= l.wheel.due {
		l.wheel.turn(now)
	}
	if now >= l.fanout.scanDue {
		l.scanBlocked(now)
	}
	if now >= l.taps.due {
		l.tickTaps(now)
	}
	if now >= l.gathering.due {
		l.readGathered(now)
	}
	if len(l.waiting.due) > 0 {
		l.waiting.goOn()
	}
	l.objects.serve()
	if l.ticking.Load() && now >= l.fanout.slotDue {
		l.slotTick(now)
	} else {
		l.pass()
	}
}

// rearm asks the clock for the next moment that something is due. Viewers to
// be visited are due at once; while serve is at it, that is its own business.
func (l *loop) rearm() {
	due := min(l.wheel.due, l.fanout.scanDue, l.taps.due, l.gathering.due)
	if l.ticking.Load() {
		due = min(due, l.fanout.slotDue)
	}
	if len(l.waiting.due) > 0 || len(l.objects.ready) > 0 || len(l.fanout.todo) > l.fanout.next && !l.fanout.serving {
		due = 0
	}
	l.clock.set(due)
}

// drainAll says good-bye to everybody but viewers: their streams have ended,
// they go when they have got the rest.
func (l *loop) drainAll() {
	for _, c := range l.conns {
		if c.viewer == nil {
			l.guard(c, c.handler.drain)
		}
	}
	l.rearm()
}

func tcpOption(fd, option, value int) {
	// A peer that has gone makes this fail; reading says so soon enough.
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, option, value)
}
