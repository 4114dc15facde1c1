package bench

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/core/certificate"
	"github.com/millrace/millrace/core/secure"
)

// dialTLS connects to a target with TLS and does the handshake. It blocks; the
// socket that it returns does not.
func dialTLS(ctx context.Context, t target, from netip.Addr) (fd int, s *secure.Conn, err error) {
	d := net.Dialer{Timeout: openTimeout, Deadline: time.Now().Add(openTimeout)}
	if from.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
	}
	nc, err := d.DialContext(ctx, "tcp", t.addr.String())
	if err != nil {
		return -1, nil, fmt.Errorf("connect: %w", err)
	}
	defer nc.Close()
	defer context.AfterFunc(ctx, func() { nc.Close() })()
	// We measure a server, whoever it says that it is.
	s = secure.Client(nc, &tls.Config{ServerName: t.serverName(), InsecureSkipVerify: true})
	return shake(nc, s)
}

// serverName is the host without its port.
func (t target) serverName() string {
	if host, _, err := net.SplitHostPort(t.host); err == nil {
		return host
	}
	return t.host
}

// serveTLS is the other end's dialTLS, for an accepted socket. fd is its own
// from then on.
func serveTLS(fd int, config *tls.Config) (int, *secure.Conn, error) {
	f := os.NewFile(uintptr(fd), "accepted")
	nc, err := net.FileConn(f)
	f.Close()
	if err != nil {
		return -1, nil, fmt.Errorf("wrap socket: %w", err)
	}
	defer nc.Close()
	return shake(nc, secure.Server(nc, nil, config))
}

// shake does the handshake and takes the socket from nc.
func shake(nc net.Conn, s *secure.Conn) (int, *secure.Conn, error) {
	_ = nc.SetDeadline(time.Now().Add(openTimeout))
	if err := s.Handshake(context.Background()); err != nil {
		return -1, nil, fmt.Errorf("TLS handshake: %w", err)
	}
	s.Detach()
	fd, err := duplicate(nc)
	return fd, s, err
}

var errNoSocket = errors.New("the connection has no socket")

// duplicate is a descriptor of nc's socket that nobody else knows.
func duplicate(nc net.Conn) (fd int, err error) {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return -1, errNoSocket
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return -1, fmt.Errorf("find socket: %w", err)
	}
	var failed error
	err = raw.Control(func(old uintptr) { fd, failed = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) })
	if err = errors.Join(err, failed); err != nil {
		return -1, fmt.Errorf("duplicate socket: %w", err)
	}
	return fd, nil
}

// selfSignedLife is longer than any measurement.
const selfSignedLife = 24 * time.Hour

// saveSelfSigned puts a certificate that nobody vouches for into files.
func saveSelfSigned(p certificate.Pair) error {
	c, err := certificate.SelfSigned(selfSignedLife)
	if err != nil {
		return err
	}
	return certificate.Save(c, p)
}
