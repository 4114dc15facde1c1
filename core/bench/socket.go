package bench

import (
	"errors"
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Linux's numbers for what x/sys has no names for.
const ipBindAddressNoPort = 24

// dial starts to connect a socket that does not block. A source that is not
// valid is left to the kernel.
func dial(to netip.AddrPort, from netip.Addr) (fd int, err error) {
	family := unix.AF_INET6
	if to.Addr().Is4() {
		family = unix.AF_INET
	}
	fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return -1, fmt.Errorf("create socket: %w", err)
	}
	if from.IsValid() {
		// The port is chosen at connect, so that one may serve for several
		// destinations and 28,000 are not all there are.
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, ipBindAddressNoPort, 1)
		err = unix.Bind(fd, sockaddr(netip.AddrPortFrom(from, 0)))
	}
	if err == nil {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		err = unix.Connect(fd, sockaddr(to))
	}
	if err != nil && !errors.Is(err, unix.EINPROGRESS) {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("connect: %w", err)
	}
	return fd, nil
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

// source is the address that connection i comes from: its own of 127.0.0.0/8
// if the target is there, so that neither ports nor limits per address run
// out.
func sourceFor(to netip.Addr, i int) netip.Addr {
	if !to.Is4() || !to.IsLoopback() {
		return netip.Addr{}
	}
	return netip.AddrFrom4([4]byte{127, byte(1 + i>>16&63), byte(i >> 8), byte(i)})
}

// connectError is how a connect ended.
func connectError(fd int) error {
	n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	switch {
	case err != nil:
		return fmt.Errorf("connect: %w", err)
	case n != 0:
		return fmt.Errorf("connect: %w", unix.Errno(n))
	}
	return nil
}

// The calls below are raw: the sockets never block, and the scheduler need not
// know of 100,000 calls a second.

// read reads into b.
func read(fd int, b []byte) (int, error) {
	return transfer(unix.SYS_READ, fd, b, 0)
}

// discard takes up to len(b) bytes from a socket without copying them (tcp(7),
// MSG_TRUNC); b is not written to.
func discard(fd int, b []byte) (int, error) {
	return transfer(unix.SYS_RECVFROM, fd, b, unix.MSG_TRUNC)
}

// write writes b.
func write(fd int, b []byte) (int, error) {
	return transfer(unix.SYS_WRITE, fd, b, 0)
}

// transfer returns 0 bytes and unix.EAGAIN if the socket is not ready.
func transfer(call uintptr, fd int, b []byte, flags uintptr) (int, error) {
	for {
		n, _, errno := unix.RawSyscall6(call, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), flags, 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
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

// spareDescriptors is what a process needs beside its connections.
const spareDescriptors = 64

// enoughDescriptors raises the limit of open files and says if it is too low
// for n connections.
func enoughDescriptors(n int) error {
	if limit := raiseDescriptors(); uint64(n)+spareDescriptors > limit {
		return fmt.Errorf("%d connections: %w, which is %d (ulimit -Hn); use several processes", n, ErrDescriptors, limit)
	}
	return nil
}

// ErrDescriptors is returned for more connections than there may be open
// files.
var ErrDescriptors = errors.New("more than the limit of open files allows")
