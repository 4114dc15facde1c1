package netloop

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestKernelOutOfMemory has the kernel refuse writes for want of memory: the
// viewers wait for the next look, and lose nothing.
func TestKernelOutOfMemory(t *testing.T) {
	t.Parallel()
	for _, errno := range []unix.Errno{unix.ENOBUFS, unix.ENOMEM} {
		x := newFanOut(t, 3, both(form{kind: formChunked}), 1000)
		x.loop.writev = func(int, []unix.Iovec) (int, unix.Errno) { return 0, errno }
		x.publishOne()
		if n := len(x.fanout.blocked); n != 3 {
			t.Fatalf("%v: %d viewers wait", errno, n)
		}
		x.scanBlocked(x.now())
		x.serve()
		if n := len(x.fanout.blocked); n != 3 {
			t.Fatalf("%v again: %d viewers wait", errno, n)
		}
		x.loop.writev = writev
		x.scanBlocked(x.now())
		x.serve()
		if n := drainSockets(x.far, x.buf); n < 3*len(x.frame) || len(x.fanout.blocked) > 0 {
			t.Errorf("%v, then memory: %d bytes came, %d viewers wait", errno, n, len(x.fanout.blocked))
		}
	}
}
