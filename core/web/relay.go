package web

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Tunnel is a connection to an event loop for one request. The loop answers in
// HTTP/1.0.
type Tunnel interface {
	net.Conn
	// ReadInto waits until there is something to read, then asks for a buffer
	// and reads into it; io.EOF at the end.
	ReadInto(buffer func() []byte) (n int, err error)
	// Rate is how many bytes a second may go to the viewer; 0: any.
	Rate() int64
	// Whole reports, at the end, whether the loop had said all.
	Whole() bool
}

const (
	// relaySize is how much goes to a viewer at once, in bytes.
	relaySize = 64 << 10
	// relayMargin is how much longer we wait for a viewer that does not read
	// than the loop does, which says why.
	relayMargin = 10 * time.Second
)

// relayBuffers are for those who have something to send at the moment.
var relayBuffers = sync.Pool{New: func() any { return new([relaySize]byte) }}

// relayLive answers a request for a live stream that came over HTTP/2: a loop
// can't take that connection, so it takes the request by a tunnel, and serves
// it as it does any other.
func (s *Server) relayLive(w http.ResponseWriter, r *http.Request, v *visitor) {
	target, ok := originForm(r)
	if hasBody(r) || !ok {
		fail(w, http.StatusBadRequest, "a request for a live stream has a path and no body")
		return
	}
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		s.log.Error("relay live stream", "err", err)
		fail(w, http.StatusInternalServerError, "the client's address is not known")
		return
	}
	old := r.WithContext(r.Context())
	old.ProtoMajor, old.ProtoMinor = 1, 0
	t, err := s.opts.Tunnel(appendHead(nil, old, target), net.TCPAddrFromAddrPort(remote), v.admission)
	if err != nil {
		w.Header().Set("Retry-After", "10")
		fail(w, http.StatusServiceUnavailable, "the server takes no more connections")
		return
	}
	defer t.Close()
	defer v.relaying()()
	defer context.AfterFunc(r.Context(), func() { _ = t.Close() })()
	s.relay(w, r, t, v)
}

// relay copies the loop's answer.
func (s *Server) relay(w http.ResponseWriter, r *http.Request, t Tunnel, v *visitor) {
	in := bufio.NewReader(t)
	answer, err := http.ReadResponse(in, r)
	if err != nil { // the client has gone, or the server goes
		panic(http.ErrAbortHandler)
	}
	defer answer.Body.Close()
	for name, values := range answer.Header {
		if name != "Connection" { // which HTTP/2 has not (RFC 9113, 8.2.2)
			w.Header()[name] = values
		}
	}
	w.WriteHeader(answer.StatusCode)
	// The rate outside: a client has its time for each piece of its own.
	body := v.pacedBy(r.Context(), patient{w, &s.settings})
	if answer.ContentLength >= 0 || r.Method == http.MethodHead {
		_, _ = io.Copy(body, answer.Body)
		return
	}
	begun, _ := in.Peek(in.Buffered())
	if err := relayFrames(r.Context(), w, body, t, begun); err != nil || !t.Whole() {
		panic(http.ErrAbortHandler) // so that it does not pass for a clean end
	}
}

// patient is a client that may take nothing for as long as a viewer may. Its
// connection lives, so that the kernel does not end it.
type patient struct {
	http.ResponseWriter
	settings *atomic.Pointer[Settings]
}

// Write is io.Writer's.
func (p patient) Write(b []byte) (int, error) {
	if stall := p.settings.Load().StallTimeout; stall > 0 {
		_ = http.NewResponseController(p.ResponseWriter).SetWriteDeadline(time.Now().Add(stall + relayMargin))
	}
	return p.ResponseWriter.Write(b)
}

// relayFrames sends what comes by the tunnel as it comes, after begun, until
// the end; body is w's.
func relayFrames(ctx context.Context, w http.ResponseWriter, body io.Writer, t Tunnel, begun []byte) error {
	out := http.NewResponseController(w)
	var pace pacer
	send := func(b []byte) error {
		if err := pace.wait(ctx, len(b), t.Rate()); err != nil {
			return err
		}
		if _, err := body.Write(b); err != nil {
			return err
		}
		return out.Flush()
	}
	if err := send(begun); err != nil {
		return err
	}
	for {
		var buffer *[relaySize]byte
		n, err := t.ReadInto(func() []byte {
			buffer = relayBuffers.Get().(*[relaySize]byte)
			return buffer[:]
		})
		if err == nil {
			err = send(buffer[:n])
		}
		if buffer != nil {
			relayBuffers.Put(buffer)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
