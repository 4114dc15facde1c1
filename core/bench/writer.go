package bench

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"runtime"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// RunWriter is the bare process of [Floor] and [IngestFloor]. It ends with its
// input.
func RunWriter(o WriterOptions, in io.Reader, out io.Writer) error {
	o = o.withDefaults()
	raiseDescriptors()
	// The threads never give their processor back; others need some too.
	runtime.GOMAXPROCS(o.Threads + 2)
	fd, addr, err := listen()
	if err != nil {
		return err
	}
	var all []worker
	for range o.Threads {
		var w worker = newWriter(o)
		if o.Ingest {
			w, err = newReader()
		}
		if err != nil {
			return err
		}
		all = append(all, w)
		go w.run()
	}
	go accept(fd, all)
	if _, err := fmt.Fprintln(out, addr); err != nil {
		return fmt.Errorf("say where the bare process listens: %w", err)
	}
	return answer(all, in, out)
}

// worker is a thread of the bare process.
type worker interface {
	run()
	// add gives it a socket, and counts returns what it did; any goroutine.
	add(fd int)
	counts() WriterCounts
}

// answer answers each line with the counts.
func answer(all []worker, in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		var sum WriterCounts
		for _, w := range all {
			sum = sum.plus(w.counts())
		}
		if err := json.NewEncoder(out).Encode(sum); err != nil {
			return fmt.Errorf("answer: %w", err)
		}
	}
	return nil
}

func listen() (fd int, addr netip.AddrPort, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return -1, addr, fmt.Errorf("create socket: %w", err)
	}
	if err = unix.Bind(fd, sockaddr(netip.AddrPortFrom(loopback, 0))); err == nil {
		err = unix.Listen(fd, 4096)
	}
	if err != nil {
		return -1, addr, fmt.Errorf("listen: %w", err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return -1, addr, fmt.Errorf("listen: %w", err)
	}
	in4, _ := sa.(*unix.SockaddrInet4)
	return fd, netip.AddrPortFrom(loopback, uint16(in4.Port)), nil
}

// accept deals connections out. When descriptors run out it waits for some to
// be closed.
func accept(fd int, all []worker) {
	for i := 0; ; i++ {
		c, _, err := unix.Accept4(fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			time.Sleep(time.Millisecond)
			continue
		}
		_ = unix.SetsockoptInt(c, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		all[i%len(all)].add(c)
	}
}

// incoming are sockets on their way to a worker's thread.
type incoming struct {
	mu  sync.Mutex
	fds []int
}

func (in *incoming) add(fd int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.fds = append(in.fds, fd)
}

func (in *incoming) take() []int {
	in.mu.Lock()
	defer in.mu.Unlock()
	fds := in.fds
	in.fds = nil
	return fds
}

// sleepUntil sleeps on the thread itself, by a raw call: a scheduler that knew
// of it would take the processor from a thread that sleeps, give it back, and
// have its watchdog wake up every 20 µs to do so, a fifth of all CPU time
// here. Woken early, it returns: the caller looks at the time.
func sleepUntil(at time.Time) {
	if d := time.Until(at); d > 0 {
		ts := unix.NsecToTimespec(int64(d))
		_, _, _ = unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&ts)), 0, 0)
	}
}
