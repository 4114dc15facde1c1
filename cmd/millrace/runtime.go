package main

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// loops is how many event loops to run: n, or for 0 as many as there are CPUs
// that this process may use (Go knows of a container's quota).
func loops(n int) int {
	if n == 0 {
		return runtime.GOMAXPROCS(0)
	}
	return n
}

// spareProcs gives the Go scheduler more places to run goroutines in than
// there are loops. A loop spends its life in epoll_wait and writev; while no
// other place is free, the runtime's monitor wakes every 20 µs to take the
// loop's away, which cost a quarter of the server's CPU. They are few: a
// quarter of the places is the garbage collector's while it runs, and on two
// CPUs two of its workers leave the loops none.
func spareProcs(loops int) {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(2*loops, loops+3))
	}
}

// raiseDescriptors raises the limit of open files to the hard limit and
// returns what is in force.
func raiseDescriptors() uint64 {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		return 0
	}
	lim.Cur = lim.Max
	_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &lim)
	_ = unix.Getrlimit(unix.RLIMIT_NOFILE, &lim)
	return lim.Cur
}
