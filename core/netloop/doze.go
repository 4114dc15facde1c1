package netloop

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	_ "unsafe" // for go:linkname

	"golang.org/x/sys/unix"
)

// doze is how a loop waits between two calls for slots of the merge window, or
// for publishers that are read in turn: in the handler that it is in, on gnet's
// epoll, with the next call as timeout. Back in gnet's own loop it would ask the
// epoll once more, yield in a way that wakes another thread, wait, and read the
// timer: with few viewers to a call that costs a sixth of what serving them does.
//
// What gnet has fetched and not yet handed out when a loop dozes off is not
// lost sight of: its sockets are level-triggered, so that the epoll is ready as
// long as they are. Only gnet's own tasks are not, and of those that we send it
// coming keeps count.
type doze struct {
	epoll int // gnet's; 0: not known, the loop does not doze
	// coming are the tasks and connections that were sent to the loop and that
	// it does not have yet. Any goroutine.
	coming atomic.Int64
}

const (
	// dozeLongest is how long a loop waits at a time, in ns: see longestTick.
	dozeLongest = longestTick + int64(600*time.Microsecond)
	// dozeMost is how long it stays in one handler, in ns: tasks of gnet's may
	// wait for that long.
	dozeMost = int64(25 * time.Millisecond)
)

// nap is how long a loop that dozes since begin may wait now, in ns; 0: not at
// all.
func (l *loop) nap(begin int64) int64 {
	now := l.now()
	wait := l.clock.due - now
	if wait > dozeLongest || now-begin > dozeMost || !l.ticks() || l.doze.coming.Load() != 0 {
		return 0
	}
	return max(wait, 0)
}

// ticks reports whether the clock calls again and again.
func (l *loop) ticks() bool { return l.ticking.Load() || l.gathering.on }

// dozeOff does what is due until something comes. It is called at the end of
// a handler: of c's, or of the clock's if that is nil.
func (l *loop) dozeOff(c *conn) {
	if l.doze.epoll == 0 {
		return
	}
	begin := l.now()
	if l.nap(begin) == 0 || l.stirs(0) {
		return
	}
	l.clock.hold()
	for wait := l.nap(begin); wait > 0 && !l.stirs(wait); wait = l.nap(begin) {
		l.run(l.onClock)
		if c != nil && c.dead {
			break
		}
	}
	l.clock.release()
}

// stirs reports whether something comes within wait (ns).
func (l *loop) stirs(wait int64) bool {
	goyield()
	fds := [1]unix.PollFd{{Fd: int32(l.doze.epoll), Events: unix.POLLIN}}
	timeout := unix.NsecToTimespec(wait)
	n, err := unix.Ppoll(fds[:], &timeout, nil)
	return n != 0 || err != nil
}

// goyield lets other goroutines of this processor run, if there are any, and
// begins a new slice of time: without one in 10 ms, Go's monitor takes the
// processor away from a goroutine that waits in the kernel. Unlike
// runtime.Gosched it wakes no other thread. The runtime keeps it for use like
// this one (go.dev/issue/67401).
//
//go:linkname goyield runtime.goyield
func goyield()

var errNoEpoll = errors.New("no epoll of this process watches it")

// epollOf finds the epoll that watches fd, by what the kernel tells of each
// (proc_pid_fdinfo(5)): gnet keeps it to itself.
func epollOf(fd int) (int, error) {
	const dir = "/proc/self/fdinfo"
	all, err := os.ReadDir(dir)
	if err != nil {
		return 0, fmt.Errorf("list descriptors: %w", err)
	}
	for _, e := range all {
		info, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			continue // closed meanwhile
		}
		if watches(string(info), fd) {
			return strconv.Atoi(e.Name())
		}
	}
	return 0, errNoEpoll
}

// watches reports whether info is of an epoll that watches fd.
func watches(info string, fd int) bool {
	for line := range strings.Lines(info) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "tfd:" && f[1] == strconv.Itoa(fd) {
			return true
		}
	}
	return false
}
