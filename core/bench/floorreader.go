package bench

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"

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

func (r *floorReader) add(fd int) {
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	if err := unix.EpollCtl(r.ep, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		_ = unix.Close(fd)
	}
}

// run reads for ever.
func (r *floorReader) run() {
	runtime.LockOSThread()
	events := make([]unix.EpollEvent, pollerEvents)
	b := make([]byte, 64<<10)
	for {
		n, err := unix.EpollWait(r.ep, events, -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
		for _, ev := range events[:max(n, 0)] {
			r.read(int(ev.Fd), b)
		}
	}
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
