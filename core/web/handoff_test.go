package web

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

func TestHandoffPrefixAndRemote(t *testing.T) {
	t.Parallel()
	client := &net.TCPAddr{IP: net.IPv4(203, 0, 113, 9), Port: 4711}
	for _, tt := range []struct {
		name   string
		prefix string
		remote net.Addr
	}{
		{"nothing", "", nil},
		{"prefix", "GET / HTTP/1.1\r\n", nil},
		{"proxied", "GET", client},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			near, far := tcpPair(t)
			h := NewHandoff(near.LocalAddr())
			if err := h.Deliver(near, []byte(tt.prefix), tt.remote); err != nil {
				t.Fatal(err)
			}
			got, err := h.Accept()
			if err != nil {
				t.Fatal(err)
			}
			want := tt.remote
			if want == nil {
				want = near.RemoteAddr()
			}
			if got.RemoteAddr().String() != want.String() {
				t.Errorf("remote address %v, want %v", got.RemoteAddr(), want)
			}
			send(t, far, "rest")
			if err := far.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			all, err := io.ReadAll(iotestOneByte{got})
			if err != nil || string(all) != tt.prefix+"rest" {
				t.Errorf("read %q, %v", all, err)
			}
		})
	}
}

// iotestOneByte reads a byte at a time, as net/http's background reader does.
type iotestOneByte struct{ io.Reader }

func (r iotestOneByte) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(1, len(p))]) }

func TestHandoffKeepsOrder(t *testing.T) {
	t.Parallel()
	h := NewHandoff(&net.TCPAddr{})
	var want []net.Conn
	for range 100 {
		c, peer := net.Pipe()
		t.Cleanup(func() { _ = c.Close(); _ = peer.Close() })
		want = append(want, c)
		if err := h.Deliver(c, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	for i, w := range want {
		got, err := h.Accept()
		if err != nil || got.(*conn).Conn != w {
			t.Fatalf("connection %d: got %v, %v", i, got, err)
		}
	}
}

func TestHandoffClose(t *testing.T) {
	t.Parallel()
	h := NewHandoff(&net.TCPAddr{})
	queued, queuedPeer := net.Pipe()
	if err := h.Deliver(queued, nil, nil); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v", err)
	}
	late, latePeer := net.Pipe()
	if err := h.Deliver(late, nil, nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Deliver after Close: %v", err)
	}
	for name, peer := range map[string]net.Conn{"queued": queuedPeer, "late": latePeer} {
		if _, err := peer.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("%s connection is not closed: %v", name, err)
		}
	}
}

func TestHandoffCloseWakesAccept(t *testing.T) {
	t.Parallel()
	h := NewHandoff(&net.TCPAddr{})
	woken := make(chan error, 2)
	for range 2 {
		go func() { _, err := h.Accept(); woken <- err }()
	}
	_ = h.Close()
	for range 2 {
		select {
		case err := <-woken:
			if !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Fatal("Accept still waits after Close")
		}
	}
}

// TestConnReadFrom holds that an answer written through sendfile reaches the
// socket through the wrapper.
func TestConnReadFrom(t *testing.T) {
	t.Parallel()
	near, far := tcpPair(t)
	c := &conn{Conn: near}
	want := bytes.Repeat([]byte("millrace"), 1000)
	if n, err := c.ReadFrom(bytes.NewReader(want)); n != int64(len(want)) || err != nil {
		t.Fatalf("ReadFrom: %d, %v", n, err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(far); err != nil || !bytes.Equal(got, want) {
		t.Errorf("read %d bytes, %v", len(got), err)
	}
}
