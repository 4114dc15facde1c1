package netloop

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestClock has it ready for reading at each moment that was asked for, never
// before.
func TestClock(t *testing.T) {
	t.Parallel()
	start := time.Now()
	now := func() int64 { return int64(time.Since(start)) }
	c, err := newClock(now)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	var b [8]byte
	for i := range 50 {
		due := now() + int64(i%5)*int64(time.Millisecond)
		c.set(due + int64(time.Hour)) // the earlier one counts
		c.set(due)
		eventually(t, "it has fired", func() bool {
			n, err := unix.Read(c.fd, b[:])
			return n == len(b) && err == nil
		})
		if at := now(); at < due {
			t.Errorf("it fires %d ns too early", due-at)
		}
		c.fired()
	}
}
