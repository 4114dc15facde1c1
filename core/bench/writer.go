package bench

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"runtime"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/core/certificate"
	"github.com/millrace/millrace/core/secure"
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
	var config *tls.Config
	if o.TLS {
		c, err := certificate.SelfSigned(selfSignedLife)
		if err != nil {
			return err
		}
		config = &tls.Config{Certificates: []tls.Certificate{c}, MinVersion: tls.VersionTLS12}
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
	go accept(fd, config, all)
	if _, err := fmt.Fprintln(out, addr); err != nil {
		return fmt.Errorf("say where the bare process listens: %w", err)
	}
	return answer(all, in, out)
}

// worker is a thread of the bare process.
type worker interface {
	run()
	// add gives it a socket, and counts returns what it did; any goroutine.
	add(c accepted)
	counts() WriterCounts
}

// accepted is a socket, and the TLS over it if there is any.
type accepted struct {
	fd  int
	tls *secure.Conn
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
func accept(fd int, config *tls.Config, all []worker) {
	for i := 0; ; i++ {
		c, _, err := unix.Accept4(fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			time.Sleep(time.Millisecond)
			continue
		}
		_ = unix.SetsockoptInt(c, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		w := all[i%len(all)]
		if config == nil {
			w.add(accepted{fd: c})
			continue
		}
		go func() {
			if fd, s, err := serveTLS(c, config); err == nil {
				w.add(accepted{fd, s})
			}
		}()
	}
}

// incoming are sockets on their way to a worker's thread.
type incoming struct {
	mu  sync.Mutex
	all []accepted
}

func (in *incoming) add(c accepted) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.all = append(in.all, c)
}

func (in *incoming) take() []accepted {
	in.mu.Lock()
	defer in.mu.Unlock()
	all := in.all
	in.all = nil
	return all
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
