package secure

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/core/certificate"
)

var selfSigned = sync.OnceValues(func() (tls.Certificate, error) { return certificate.SelfSigned(time.Hour) })

// pair is both sides of a connection after the handshake, in a version of TLS.
// The client is attached, to what reaches the test.
func pair(t testing.TB, version uint16) (server, client *Conn) {
	t.Helper()
	own, err := selfSigned()
	if err != nil {
		t.Fatal(err)
	}
	a, b := net.Pipe()
	t.Cleanup(func() { a.Close(); b.Close() })
	server = Server(a, nil, &tls.Config{Certificates: []tls.Certificate{own}, MaxVersion: version, NextProtos: []string{"x"}})
	client = Client(b, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"x"}})
	done := make(chan error, 1)
	go func() { done <- server.Handshake(context.Background()) }()
	if err := client.Handshake(context.Background()); err != nil {
		t.Fatal(err)
	}
	// Behind the handshake of TLS 1.3 comes the session's ticket: a byte shows
	// that it was read.
	read := make(chan error, 1)
	go func() {
		_, err := io.ReadFull(client.TLS(), make([]byte, 1))
		read <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, err := server.TLS().Write([]byte{0}); err != nil {
		t.Fatal(err)
	}
	if err := <-read; err != nil {
		t.Fatal(err)
	}
	if got := server.Protocol(); got != "x" {
		t.Errorf("protocol %q", got)
	}
	return server, client
}

// open has c read b in pieces of n bytes, and returns what was in it.
func open(t testing.TB, c *Conn, b []byte, n int) (clear []byte, err error) {
	t.Helper()
	scratch := make([]byte, 1000)
	for len(b) > 0 && err == nil {
		n := min(n, len(b))
		piece := bytes.Clone(b[:n])
		err = c.Open(piece, scratch, func(got []byte) bool {
			clear = append(clear, got...)
			return true
		})
		piece[0] ^= 0xFF // the caller's buffer is its own again
		b = b[n:]
	}
	return clear, err
}

func testVersions(t *testing.T, f func(t *testing.T, server, client *Conn)) {
	for name, version := range map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, client := pair(t, version)
			server.Detach()
			client.Detach()
			f(t, server, client)
		})
	}
}

func text(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * i >> 3)
	}
	return b
}

// TestSealAndOpen sends both ways, cut at any byte.
func TestSealAndOpen(t *testing.T) {
	t.Parallel()
	testVersions(t, func(t *testing.T, server, client *Conn) {
		for _, size := range []int{1, 100, 5000, 40_000} {
			for _, step := range []int{1, 7, 1400, 1 << 20} {
				for _, way := range [][2]*Conn{{server, client}, {client, server}} {
					sent := text(size)
					records, err := way[0].Seal([]byte("before"), sent)
					if err != nil || string(records[:6]) != "before" {
						t.Fatal(err)
					}
					got, err := open(t, way[1], records[6:], step)
					if err != nil || !bytes.Equal(got, sent) {
						t.Fatalf("%d bytes by %d: got %d, %v", size, step, len(got), err)
					}
				}
			}
		}
	})
}

// TestOpenStops leaves what the receiver does not want yet, for the next Open
// or for a read while attached.
func TestOpenStops(t *testing.T) {
	t.Parallel()
	testVersions(t, func(t *testing.T, server, client *Conn) {
		var all []byte
		for range 3 {
			all, _ = client.Seal(all, text(3000))
		}
		all, _ = client.Seal(all, text(10))
		want := append(bytes.Repeat(text(3000), 3), text(10)...)
		var got []byte
		once := func(b []byte) bool {
			got = append(got, b...)
			return false
		}
		if err := server.Open(all, make([]byte, 100), once); err != nil {
			t.Fatal(err)
		}
		clear(all)
		if err := server.Open(nil, make([]byte, 5000), once); err != nil {
			t.Fatal(err)
		}
		a, b := net.Pipe()
		defer b.Close()
		server.Attach(a)
		rest := make([]byte, len(want)-len(got))
		if _, err := io.ReadFull(server.TLS(), rest); err != nil || !bytes.Equal(append(got, rest...), want) {
			t.Errorf("the rest: %v", err)
		}
	})
}

// TestCloseNotify tells an end from a cut.
func TestCloseNotify(t *testing.T) {
	t.Parallel()
	testVersions(t, func(t *testing.T, server, client *Conn) {
		records, err := server.Seal(nil, text(10))
		if err != nil {
			t.Fatal(err)
		}
		got, err := open(t, client, server.CloseNotify(records), 3)
		if err != io.EOF || len(got) != 10 {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		if _, err := server.Seal(nil, text(1)); err == nil {
			t.Error("something follows the end")
		}
	})
}

// TestOpenRefuses what was not sealed.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	testVersions(t, func(t *testing.T, server, client *Conn) {
		records, _ := client.Seal(nil, text(100))
		records[20] ^= 1
		if _, err := open(t, server, records, 1000); err == nil || err == io.EOF {
			t.Errorf("a changed record: %v", err)
		}
		if len(server.Output(nil)) == 0 {
			t.Error("no alert for the peer")
		}
	})
}

// TestAttachWithOutput has what TLS answered of itself, and nobody sent while
// detached, go out before anything else: records can't be left out.
func TestAttachWithOutput(t *testing.T) {
	t.Parallel()
	testVersions(t, func(t *testing.T, server, client *Conn) {
		answer, err := server.Seal(nil, []byte("early "))
		if err != nil {
			t.Fatal(err)
		}
		server.wire.out = answer
		a, b := net.Pipe()
		defer a.Close()
		defer b.Close()
		server.Attach(a)
		client.Attach(b)
		go func() { _, _ = server.TLS().Write([]byte("late")) }()
		got := make([]byte, 10)
		if _, err := io.ReadFull(client.TLS(), got); err != nil || string(got) != "early late" {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

// TestSealDoesNotAllocate beyond the buffer that it is given.
func TestSealDoesNotAllocate(t *testing.T) {
	server, _ := pair(t, tls.VersionTLS13)
	server.Detach()
	frame, dst := text(20_000), make([]byte, 0, 64<<10)
	n := testing.AllocsPerRun(100, func() {
		if _, err := server.Seal(dst, frame); err != nil {
			t.Fatal(err)
		}
	})
	if n > 1 { // crypto/tls has a pool of its own, which the race detector empties
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkSeal(b *testing.B) {
	server, _ := pair(b, tls.VersionTLS13)
	server.Detach()
	frames, dst := text(20_000), make([]byte, 0, 64<<10)
	b.SetBytes(int64(len(frames)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := server.Seal(dst, frames); err != nil {
			b.Fatal(err)
		}
	}
}
