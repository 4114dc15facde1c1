package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/unix"
)

// viewer is one connection that watches, on its poller's thread.
type viewer struct {
	conn
	crowd *crowd
	state viewerState
	// feed is nil once there is nothing more to be understood.
	feed feed
	// reading is set if it is read in full.
	reading *reading
	stalled bool // it reads nothing of the stream

	begun    time.Time // to connect
	last     time.Time // bytes came
	silence  time.Duration
	bytes    uint64 // in the measured interval
	received uint64 // ever
	acked    uint64 // of RTMP
}

type viewerState uint8

const (
	viewerOpening viewerState = iota // until the server has accepted
	viewerPlaying
	viewerEnded
)

// begin connects.
func (v *viewer) begin(t target, i int, now time.Time) {
	v.begun, v.last = now, now
	v.feed = newFeed(t)
	if v.reading != nil {
		v.reading.connected = now
	}
	if t.tls {
		v.crowd.shaking.Go(func() { v.shake(t, i) })
		return
	}
	err := v.open(v.crowd.poller, t.addr, sourceFor(t.addr.Addr(), i), v)
	if err == nil {
		err = v.send(v.feed.open())
	}
	if err != nil {
		v.end(err)
	}
}

// shake connects with TLS, on a goroutine of its own.
func (v *viewer) shake(t target, i int) {
	fd, s, err := dialTLS(v.crowd.ctx, t, sourceFor(t.addr.Addr(), i))
	v.crowd.poller.do(func() {
		if err == nil {
			err = v.adopt(v.crowd.poller, fd, s, v)
		}
		if err == nil && v.state != viewerOpening { // it took too long
			v.close()
			return
		}
		if err == nil {
			err = v.send(v.feed.open())
		}
		if err != nil && v.state == viewerOpening {
			v.end(err)
		}
	})
}

// ready is its poller's.
func (v *viewer) ready(events uint32) {
	if v.state == viewerEnded || !v.isOpen() {
		return
	}
	if err := v.serve(events); err != nil {
		v.end(err)
	}
}

func (v *viewer) serve(events uint32) error {
	if events&unix.EPOLLOUT != 0 || !v.connected && events&unix.EPOLLERR != 0 {
		if err := v.flush(); err != nil {
			return err
		}
	}
	if v.stalled && v.state == viewerPlaying {
		if events&(unix.EPOLLHUP|unix.EPOLLERR) != 0 {
			return io.EOF
		}
		return nil
	}
	if events&(unix.EPOLLIN|unix.EPOLLHUP|unix.EPOLLERR|unix.EPOLLRDHUP) == 0 {
		return nil
	}
	if v.feed == nil {
		return v.drop()
	}
	return v.parse()
}

// drop counts bytes and forgets them.
func (v *viewer) drop() error {
	n, err := v.discard()
	v.count(n, v.p.now)
	if err != nil || n == 0 || v.crowd.protocol != RTMP {
		return err
	}
	return v.acknowledge()
}

// parse reads in full.
func (v *viewer) parse() error {
	b, err := v.receive()
	if err != nil || len(b) == 0 {
		return err
	}
	now := v.p.now
	if v.reading != nil {
		now = time.Now() // the poller's moment is before others' work
	}
	v.count(len(b), now)
	reply, err := v.feed.take(b, func(t tag) {
		if v.reading != nil {
			v.reading.tag(t, now)
		}
	})
	if err != nil {
		return err
	}
	if len(reply) > 0 {
		if err := v.send(reply); err != nil {
			return err
		}
	}
	if v.state == viewerOpening && v.feed.playing() {
		return v.play()
	}
	return nil
}

// play is once the server has accepted.
func (v *viewer) play() error {
	v.state = viewerPlaying
	v.crowd.playing.Add(1)
	if v.reading == nil {
		v.feed = nil
	}
	if v.stalled {
		return v.deafen()
	}
	return nil
}

func (v *viewer) count(n int, now time.Time) {
	if n == 0 {
		return
	}
	v.bytes += uint64(n)
	v.received += uint64(n)
	v.silence = max(v.silence, now.Sub(v.last))
	v.last = now
}

// ackEvery is how many bytes a viewer that reads no messages lets come between
// two acknowledgements: half of the window that servers ask for.
const ackEvery = 1_250_000

// acknowledge sends an Acknowledgement (RTMP 1.0, section 5.4.3) when one is
// due.
func (v *viewer) acknowledge() error {
	if v.received-v.acked < ackEvery {
		return nil
	}
	v.acked = v.received
	b := [16]byte{2, 0, 0, 0, 0, 0, 4, 3}
	binary.BigEndian.PutUint32(b[12:], uint32(v.received))
	return v.send(b[:])
}

// end is the connection's.
func (v *viewer) end(err error) {
	switch {
	case v.state == viewerOpening:
		v.crowd.failed.Add(1)
	case v.stalled: // what the server is to do with it
		v.crowd.dropped.Add(1)
	default:
		v.crowd.ended.Add(1)
	}
	if errors.Is(err, io.EOF) {
		err = errClosed
	}
	v.crowd.reason(err, v.state == viewerOpening)
	v.state = viewerEnded
	v.feed = nil
	v.close()
}

var errClosed = errors.New("the server closed the connection")

// expire ends a viewer that the server has not accepted in time.
func (v *viewer) expire(now time.Time) {
	if v.state == viewerOpening && now.Sub(v.begun) > openTimeout {
		v.end(fmt.Errorf("%w within %v", errNoAnswer, openTimeout))
	}
}

var errNoAnswer = errors.New("no answer")

// openTimeout is how long a server may take to accept a viewer.
const openTimeout = 15 * time.Second
