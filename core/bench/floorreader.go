package bench

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// floorReader is a thread that reads from its sockets and forgets.
type floorReader struct {
	ep           int
	calls, bytes atomic.Uint64
}

func newReader() (*floorReader, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create epoll: %w", err)
	}
	return &floorReader{ep: ep}, nil
}

func (r *floorReader) add(c accepted) {
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(c.fd)}
	if err := unix.EpollCtl(r.ep, unix.EPOLL_CTL_ADD, c.fd, &ev); err != nil {
		_ = unix.Close(c.fd)
	}
}

// run reads for ever.
func (r *floorReader) run() {
	runtime.LockOSThread()
	events := make([]unix.EpollEvent, pollerEvents)
	b := make([]byte, 64<<10)
	for {
		for _, ev := range events[:waitRaw(r.ep, events)] {
			r.read(int(ev.Fd), b)
		}
	}
}

// waitRaw is epoll_pwait(2) without the scheduler (see sleepUntil). It returns
// now and then, since a thread that does not can't be stopped for the garbage
// collector.
func waitRaw(ep int, events []unix.EpollEvent) int {
	const limit = 100 // ms
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(ep), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), limit, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

func (r *floorReader) read(fd int, b []byte) {
	n, err := read(fd, b)
	if errors.Is(err, unix.EAGAIN) {
		return
	}
	if err != nil || n == 0 {
		_ = unix.Close(fd)
		return
	}
	r.calls.Add(1)
	r.bytes.Add(uint64(n))
}

func (r *floorReader) counts() WriterCounts {
	return WriterCounts{Calls: r.calls.Load(), Bytes: r.bytes.Load()}
}
