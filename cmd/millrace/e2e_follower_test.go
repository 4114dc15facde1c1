package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"
)

// follower is a viewer that compares each frame with what was published, and
// keeps none, so that there can be thousands.
type follower struct {
	protocol string
	done     chan struct{}
	err      error // valid after done
}

// follow starts to watch a stream of which the whole is media.
func (s *server) follow(t *testing.T, protocol, path string, media []tag) *follower {
	t.Helper()
	f := &follower{protocol: protocol, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		f.err = f.run(s, path, media)
	}()
	t.Cleanup(func() { <-f.done })
	return f
}

// wait waits for the clean end, and says what was wrong before.
func (f *follower) wait() error {
	<-f.done
	return f.err
}

func (f *follower) run(s *server, path string, media []tag) error {
	v, err := s.tryWatch(f.protocol, path, nil)
	if err != nil {
		return err
	}
	defer v.Close()
	_ = v.SetReadDeadline(time.Now().Add(ms(media[len(media)-1].ts) + 10*patience))
	var base uint32
	for n := 0; ; {
		g, err := v.next()
		if err != nil {
			return errors.Join(missing(n, len(media)), cleanEnd(v, err, wsNormal))
		}
		if !g.isMedia() {
			continue
		}
		if n == len(media) {
			return errors.New("more frames than were published")
		}
		want := media[n]
		if n == 0 {
			base = g.ts - want.ts
		}
		drift := int32(g.ts - base - want.ts)
		if g.kind != want.kind || !bytes.Equal(g.body, want.body) || drift < -1 || drift > 1 {
			return fmt.Errorf("frame %d of %d, of kind %d at %d ms, is not that of kind %d at %d ms", n, len(media), g.kind, g.ts, want.kind, want.ts)
		}
		n++
	}
}

func missing(got, of int) error {
	if got < of {
		return fmt.Errorf("%d frames of %d", got, of)
	}
	return nil
}
