package netloop

import (
	"math"
	"sync/atomic"
	"time"
)

// never is a moment that does not come.
const never = math.MaxInt64

// clock calls back once the moment asked for has come. One goroutine per
// loop, asleep when nothing is due.
type clock struct {
	now   func() int64
	fire  func()
	due   atomic.Int64
	wake  chan struct{}
	done  chan struct{}
	ended chan struct{}
}

func newClock(now func() int64, fire func()) *clock {
	c := &clock{now: now, fire: fire, wake: make(chan struct{}, 1),
		done: make(chan struct{}), ended: make(chan struct{})}
	c.due.Store(never)
	go c.run()
	return c
}

// set asks for a call at due (ns), or earlier if that was asked for before.
// The loop's goroutine only, as fired.
func (c *clock) set(due int64) {
	if due >= c.due.Load() {
		return
	}
	c.due.Store(due)
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// fired notes that the call was served; what is due next is set anew.
func (c *clock) fired() { c.due.Store(never) }

func (c *clock) run() {
	defer close(c.ended)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		due := c.due.Load()
		wait := due - c.now()
		if due != never && wait <= 0 {
			c.fire()
			wait = never
		}
		timer.Reset(time.Duration(wait))
		select {
		case <-c.done:
			return
		case <-c.wake:
		case <-timer.C:
		}
	}
}

func (c *clock) close() {
	close(c.done)
	<-c.ended
}
