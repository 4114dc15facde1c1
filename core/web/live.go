package web

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// returnLive gives the connection of a live request back to the event loop, as
// if net/http had never read that request.
func (s *Server) returnLive(w http.ResponseWriter, r *http.Request) {
	if hasBody(r) { // its framing would be lost on the way
		fail(w, http.StatusBadRequest, "a request for a live stream has no body")
		return
	}
	target, ok := originForm(r)
	if !ok {
		fail(w, http.StatusBadRequest, "a live stream has a URL with a path, not %q", r.RequestURI)
		return
	}
	raw, prefix, remote, err := takeBack(w, r, target)
	if err != nil {
		s.log.Error("take connection back for the event loop", "err", err)
		fail(w, http.StatusInternalServerError, "the stream cannot be served on this connection")
		return
	}
	if err := s.opts.ReturnToLoop(raw, prefix, remote); err != nil {
		s.log.Warn("return connection to the event loop", "remote_addr", r.RemoteAddr, "err", err)
		_ = raw.Close() // the loop may have closed it already
	}
}

// takeBack hijacks a request's connection. prefix is all that the client has
// sent from the request's first byte on and the socket no longer holds: the
// head, anew; what net/http has buffered, to which Hijack adds the byte that
// its background reader may have taken; what it had not yet read of the bytes
// that came with Deliver.
func takeBack(w http.ResponseWriter, r *http.Request, target string) (raw net.Conn, prefix []byte, remote net.Addr, err error) {
	c := connOf(r)
	_, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, nil, fmt.Errorf("hijack connection: %w", err)
	}
	if err := c.SetDeadline(time.Time{}); err != nil {
		_ = c.Close() // broken already
		return nil, nil, nil, fmt.Errorf("clear deadlines: %w", err)
	}
	buffered, err := rw.Reader.Peek(rw.Reader.Buffered())
	if err != nil {
		_ = c.Close() // bytes would be lost
		return nil, nil, nil, fmt.Errorf("read buffered bytes: %w", err)
	}
	prefix = appendHead(nil, r, target)
	prefix = append(prefix, buffered...)
	prefix = append(prefix, c.prefix...)
	return c.Conn, prefix, c.remote, nil
}

// originForm returns a request's target as a server wants it: the path and the
// query (RFC 9112 §3.2.1), also of a target in absolute form, as proxies get
// it. It fails for a URL without a path, such as "a:b".
func originForm(r *http.Request) (target string, ok bool) {
	target = r.RequestURI
	if !strings.HasPrefix(target, "/") {
		target = r.URL.RequestURI()
	}
	return target, strings.HasPrefix(target, "/")
}

// appendHead appends the head of r as it goes over the wire: the request line
// with target, Host, and the header fields sorted by name (RFC 9112 §3, §5).
// net/http has refused control characters in the target and in Host;
// Header.Write drops invalid names and line breaks in values.
func appendHead(dst []byte, r *http.Request, target string) []byte {
	b := bytes.NewBuffer(dst)
	fmt.Fprintf(b, "%s %s HTTP/%d.%d\r\n", r.Method, target, r.ProtoMajor, r.ProtoMinor)
	if r.Host != "" { // HTTP/1.0 may have none
		fmt.Fprintf(b, "Host: %s\r\n", r.Host)
	}
	_ = r.Header.Write(b) // a bytes.Buffer takes all
	b.WriteString("\r\n")
	return b.Bytes()
}
