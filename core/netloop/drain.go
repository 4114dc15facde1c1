package netloop

import (
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// drain tells when a full socket takes bytes again. It is a second epoll
// beside gnet's, which can say no such thing: EPOLLOUT, one shot, itself
// parked in Go's netpoller until something is ready.
type drain struct {
	epoll *os.File
	fd    int
	raw   syscall.RawConn
	ready func([]slot)
	ended sync.WaitGroup
}

// slot names a connection to the kernel. A descriptor would not do: its
// number may have gone to another connection by the time the event is read.
type slot struct{ index, generation int32 }

// newDrain starts one. It hands what became writable to ready, which must not
// block.
func newDrain(ready func([]slot)) (*drain, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, err
	}
	d := &drain{epoll: os.NewFile(uintptr(fd), "drain"), fd: fd, ready: ready}
	if d.raw, err = d.epoll.SyscallConn(); err != nil {
		d.epoll.Close()
		return nil, err
	}
	d.ended.Go(d.run)
	return d, nil
}

func (d *drain) run() {
	events := make([]unix.EpollEvent, 256)
	for {
		n := 0
		err := d.raw.Read(func(fd uintptr) bool {
			n, _ = unix.EpollWait(int(fd), events, 0)
			return n > 0
		})
		if err != nil {
			return // closed
		}
		slots := make([]slot, n)
		for i, ev := range events[:n] {
			slots[i] = slot{ev.Fd, ev.Pad}
		}
		d.ready(slots)
	}
}

// arm asks for one report of fd as s. armed tells whether it was ever asked
// for before.
func (d *drain) arm(fd int, s slot, armed bool) error {
	op := unix.EPOLL_CTL_ADD
	if armed {
		op = unix.EPOLL_CTL_MOD
	}
	return unix.EpollCtl(d.fd, op, fd, &unix.EpollEvent{
		Events: unix.EPOLLOUT | unix.EPOLLONESHOT, Fd: s.index, Pad: s.generation,
	})
}

// forget must be called before an armed descriptor is closed or handed on.
func (d *drain) forget(fd int) { _ = unix.EpollCtl(d.fd, unix.EPOLL_CTL_DEL, fd, nil) }

func (d *drain) close() {
	d.epoll.Close()
	d.ended.Wait()
}
