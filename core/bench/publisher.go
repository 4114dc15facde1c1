package bench

import (
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/core/rtmp"
	"github.com/millrace/millrace/core/rtmp/chunk"
)

// publisher is one connection that publishes, on its poller's thread.
type publisher struct {
	conn
	pacer *pacer
	// client is nil if there is no handshake.
	client  *rtmp.Client
	source  source
	stream  uint32    // message stream
	begun   time.Time // to connect
	started time.Time // the stream's zero; zero until then
	due     time.Time // of the next tag
	failed  bool
	place   int // in the pacer's heap, -1 outside of it

	sent      uint64 // bytes of media messages in the interval
	before    uint64 // the same before it
	tags      uint64 // in the interval
	waitSince time.Time
}

// begin connects.
func (u *publisher) begin(t target, i int, now time.Time) {
	u.begun = now
	err := u.open(u.pacer.poller, t.addr, sourceFor(t.addr.Addr(), i), u)
	if err == nil && t.protocol != raw {
		u.client = newRTMPClient(t, true, u.pacer.chunkSize)
		err = u.talk(nil)
	}
	if err != nil {
		u.end(err)
	}
}

// ready is its poller's.
func (u *publisher) ready(events uint32) {
	if u.failed || !u.isOpen() {
		return
	}
	if err := u.serve(events); err != nil {
		u.end(err)
	}
}

func (u *publisher) serve(events uint32) error {
	if events&unix.EPOLLOUT != 0 || !u.connected && events&unix.EPOLLERR != 0 {
		if err := u.flush(); err != nil {
			return err
		}
		u.noteWait()
		if u.client == nil && u.started.IsZero() {
			u.stream = 1
			return u.start()
		}
	}
	if events&(unix.EPOLLIN|unix.EPOLLHUP|unix.EPOLLERR|unix.EPOLLRDHUP) == 0 {
		return nil
	}
	b, err := u.receive()
	if err != nil || u.client == nil {
		return err
	}
	return u.talk(b)
}

// talk gives bytes to the client and sends what it answers.
func (u *publisher) talk(b []byte) error {
	if err := u.client.Feed(b); err != nil {
		return err
	}
	for {
		ev, err := u.client.Next()
		if err != nil {
			return err
		}
		if _, none := ev.(rtmp.EventNone); none {
			break
		}
		if err := rtmpEnd(ev); err != nil {
			return err
		}
	}
	if out := u.client.TakeOutput(); len(out) > 0 {
		if err := u.send(out); err != nil {
			return err
		}
	}
	if u.started.IsZero() && u.client.Started() {
		u.stream = u.client.StreamID()
		return u.start()
	}
	return nil
}

// start sends the stream's headers; its clock runs from now on.
func (u *publisher) start() error {
	u.started = u.pacer.poller.now
	b := u.pacer.scratch[:0]
	for _, t := range u.source.headers() {
		if t.kind == media.Data {
			t.data = append(dataFrame(), t.data...)
		}
		b = u.message(b, t)
	}
	u.pacer.scratch = b
	u.due = u.started
	u.pacer.schedule(u)
	return u.send(b)
}

// dataFrame is what publishers put before an onMetaData: the string
// "@setDataFrame" in AMF0.
func dataFrame() []byte {
	const name = "@setDataFrame"
	return append([]byte{2, 0, byte(len(name))}, name...)
}

func (u *publisher) message(dst []byte, t tag) []byte {
	return chunk.AppendMessage(dst, uint32(t.kind.ChunkStream()), uint8(t.kind), u.stream, t.timestamp, t.data, u.pacer.chunkSize)
}

// push sends the tag that is due, in one write.
func (u *publisher) push(now time.Time) {
	t := u.source.next(now)
	b := u.message(u.pacer.scratch[:0], t)
	u.pacer.scratch = b
	u.tags++
	u.sent += uint64(len(b))
	waited := len(u.out) > 0
	if err := u.send(b); err != nil {
		u.end(err)
		return
	}
	if !waited && len(u.out) > 0 {
		u.waitSince = now
	} else if !waited {
		u.pacer.late.add(now.Sub(u.due))
	}
	u.due = u.started.Add(u.source.due())
}

// noteWait takes note of how long the socket was full, once it is not.
func (u *publisher) noteWait() {
	if len(u.out) == 0 && !u.waitSince.IsZero() {
		u.pacer.late.add(u.pacer.poller.now.Sub(u.waitSince))
		u.waitSince = time.Time{}
	}
}

func (u *publisher) end(err error) {
	if errors.Is(err, io.EOF) {
		err = errClosed
	}
	u.failed = true
	u.pacer.unschedule(u)
	u.pacer.failed(err, u.started.IsZero())
	u.close()
}

func (u *publisher) expire(now time.Time) {
	if !u.failed && u.started.IsZero() && now.Sub(u.begun) > openTimeout {
		u.end(fmt.Errorf("%w within %v", errNoAnswer, openTimeout))
	}
}
