package netloop

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"
)

// never is a moment that does not come.
const never = math.MaxInt64

// clock has its loop called when the moment asked for has come. It is a
// timerfd in the loop's own epoll: no goroutine and no thread has to wake for
// a loop to wake, and what is due waits its turn among the loop's sockets.
// Event-loop goroutine only.
type clock struct {
	now         func() int64
	due         int64
	fd          int // of the timer
	armed, held bool
}

func newClock(now func() int64) (*clock, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create timer: %w", err)
	}
	return &clock{now: now, due: never, fd: fd}, nil
}

// enroll puts the clock on its loop, where it is a connection with context l,
// and returns the descriptor that the loop has of it.
func (c *clock) enroll(l *loop) (int, error) {
	nc, err := timerConn(c.fd)
	if err != nil {
		return 0, err
	}
	results, err := l.el.Enroll(gnet.NewContext(context.Background(), l), nc)
	if err != nil {
		nc.Close()
		return 0, err
	}
	r, ok := <-results
	if !ok {
		return 0, errors.New("gnet does not say what became of the timer")
	} else if r.Err != nil {
		return 0, r.Err
	}
	return r.Conn.Fd(), nil
}

// timerConn dresses the timer up as what gnet can enroll: a connection whose
// descriptor is then put aside for it. gnet does with it what it does with
// a socket that has something to read: reads, and says so.
func timerConn(timer int) (net.Conn, error) {
	p, err := socketPair()
	if err != nil {
		return nil, err
	}
	p.keep.Close()
	raw, err := p.enroll.(*net.UnixConn).SyscallConn()
	if err == nil {
		var dup error
		err = raw.Control(func(fd uintptr) { dup = unix.Dup3(timer, int(fd), unix.O_CLOEXEC) })
		err = errors.Join(err, dup)
	}
	if err != nil {
		p.enroll.Close()
		return nil, fmt.Errorf("make timer a connection: %w", err)
	}
	return p.enroll, nil
}

// set asks for a call at due (ns), or earlier if that was asked for before.
func (c *clock) set(due int64) {
	if due >= c.due {
		return
	}
	c.due = due
	if !c.held {
		c.arm()
	}
}

func (c *clock) arm() {
	// Zero would disarm it.
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(max(c.due-c.now(), 1))}
	_ = unix.TimerfdSettime(c.fd, 0, &spec, nil)
	c.armed = true
}

// fired notes that the call was served; what is due next is set anew.
func (c *clock) fired() { c.due, c.armed = never, false }

// hold keeps the timer off until release: who holds the clock makes its calls.
func (c *clock) hold() {
	c.held = true
	if c.armed {
		_ = unix.TimerfdSettime(c.fd, 0, &unix.ItimerSpec{}, nil)
		c.armed = false
	}
}

// release has the timer make the calls again.
func (c *clock) release() {
	c.held = false
	if c.due != never {
		c.arm()
	}
}

func (c *clock) close() { unix.Close(c.fd) }
