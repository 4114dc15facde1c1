package netloop

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/core/httpflv"
	"github.com/millrace/millrace/core/object"
)

// TestNewsWaitForTheBacklog has news come while viewers are left to be
// visited: they start no pass of their own, and are not forgotten.
func TestNewsWaitForTheBacklog(t *testing.T) {
	t.Parallel()
	b := newBare(t, nil)
	f := b.publish(t, "live/a")
	b.setBacklog(true)
	if b.clock.due != 0 {
		t.Error("the clock is not asked for what is left")
	}
	b.clock.fired()
	b.waking.Store(false) // a wake-up would now be posted, to no loop
	b.wake(&sub{loop: b.loop, stream: f.pub.Stream})
	if b.pending.Load() {
		t.Error("news start a pass beside the clock's")
	}
	b.setBacklog(false)
	if b.clock.due != 0 {
		t.Error("the news are forgotten")
	}
}

// TestReadingSlowlyIsProgress has a peer read too little to make room that the
// kernel would tell of.
func TestReadingSlowlyIsProgress(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	peer, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	ours, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	raw, _ := ours.(*net.TCPConn).SyscallConn()
	c := &conn{}
	_ = raw.Control(func(fd uintptr) { c.fd = int(fd) })
	for junk := make([]byte, 1<<16); ; {
		if _, err := unix.Write(c.fd, junk); err == unix.EAGAIN {
			break
		}
	}
	full := socketQueue(c.fd)
	now := 2 * quietTime
	c.lookAtQueue(now)
	c.lookAtQueue(now)
	if c.progress != 0 || c.queue != full {
		t.Errorf("a peer that does not read made progress at %d, queue %d of %d", c.progress, c.queue, full)
	}
	some := make([]byte, 1<<14)
	eventually(t, "the queue falls", func() bool {
		_, _ = peer.Read(some)
		return socketQueue(c.fd) < full
	})
	c.lookAtQueue(now)
	if c.progress != now {
		t.Error("a peer that reads slowly is taken for stalled")
	}
}

// TestDrainHasABudget has two sockets take bytes again, of which the first
// takes all the time there is.
func TestDrainHasABudget(t *testing.T) {
	t.Parallel()
	b := newBare(t, nil)
	b.engine.start = time.Now() // a clock that goes
	told := make(chan []slot, 10)
	var err error
	if b.drain, err = newDrain(func(ready []slot) { told <- ready }); err != nil {
		t.Fatal(err)
	}
	defer b.drain.close()
	near, _ := socketPairs(t, 2)
	content := &object.Content{Blocks: [][]byte{make([]byte, 100)}, Size: 100}
	var conns []*conn
	for _, fd := range near {
		c := newConn(b.engine, protocolHTTP, ticket{})
		c.loop, c.fd, c.handler, c.finishing = b.loop, fd, silent{}, true
		c.body = newBody(content, httpflv.Range{Length: 100})
		b.block(c)
		conns = append(conns, c)
	}
	b.writev = func(fd int, iov []unix.Iovec) (int, unix.Errno) {
		for begin := b.now(); b.now()-begin <= passBudget; {
		}
		return writev(fd, iov)
	}
	b.onDrain([]slot{conns[0].slot, conns[1].slot})
	if conns[0].body != nil || conns[1].body == nil || !conns[1].blocked {
		t.Fatal("the second was served in the same turn")
	}
	for conns[1].body != nil { // it is told of again
		b.onDrain(<-told)
	}
}
