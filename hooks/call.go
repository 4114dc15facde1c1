package hooks

import (
	"context"
	"errors"
	"runtime"
	"runtime/metrics"
	"time"
)

const (
	// clockEvery is how many instructions, or characters of a pattern, pass
	// between two looks at the clock.
	clockEvery = 64
	// yieldEvery is how long a script runs before it lets event loops have
	// the processor.
	yieldEvery = 200 * time.Microsecond
	// restEvery and rest: one that runs for longer sleeps for a moment. Yielding
	// alone starves what waits in Go's network poller, which is asked only when
	// a processor has nothing else to run.
	restEvery = time.Millisecond
	rest      = 50 * time.Microsecond
	// slowAfter is how long a call computes before it falls behind, and
	// slowSteps the least that it has done by then: on a busy machine its thread
	// may have had to wait for so long itself. slowTurn is how long it runs then
	// before another of the slow does.
	slowAfter = 2 * time.Millisecond
	slowSteps = 10_000
	slowTurn  = 10 * time.Millisecond
	// watchAfter and watchEvery say when memory is looked at: no call
	// allocates much in its first millisecond.
	watchAfter = time.Millisecond
	watchEvery = time.Millisecond
	// slowFree is how much a slow call may allocate as fast as it can, and
	// slowGrowth how much a second, in bytes, beyond: the collector, which has
	// all of it to look at, is not as nice to event loops as a slow call's
	// thread. maxRest is the longest that it waits for this at once.
	slowFree   = 1 << 20
	slowGrowth = 32 << 20
	maxRest    = 20 * time.Millisecond
	// maxString is the longest string that a script can make, in bytes.
	maxString = 1 << 20
	// heapMetric counts the bytes of all objects of the process.
	heapMetric = "/memory/classes/heap/objects:bytes"
)

var (
	// ErrTimeout: the call did not end before its deadline.
	ErrTimeout = errors.New("the hook ran past its deadline")
	// ErrMemory: the call allocated more than it may.
	ErrMemory = errors.New("the hook used more memory than it may")
	// ErrOverload: the queue was full, or the wait in it too long.
	ErrOverload = errors.New("the hooks are overloaded")
	// ErrClosed: the runtime is closed.
	ErrClosed = errors.New("the hooks are closed")
)

// closedChan is what Done returns once a call has to stop.
var closedChan = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// call is the context of one call of a script. The virtual machine asks Done
// before each instruction, which makes it the place to count instructions and
// look at the clock; a timer per call would cost more, and would not see
// memory. It belongs to the goroutine that runs the state.
type call struct {
	started  time.Time
	deadline time.Duration // since started
	limit    uint64        // bytes that strings, or the process while we run, may grow by

	steps    int
	strings  uint64        // bytes of strings made
	err      error         // why the call stops; nil: it goes on
	done     chan struct{} // closed with err; nil before, which is never ready
	yielded  time.Duration
	rested   time.Duration
	watched  time.Duration
	watching bool
	baseline uint64
	grown    uint64 // what the process grew by before baseline was taken, while we ran
	seen     uint64 // the process's heap at the last look
	pace     uint64 // what it grew by since this call is slow
	held     uint64 // what of it the gate was told
	threads  int
	logLines int
	waited   time.Duration // in HTTP, where nothing of ours allocates
	lane     lane
	turn     time.Duration // since when it has its place among the slow
	sample   [1]metrics.Sample
	gate     gate // nil: not bounded
}

// lane is where a call runs.
type lane int

const (
	aside lane = iota // it waits, or its time is over
	quick             // as all do at first
	slow              // behind the others
)

// gate bounds how many scripts run at once.
type gate interface {
	// release gives up the place in a lane.
	release(lane)
	// resume waits for one, among the slow no longer than until: then it
	// returns aside.
	resume(l lane, until time.Time) lane
	// hold counts n more bytes that a call has while it is none of the
	// running; false: all of them have too much. n may be negative.
	hold(n int64) bool
}

var _ context.Context = (*call)(nil)

// begin makes c ready for a call that starts now.
func (c *call) begin(timeout time.Duration, limit uint64, g gate) {
	*c = call{started: time.Now(), deadline: timeout, limit: limit, gate: g, lane: quick}
	c.sample[0].Name = heapMetric
}

// Done is asked before each instruction of the virtual machine.
func (c *call) Done() <-chan struct{} {
	c.steps++
	if c.steps&(clockEvery-1) == 0 {
		c.look()
	}
	return c.done
}

// Err is why the call stops.
func (c *call) Err() error { return c.err }

// Deadline is when the call has to have ended.
func (c *call) Deadline() (time.Time, bool) { return c.started.Add(c.deadline), true }

// Value is nil: scripts have no context values.
func (c *call) Value(any) any { return nil }

