package netloop

import (
	"fmt"
	"io"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/core/secure"
)

// tlsLayer is what a connection with TLS has beside a plain one. All else, its
// viewer and its handlers, does not know of it: bytes are opened before they
// are handled, and sealed instead of being written from where they lie.
type tlsLayer struct {
	*secure.Conn
	// sealed are records that the socket has not taken yet. They go before
	// anything else: what was sealed can't be left out any more.
	sealed []byte
	// opening: bytes are being opened. afterwards is to be done once they are.
	opening    bool
	afterwards func()
	notified   bool // the good-bye of TLS was sealed
}

const (
	// maxSealed bounds what is sealed for one write, in bytes: so much, and no
	// more, may a viewer hold that does not read.
	maxSealed = 64 << 10
	// sealedOverhead is room for what TLS adds to it.
	sealedOverhead = 8 << 10
	// openSize is the size of a record in clear (RFC 8446, 5.1), in bytes.
	openSize = 16 << 10
)

// sealer is a loop's scratch for TLS.
type sealer struct{ clear, sealed, opened []byte }

// init is called once there is TLS.
func (s *sealer) init() {
	if s.opened == nil {
		s.clear = make([]byte, 0, maxSealed)
		s.sealed = make([]byte, 0, maxSealed+sealedOverhead)
		s.opened = make([]byte, openSize)
	}
}

// receiveTLS handles bytes that came from the socket.
func (c *conn) receiveTLS(b []byte) {
	t := c.tls
	t.opening = true
	err := t.Open(b, c.loop.sealer.opened, func(clear []byte) bool {
		c.receive(clear)
		return !c.dead
	})
	t.opening = false
	if next := t.afterwards; next != nil {
		t.afterwards = nil
		next()
		return
	}
	if c.dead {
		return
	}
	c.answerTLS()
	switch {
	case err == io.EOF:
		c.kill(causePeer, "connection closed by peer")
	case err != nil:
		c.kill(causeProtocol, "TLS: "+err.Error())
	}
}

// answerTLS sends what TLS has to say itself.
func (c *conn) answerTLS() {
	t := c.tls
	before := len(t.sealed)
	if t.sealed = t.Output(t.sealed); len(t.sealed) == before {
		return
	}
	if limit := c.engine.Settings().Limits.ConnectionBuffer; before > limit {
		c.over(causeStalled, fmt.Sprintf("peer does not read: more than %d bytes of TLS wait (limits.connection_buffer)", limit))
		return
	}
	if !c.blocked {
		c.unsealed()
	}
}

// unsealed sends what was sealed before, and reports whether all of it went.
func (c *conn) unsealed() bool {
	if c.tls == nil || len(c.tls.sealed) == 0 {
		return true
	}
	rest, errno := c.writeAll(c.tls.sealed)
	c.tls.sealed = rest
	return !c.stuck(errno)
}

// seal sends clear, up to maxSealed, as TLS records. The first n bytes of it
// are on their way, whatever the socket takes now: what it leaves waits until
// errno allows it, and nothing else may be sealed before.
func (c *conn) seal(clear []byte) (n int, errno unix.Errno) {
	l := c.loop
	clear = clear[:min(len(clear), maxSealed)]
	records, err := c.tls.Seal(l.sealer.sealed[:0], clear)
	if err != nil {
		return 0, unix.EPROTO // its write side was closed: nothing can follow
	}
	rest, errno := c.writeAll(records)
	if len(rest) > 0 {
		c.tls.sealed = append([]byte(nil), rest...)
	}
	return len(clear), errno
}

// sealVec is seal for iovecs. Those of a batch are put together once for all
// viewers.
func (c *conn) sealVec(iov []unix.Iovec, b *batch) (n int, errno unix.Errno) {
	if b != nil && len(b.iov) > 0 && &iov[0] == &b.iov[0] {
		if b.clear == nil {
			b.clear = gather(b.room[:0], iov)
			b.room = b.clear
		}
		return c.seal(b.clear)
	}
	scratch := &c.loop.sealer.clear
	*scratch = gather((*scratch)[:0], iov)
	return c.seal(*scratch)
}

// gather appends the first maxSealed bytes of iov to dst.
func gather(dst []byte, iov []unix.Iovec) []byte {
	for i := range iov {
		room := maxSealed - len(dst)
		if room <= 0 {
			break
		}
		dst = append(dst, unsafe.Slice(iov[i].Base, min(int(iov[i].Len), room))...)
	}
	return dst
}

// saidGoodbye sends the end of TLS, once, and reports whether all has gone.
func (c *conn) saidGoodbye() bool {
	if t := c.tls; t != nil && !t.notified {
		t.notified = true
		t.sealed = t.CloseNotify(t.sealed)
	}
	return c.unsealed()
}
