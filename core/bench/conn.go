package bench

import (
	"errors"
	"fmt"
	"io"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/core/secure"
)

// conn is a connection that we make, on a poller's thread.
type conn struct {
	p         *poller
	fd        int
	slot      int // in the poller
	out       []byte
	connected bool
	writing   bool         // EPOLLOUT is asked for
	tls       *secure.Conn // nil: plain
}

// watched is what is always asked for.
const watched = unix.EPOLLIN | unix.EPOLLRDHUP

// errBehind is the end of a connection whose peer does not read.
var errBehind = errors.New("the peer does not read")

// maxOut bounds what waits for a peer, in bytes.
const maxOut = 8 << 20

// open starts to connect; s is told when that is done.
func (c *conn) open(p *poller, to netip.AddrPort, from netip.Addr, s socket) error {
	fd, err := dial(to, from)
	if err != nil {
		return err
	}
	c.p, c.fd, c.writing = p, fd, true
	c.slot = len(p.socks)
	if err := p.watch(fd, watched|unix.EPOLLOUT, s); err != nil {
		c.close()
		return err
	}
	return nil
}

// adopt takes a socket that is connected, with TLS.
func (c *conn) adopt(p *poller, fd int, s *secure.Conn, watcher socket) error {
	c.p, c.fd, c.tls, c.connected = p, fd, s, true
	c.slot = len(p.socks)
	return p.watch(fd, watched, watcher)
}

// isOpen reports whether there is a descriptor.
func (c *conn) isOpen() bool { return c.p != nil && c.fd >= 0 }

func (c *conn) close() {
	if c.isOpen() {
		_ = unix.Close(c.fd)
		c.fd = -1
	}
	c.out = nil
}

// send writes b, or has what the socket does not take wait for its turn.
func (c *conn) send(b []byte) error {
	if c.tls != nil {
		var err error
		if b, err = c.tls.Seal(nil, b); err != nil {
			return fmt.Errorf("seal: %w", err)
		}
	}
	if len(c.out) == 0 && c.connected && len(b) > 0 {
		n, err := write(c.fd, b)
		if err != nil && !errors.Is(err, unix.EAGAIN) {
			return fmt.Errorf("write: %w", err)
		}
		b = b[n:]
	}
	if len(c.out)+len(b) > maxOut {
		return errBehind
	}
	c.out = append(c.out, b...)
	return c.arm()
}

// flush is what follows EPOLLOUT.
func (c *conn) flush() error {
	if !c.connected {
		if err := connectError(c.fd); err != nil {
			return err
		}
		c.connected = true
	}
	if len(c.out) > 0 {
		n, err := write(c.fd, c.out)
		if err != nil && !errors.Is(err, unix.EAGAIN) {
			return fmt.Errorf("write: %w", err)
		}
		c.out = c.out[:copy(c.out, c.out[n:])]
	}
	return c.arm()
}

// arm asks for EPOLLOUT if something waits.
func (c *conn) arm() error {
	want := len(c.out) > 0 || !c.connected
	if !want {
		c.out = nil
	}
	if want == c.writing {
		return nil
	}
	c.writing = want
	if want {
		return c.p.change(c.fd, c.slot, watched|unix.EPOLLOUT)
	}
	return c.p.change(c.fd, c.slot, watched)
}

// deafen has nothing more read: what the peer sends stays in the kernel.
func (c *conn) deafen() error {
	c.writing = false
	return c.p.change(c.fd, c.slot, 0)
}

// receive reads what is there, by one call. No bytes and no error: there was
// nothing. io.EOF: the peer has closed.
func (c *conn) receive() ([]byte, error) {
	n, err := c.received(read(c.fd, c.p.buf))
	if c.tls == nil || n == 0 || err != nil {
		return c.p.buf[:n], err
	}
	c.p.clear = c.p.clear[:0]
	err = c.tls.Open(c.p.buf[:n], c.p.opened[:], func(b []byte) bool {
		c.p.clear = append(c.p.clear, b...)
		return true
	})
	if len(c.p.clear) > 0 {
		err = nil // the socket's end is not far
	}
	return c.p.clear, err
}

// discard is receive without the bytes.
func (c *conn) discard() (int, error) { return c.received(discard(c.fd, c.p.buf)) }

func (c *conn) received(n int, err error) (int, error) {
	switch {
	case errors.Is(err, unix.EAGAIN):
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("read: %w", err)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}