// tick counts n steps of a library function; false: stop.
func (c *call) tick(n int) bool {
	before := c.steps / clockEvery
	c.steps += n
	if c.steps/clockEvery != before {
		c.look()
	}
	return c.err == nil
}

// grow counts n bytes of a string about to be made; false: it may not be.
func (c *call) grow(n int) bool {
	c.strings += uint64(n)
	if c.strings > c.limit {
		c.stop(ErrMemory)
	}
	return c.err == nil
}

// look checks the clock and, now and then, memory.
func (c *call) look() {
	now := time.Since(c.started)
	if now >= c.deadline {
		c.stop(ErrTimeout)
		return
	}
	if c.gate != nil && c.behind(now) {
		c.fallBehind()
		return // its next look is soon enough
	}
	c.yield(now)
	if now-c.watched > watchEvery && now-c.waited > watchAfter {
		c.watch()
		c.watched = now
		c.slowDown()
	}
}

// slowDown has a slow call that allocates fast rest as long as it ought to have
// taken for it.
func (c *call) slowDown() {
	heap := c.sample[0].Value.Uint64()
	if c.lane != slow || c.err != nil {
		c.seen = 0
		return
	}
	if c.seen != 0 && heap > c.seen {
		before := c.pace
		c.pace += heap - c.seen
		if more := c.pace - max(before, slowFree); c.pace > slowFree {
			time.Sleep(min(time.Duration(more)*time.Second/slowGrowth, maxRest, max(c.left(), 0)))
			metrics.Read(c.sample[:]) // what others did meanwhile is not this call's
			heap = c.sample[0].Value.Uint64()
		}
	}
	c.seen = heap
}

// yield lets others have the processor, now and then. A slow call only rests:
// its thread is its own, and there is nobody to hand it to.
func (c *call) yield(now time.Duration) {
	switch {
	case now-c.rested > restEvery:
		time.Sleep(rest)
		c.rested, c.yielded = now, now
	case c.lane == quick && now-c.yielded > yieldEvery:
		runtime.Gosched()
		c.yielded = now
	}
}

// watch stops a call during which the process grew by more than the limit.
// Growth cannot be told apart by owner, so it counts only after the call has
// computed for a millisecond, which calls that mean no harm rarely do.
func (c *call) watch() {
	metrics.Read(c.sample[:])
	heap := c.sample[0].Value.Uint64()
	if !c.watching || heap < c.baseline {
		c.watching, c.baseline = true, heap
		return
	}
	if c.grown+heap-c.baseline > c.limit {
		c.stop(ErrMemory)
	}
}

// pause is called before a wait, in which others allocate: what was seen of
// this call's growth is kept.
func (c *call) pause() {
	if !c.watching {
		return
	}
	c.watch()
	c.grown += c.sample[0].Value.Uint64() - c.baseline
	c.watching = false
	if c.gate != nil && c.grown > c.held {
		more := c.grown - c.held
		c.held = c.grown
		if !c.gate.hold(int64(more)) {
			c.stop(ErrMemory)
		}
	}
}

// end gives back what the gate was told.
func (c *call) end() {
	if c.held > 0 {
		c.gate.hold(-int64(c.held))
		c.held = 0
	}
}

func (c *call) stop(err error) {
	if c.err == nil {
		c.err, c.done = err, closedChan
	}
}

// behind tells when a call has had its time: it is slow from here on, or lets
// another of the slow go on.
func (c *call) behind(now time.Duration) bool {
	switch c.lane {
	case quick:
		return now-c.waited > slowAfter && c.steps > slowSteps
	case slow:
		return now-c.turn > slowTurn
	}
	return false
}

// fallBehind gives up the call's place, and waits for its turn among the slow.
func (c *call) fallBehind() {
	if c.pause(); c.err != nil {
		return // it ends here
	}
	first := c.lane == quick
	c.seen = 0
	c.wait(func() {
		c.gate.release(c.lane)
		c.lane = c.gate.resume(slow, c.started.Add(c.deadline))
	})
	if c.turn = time.Since(c.started); first {
		yieldThread()
	}
	if c.lane == aside {
		c.stop(ErrTimeout)
	}
}

// outside runs f, which waits for something outside, without the place that
// the call has among the running ones.
func (c *call) outside(f func()) {
	c.wait(func() {
		if c.gate == nil || c.lane == aside {
			f()
			return
		}
		was := c.lane
		c.gate.release(was)
		f()
		c.lane = c.gate.resume(was, c.started.Add(c.deadline))
	})
	c.look()
}

// wait runs f, in which the call does nothing.
func (c *call) wait(f func()) {
	c.pause()
	before := time.Since(c.started)
	f()
	c.waited += time.Since(c.started) - before
}

// left is the time until the deadline.
func (c *call) left() time.Duration { return c.deadline - time.Since(c.started) }
