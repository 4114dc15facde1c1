package netloop

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestClock has it fire for each moment that was asked for, never before.
func TestClock(t *testing.T) {
	t.Parallel()
	start := time.Now()
	now := func() int64 { return int64(time.Since(start)) }
	var mu sync.Mutex // stands for the loop
	var c *clock
	var due, fired int64
	ready := make(chan struct{})
	c = newClock(now, func() {
		<-ready
		mu.Lock()
		defer mu.Unlock()
		if at := now(); at < due {
			t.Errorf("it fires %d ns too early", due-at)
		}
		c.fired()
		atomic.StoreInt64(&fired, due)
	})
	close(ready)
	for i := range 50 {
		mu.Lock()
		due = now() + int64(i%5)*int64(time.Millisecond)
		c.set(due + int64(time.Hour)) // the earlier one counts
		c.set(due)
		mu.Unlock()
		eventually(t, "it has fired", func() bool { return atomic.LoadInt64(&fired) == due })
	}
	c.close()
}

// TestClockSleeps has nothing due.
func TestClockSleeps(t *testing.T) {
	t.Parallel()
	n := 0
	c := newClock(func() int64 { return 1 << 60 }, func() { n++ })
	c.close()
	if n != 0 {
		t.Errorf("it fired %d times", n)
	}
}
