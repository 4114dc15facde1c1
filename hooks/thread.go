package hooks

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// yieldNice is by how much the thread of a slow call is nicer than others.
	yieldNice = 5
	// yieldSlice is the longest that the kernel takes. Who has a shorter one,
	// as all others do, need not wait for the end of this one's (sched(7),
	// since Linux 6.12; others go by the nice value alone).
	yieldSlice = 100 * time.Millisecond
)

// yieldThread has the kernel let every other thread go before this goroutine's,
// which ends with the goroutine: a thread may become nicer only. Without it, an
// event loop that has something to do would wait until a script's share of the
// processor is used up.
func yieldThread() {
	runtime.LockOSThread() // and never unlock
	now, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		return
	}
	own := 20 - now // getpriority(2): so the system call tells it
	// What cannot be had is done without.
	_ = unix.SchedSetAttr(0, &unix.SchedAttr{
		Size: unix.SizeofSchedAttr, Nice: int32(min(own+yieldNice, 19)), Runtime: uint64(yieldSlice),
	}, 0)
}
