package bench

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// poller is an epoll with a thread of its own that serves sockets and a clock.
// Unless noted, its methods belong to that thread.
type poller struct {
	ep, wakeup int
	events     []unix.EpollEvent
	buf        []byte // scratch for whoever reads
	clear      []byte // and for what was in it, of TLS
	opened     [16 << 10]byte
	socks      []socket
	now        time.Time // when the sockets at hand were found ready
	// tick does what is due at now and returns when it wants to be called
	// again; nil if there is nothing.
	tick func(now time.Time) time.Time
	// nap is how long to sleep before looking for ready sockets: more of them
	// are found then, and nobody else spends time on waking this thread up.
	// Set before there are sockets.
	nap time.Duration

	mu     sync.Mutex
	posted []func()
	closed bool
	done   chan struct{}
}

// socket is what a poller serves.
type socket interface {
	// ready is told which of EPOLLIN, EPOLLOUT, … hold.
	ready(events uint32)
}

const (
	pollerEvents = 512
	pollerBuffer = 256 << 10
	// idleWait is how long a poller with nothing to do sleeps.
	idleWait = time.Second
)

// newPoller starts a poller.
func newPoller() (*poller, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create epoll: %w", err)
	}
	wakeup, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		_ = unix.Close(ep)
		return nil, fmt.Errorf("create eventfd: %w", err)
	}
	p := &poller{ep: ep, wakeup: wakeup, events: make([]unix.EpollEvent, pollerEvents),
		buf: make([]byte, pollerBuffer), done: make(chan struct{})}
	if err := p.watch(wakeup, unix.EPOLLIN, waker{p}); err != nil {
		_ = unix.Close(ep)
		_ = unix.Close(wakeup)
		return nil, err
	}
	go p.run()
	return p, nil
}

// watch has s told of events of fd, which are those of epoll_ctl(2).
func (p *poller) watch(fd int, events uint32, s socket) error {
	p.socks = append(p.socks, s)
	ev := unix.EpollEvent{Events: events, Fd: int32(len(p.socks) - 1)}
	if err := unix.EpollCtl(p.ep, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return fmt.Errorf("watch socket: %w", err)
	}
	return nil
}

// change changes the events of the socket that was watched as slot.
func (p *poller) change(fd, slot int, events uint32) error {
	ev := unix.EpollEvent{Events: events, Fd: int32(slot)}
	if err := unix.EpollCtl(p.ep, unix.EPOLL_CTL_MOD, fd, &ev); err != nil {
		return fmt.Errorf("watch socket: %w", err)
	}
	return nil
}

func (p *poller) run() {
	// A thread of its own: its CPU time can be read, and it need not be
	// handed around between the calls.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.done)
	wait := time.Duration(0)
	for !p.isClosed() {
		if p.nap > 0 {
			ts := unix.NsecToTimespec(int64(p.nap))
			_ = unix.Nanosleep(&ts, nil) // shorter will do
		}
		n, err := unix.EpollWait(p.ep, p.events, int((wait+time.Millisecond-1)/time.Millisecond))
		if err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
		p.now = time.Now()
		for _, ev := range p.events[:max(n, 0)] {
			p.socks[ev.Fd].ready(ev.Events)
		}
		wait = p.turn()
	}
}

// turn does what is due and returns how long to wait.
func (p *poller) turn() time.Duration {
	if p.tick == nil {
		return idleWait
	}
	now := time.Now()
	next := p.tick(now)
	return min(max(next.Sub(now), 0), idleWait)
}

func (p *poller) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// do has f run on the poller's thread and waits for it. Any other goroutine;
// not after close.
func (p *poller) do(f func()) {
	done := make(chan struct{})
	p.mu.Lock()
	p.posted = append(p.posted, func() { f(); close(done) })
	p.mu.Unlock()
	p.wake()
	<-done
}

func (p *poller) wake() {
	// Full is as good: the poller is about to wake up.
	_, _ = unix.Write(p.wakeup, []byte{1, 0, 0, 0, 0, 0, 0, 0})
}

// waker runs what was posted.
type waker struct{ p *poller }

func (w waker) ready(uint32) {
	var count [8]byte
	_, _ = unix.Read(w.p.wakeup, count[:])
	w.p.mu.Lock()
	posted := w.p.posted
	w.p.posted = nil
	w.p.mu.Unlock()
	for _, f := range posted {
		f()
	}
}

// close ends the thread. Any other goroutine. Sockets are their owners' to
// close.
func (p *poller) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.wake()
	<-p.done
	_ = unix.Close(p.ep)
	_ = unix.Close(p.wakeup)
}

// cpu is what the poller's thread has used.
func (p *poller) cpu() time.Duration {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
