package netloop

import (
	"encoding/binary"
	"errors"
	"math"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// dozer is a bare loop with a clock, an epoll that watches an eventfd
// and the clock, and calls to make for as long as it is let.
type dozer struct {
	*bare
	news   int // an eventfd
	viewer *viewer
	during func(*dozer) // is called when a frame is written
}

func newDozer(t *testing.T) *dozer {
	t.Helper()
	d := &dozer{bare: newBare(t, func(s *Settings) { s.Viewers.MergeWindow = 200 * time.Millisecond })}
	d.engine.start = time.Now()
	d.news = newEventfd(t)
	var err error
	if d.clock, err = newClock(d.now); err != nil {
		t.Fatal(err)
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	d.doze.epoll = epoll
	t.Cleanup(func() {
		unix.Close(epoll)
		d.clock.close()
	})
	for _, fd := range []int{d.news, d.clock.fd} {
		if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Fd: int32(fd), Events: unix.EPOLLIN}); err != nil {
			t.Fatal(err)
		}
	}
	f := d.publish(t, "live/a")
	d.viewer = d.view(-1, f, both(form{kind: formPlain}))
	d.writev = func(_ int, iov []unix.Iovec) (int, unix.Errno) {
		if d.during != nil {
			d.during(d)
		}
		return vecBytes(iov), 0
	}
	d.taps.due, d.gathering.due = never, never
	f.key(100)
	d.pass() // a newcomer is served at once
	d.viewer.sub.slotsLeft = math.MaxInt
	d.fanout.active = append(d.fanout.active, d.viewer.sub)
	d.ticking.Store(true)
	return d
}

func newEventfd(t *testing.T) int {
	t.Helper()
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// stir has something to read for the loop.
func (d *dozer) stir() { _, _ = unix.Write(d.news, binary.NativeEndian.AppendUint64(nil, 1)) }

// TestDoze has a loop make its calls in a handler until something comes, and
// leave the next to the clock.
func TestDoze(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before, during func(d *dozer)
		calls          bool // some are made
	}{
		"nothing comes":             {nil, nil, true},
		"something is there":        {(*dozer).stir, nil, false},
		"a task is on its way":      {func(d *dozer) { d.doze.coming.Add(1) }, nil, false},
		"nothing is due soon":       {func(d *dozer) { d.ticking.Store(false); d.wheel.due = d.now() + int64(time.Hour) }, nil, false},
		"the epoll is unknown":      {func(d *dozer) { d.doze.epoll = 0 }, nil, false},
		"something comes meanwhile": {nil, (*dozer).stir, true},
		"a task comes meanwhile":    {nil, func(d *dozer) { d.doze.coming.Add(1) }, true},
		"the connection is killed":  {nil, func(d *dozer) { d.viewer.conn.kill(causeServer, "test") }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDozer(t)
			if c.before != nil {
				c.before(d)
			}
			d.during = c.during
			slot := d.fanout.slot
			called := func() bool {
				d.fanout.slotDue = d.now() + int64(5*time.Millisecond)
				d.clock.due = never
				d.rearm()
				d.dozeOff(d.viewer.conn)
				return d.fanout.slot != slot
			}
			if !c.calls && called() {
				t.Error("calls were made")
			} else if c.calls {
				// It comes too late for the call where the machine is slow.
				eventually(t, "calls are made", called)
			}
			if d.clock.held || d.clock.due == never || !d.clock.armed {
				t.Errorf("held %v, due at %d, armed %v: nobody makes the next call", d.clock.held, d.clock.due, d.clock.armed)
			}
		})
	}
}

// TestEpollOf finds the epoll that a loop's clock is in, and no other.
func TestEpollOf(t *testing.T) {
	t.Parallel()
	d := newDozer(t)
	if got, err := epollOf(d.clock.fd); err != nil || got != d.doze.epoll {
		t.Errorf("epoll %d (%v), want %d", got, err, d.doze.epoll)
	}
	if got, err := epollOf(newEventfd(t)); !errors.Is(err, errNoEpoll) {
		t.Errorf("an eventfd that none watches: %d, %v", got, err)
	}
	for _, l := range newRig(t).engine.loops {
		if l.doze.epoll == 0 {
			t.Error("a loop does not know its epoll")
		}
	}
}

func TestWatches(t *testing.T) {
	t.Parallel()
	const info = "pos:\t0\nflags:\t02000002\nmnt_id:\t15\nino:\t1057\n" +
		"tfd:        7 events:       19 data:                7  pos:0 ino:421 sdev:f\n" +
		"tfd:       12 events: 80002019 data: ffff800000000c  pos:0 ino:421 sdev:f\n"
	for fd, want := range map[int]bool{7: true, 12: true, 1: false, 2: false, 19: false, 0: false} {
		if got := watches(info, fd); got != want {
			t.Errorf("%d: %v, want %v", fd, got, want)
		}
	}
	for _, info := range []string{"", "tfd:", "tfd: \n", "eventfd-count: 7\ntfd", "pos: 7\n"} {
		if watches(info, 7) {
			t.Errorf("%q", info)
		}
	}
}
