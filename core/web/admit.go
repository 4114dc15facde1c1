package web

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// Admission is what Options.Admit says of a connection, for Options.Tunnel.
type Admission any

// visitor is a connection of HTTP/2, about which it is decided once.
type visitor struct {
	once      sync.Once
	admission Admission
	reason    string
	ok        bool
}

type visitorKey struct{}

// withVisitor is withConn for connections of HTTP/2.
func withVisitor(ctx context.Context, c net.Conn) context.Context {
	if _, ok := c.(*tls.Conn); !ok {
		return ctx
	}
	return context.WithValue(ctx, visitorKey{}, new(visitor))
}

// admit reports whether the connection of r was admitted, and what was said of
// it; refused, the client was answered and its connection ends.
func (s *Server) admit(w http.ResponseWriter, r *http.Request) (a Admission, ok bool) {
	v, ok := r.Context().Value(visitorKey{}).(*visitor)
	if !ok || s.opts.Admit == nil {
		return nil, true // a loop has asked
	}
	v.once.Do(func() { v.admission, v.reason, v.ok = s.opts.Admit(r) })
	if !v.ok {
		w.Header().Set("Connection", "close")
		fail(w, http.StatusForbidden, "%s", v.reason)
	}
	return v.admission, v.ok
}
