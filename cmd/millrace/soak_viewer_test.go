package main_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// soakViewer watches in a goroutine of its own and checks all that it gets.
type soakViewer struct {
	protocol, path string
	done           chan struct{}
	err            error // what was wrong, valid after done
	tags           int   // read so far, valid after done

	mu      sync.Mutex
	viewer  viewer    // nil until the server has answered
	excused bool      // its connection may end in any way
	until   time.Time // it does not read before
}

func startSoakViewer(srv *server, protocol, path string) *soakViewer {
	v := &soakViewer{protocol: protocol, path: path, done: make(chan struct{})}
	go func() {
		defer close(v.done)
		v.err = v.run(srv)
	}()
	return v
}

func (v *soakViewer) run(srv *server) error {
	w, err := srv.tryWatch(v.protocol, v.path, nil)
	if err != nil {
		return v.absent(err)
	}
	defer w.Close()
	v.mu.Lock()
	v.viewer = w
	gone := v.excused
	v.mu.Unlock()
	if gone {
		return nil
	}
	_ = w.SetReadDeadline(time.Time{})
	return v.read(w)
}

// absent excuses a refusal: there is no such stream.
func (v *soakViewer) absent(err error) error {
	var status refusedHTTP
	var code refused
	if errors.As(err, &status) && status.status == 404 || errors.As(err, &code) && code.code == "NetStream.Play.StreamNotFound" {
		return nil
	}
	return fmt.Errorf("watch: %w", err)
}

func (v *soakViewer) read(w viewer) error {
	var o order
	for {
		v.mu.Lock()
		pause := time.Until(v.until)
		v.mu.Unlock()
		time.Sleep(pause)
		g, err := w.next()
		if err == nil {
			v.tags++
			err = o.add(g)
		} else if err = v.ending(w, err); err == nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// ending returns what is wrong with an end.
func (v *soakViewer) ending(w viewer, err error) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.excused && cut(err) {
		return nil
	}
	return cleanEnd(w, err, wsNormal, wsGoingAway)
}

// cut tells the end of a connection from bytes that are wrong.
func cut(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// excuse lets the connection end in any way, and returns its address if there
// is one.
func (v *soakViewer) excuse() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.excused = true
	if v.viewer == nil {
		return ""
	}
	return v.viewer.(net.Conn).LocalAddr().String()
}

func (v *soakViewer) leave() {
	v.excuse()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.until = time.Time{}
	if v.viewer != nil {
		v.viewer.Close()
	}
}

func (v *soakViewer) stall(span time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.until = time.Now().Add(span)
}
