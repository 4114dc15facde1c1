package netloop

import (
	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/core/httpflv"
	"github.com/millrace/millrace/core/object"
)

const (
	// bodyWrite and bodyTurn bound, in bytes, one write of an object and what
	// a connection gets before the others have their turn.
	bodyWrite = 256 << 10
	bodyTurn  = 1 << 20
)

// body is an object, or a part of one, on its way out: a cursor over bytes
// that all connections share.
type body struct {
	content *object.Content
	at      object.Cursor
	left    int64 // bytes
}

func newBody(c *object.Content, part httpflv.Range) *body {
	return &body{content: c, at: c.CursorAt(part.Start), left: part.Length}
}

// flushBody sends what waits and then the body, as far as the socket takes
// them. It reports whether the caller is to go on: false when it is not all
// sent, or another request was taken up behind it.
func (c *conn) flushBody() bool {
	for turn := 0; c.body != nil; {
		n, ok := c.writeBody()
		if !ok {
			return false
		}
		if turn += n; turn > bodyTurn && c.body != nil {
			c.loop.block(c) // the drain epoll calls at once, after the others
			return false
		}
	}
	if c.finishing {
		return true
	}
	if h, ok := c.handler.(*httpConn); ok {
		h.bodySent()
	}
	return false
}

// writeBody makes one write. ok is false when the socket takes no more.
func (c *conn) writeBody() (n int, ok bool) {
	iov := c.bodyVecs()
	n, errno := c.loop.writev(c.fd, iov)
	clear(iov)
	switch {
	case errno == unix.EAGAIN:
		c.loop.block(c)
		return 0, false
	case errno == unix.ENOBUFS || errno == unix.ENOMEM:
		c.loop.blockUntilScan(c)
		return 0, false
	case errno != 0:
		c.kill(causePeer, reasonOf(errno))
		return 0, false
	}
	c.progress = c.loop.now()
	c.bytesOut += uint64(n)
	own := min(n, len(c.out))
	c.sent(own)
	b := c.body
	b.at = b.content.Advance(b.at, n-own)
	if b.left -= int64(n - own); b.left == 0 {
		c.body = nil
	}
	return n, true
}

// bodyVecs are the next bytes to be sent, in the loop's scratch.
func (c *conn) bodyVecs() []unix.Iovec {
	iov := appendVec(c.loop.fanout.iov[:0], c.out)
	room, b := int64(bodyWrite), c.body
	left := min(b.left, room)
	for i, offset := b.at.Block, b.at.Offset; left > 0 && len(iov) < maxVecs; i, offset = i+1, 0 {
		block := b.content.Blocks[i][offset:]
		block = block[:min(int64(len(block)), left)]
		iov = appendVec(iov, block)
		left -= int64(len(block))
	}
	c.loop.fanout.iov = iov
	return iov
}

// limitUnsent keeps what the kernel holds of a slow reader small.
func (c *conn) limitUnsent() {
	if lowat := c.engine.Settings().Limits.NotsentLowat; lowat > 0 {
		tcpOption(c.fd, tcpNotsentLowat, lowat)
	}
}

// progressed reports whether the peer still reads, and if so looks again when
// it might have stopped.
func (c *conn) progressed(now int64) bool {
	stall := int64(c.engine.Settings().Viewers.StallTimeout)
	if stall <= 0 || now-c.progress >= stall {
		return false
	}
	c.setDeadline(c.progress + stall)
	return true
}
