package netloop

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// moderator lets what publishers send gather, as network cards do with their
// interrupts: a loop that gets thousands of small reads a second spends more on
// going to sleep and waking than on the reads. Event-loop goroutine only.
type moderator struct {
	since  int64 // start of the interval that is counted, ns
	events int
	naps   bool  // the last interval had enough of them
	napped int64 // when the last nap was over, ns
}

const (
	// moderateInterval is how long events are counted, moderateEvents how many
	// of them in that time are worth a nap: 4,000 a second.
	moderateInterval = int64(10 * time.Millisecond)
	moderateEvents   = 40
	// napTime is the length of a nap, and awakeTime the least time between
	// two, in ns. What comes meanwhile is read in one round after it.
	napTime   = int64(500 * time.Microsecond)
	awakeTime = int64(100 * time.Microsecond)
)

// event counts a read of a publisher at now, and reports whether there are so
// many that the loop should nap.
func (m *moderator) event(now int64) bool {
	m.events++
	if now-m.since >= moderateInterval {
		m.naps = now-m.since < 2*moderateInterval && m.events >= moderateEvents
		m.since, m.events = now, 0
	}
	if !m.naps || now-m.napped < awakeTime {
		return false
	}
	m.napped = now + napTime
	return true
}

// nap sleeps for napTime without telling the Go scheduler, which would give
// the loop's place away.
func nap() {
	ts := unix.NsecToTimespec(napTime)
	_, _, _ = unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&ts)), 0, 0)
}
