package web

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// visitor is a connection of HTTP/2, about which it is decided once.
type visitor struct {
	conn      *tls.Conn // nil: the guest's
	once      sync.Once
	admission Admission
	limiter   *rate.Limiter // of all that is sent on it; nil: none
	reason    string
	ok        bool

	mu      sync.Mutex
	closed  bool          // under mu, as all below
	resting bool          // there is no request on it
	idle    time.Duration // that it may rest; 0: as net/http has it
	rest    *time.Timer   // it closes the connection that rests for longer
	end     *time.Timer   // it closes the connection that has had its time
	streams int           // live ones on it
	waited  int           // for them, since it has had its time
}

const (
	// parting is how much longer than allowed a connection lasts: the loops end
	// the streams on it, which is not to look like a cut.
	parting = time.Second
	// maxPartings is how often it gets as much again while there are some.
	maxPartings = 10
)

type visitorKey struct{}

// visitors are the connections of HTTP/2.
type visitors struct{ all sync.Map } // *tls.Conn to *visitor

// join leads from a request on c to its visitor, if c speaks HTTP/2.
func (a *visitors) join(ctx context.Context, c net.Conn) context.Context {
	secured, ok := c.(*tls.Conn)
	if !ok {
		return ctx
	}
	v := &visitor{conn: secured}
	a.all.Store(secured, v)
	return context.WithValue(ctx, visitorKey{}, v)
}

// changed is http.Server.ConnState. That of HTTP/2 is active while there are
// requests on it.
func (a *visitors) changed(c net.Conn, state http.ConnState) {
	secured, ok := c.(*tls.Conn)
	if !ok {
		return
	}
	found, ok := a.all.Load(secured)
	if !ok {
		return
	}
	v := found.(*visitor)
	switch state {
	case http.StateActive:
		v.wake()
	case http.StateIdle:
		v.sleep()
	case http.StateClosed:
		a.all.Delete(secured)
		v.leave()
	}
}

// bound puts in force what was said of the connection.
func (v *visitor) bound() {
	if bytes := v.admission.Rate(); bytes > 0 {
		v.limiter = NewLimiter(bytes)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.idle = v.admission.Idle()
	v.watchRest() // who asked may have given up meanwhile
	if left := v.admission.Left(); left > 0 && !v.closed {
		v.end = time.AfterFunc(left+parting, v.expire)
	}
}

// watchRest has the connection end that rests for too long. mu is held.
func (v *visitor) watchRest() {
	if v.resting && v.idle > 0 && !v.closed {
		v.rest = time.AfterFunc(v.idle, v.cut)
	}
}

// expire is called when the connection has had its time.
func (v *visitor) expire() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.streams > 0 && v.waited < maxPartings {
		v.waited++
		v.end.Reset(parting)
		return
	}
	go v.cut()
}

// relaying counts a live stream until what it returns is called.
func (v *visitor) relaying() (end func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.streams++
	return func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.streams--
	}
}

// cut closes the connection.
func (v *visitor) cut() { _ = v.conn.Close() }

// sleep is called after the last request for now, wake before the next.
func (v *visitor) sleep() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.resting = true
	v.watchRest()
}

func (v *visitor) wake() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.resting = false
	if v.rest != nil {
		v.rest.Stop()
	}
}

// leave is called at the connection's end.
func (v *visitor) leave() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closed = true
	for _, t := range []*time.Timer{v.rest, v.end} {
		if t != nil {
			t.Stop()
		}
	}
}
