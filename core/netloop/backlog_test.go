package netloop

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
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
