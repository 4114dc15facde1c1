package main_test

import (
	"io"
	"net"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// smallBuffer gives a socket the smallest receive buffer, before it connects
// and so before the window is told.
func smallBuffer(_, _ string, c syscall.RawConn) error {
	var err error
	failed := c.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 1)
	})
	if failed != nil {
		return failed
	}
	return err
}

func parseFloat(t *testing.T, s string) float64 {
	t.Helper()
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// dialTCP opens a bare connection for the length of the test.
func dialTCP(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := dial(addr, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// sendAll writes to a connection.
func sendAll(t *testing.T, conn net.Conn, data string) {
	t.Helper()
	if _, err := io.WriteString(conn, data); err != nil {
		t.Errorf("write: %v", err)
	}
}

// waitClosed reads until the server closes, and returns what it said before.
func waitClosed(t *testing.T, conn net.Conn) string {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	said, err := io.ReadAll(conn)
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		t.Errorf("the server did not close %s", conn.LocalAddr())
	}
	return string(said)
}
