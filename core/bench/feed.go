package bench

import (
	"errors"
	"fmt"
)

// feed is a viewer's side of a protocol: bytes in, tags out. It belongs to one
// goroutine.
type feed interface {
	// open is what a viewer sends first.
	open() []byte
	// take takes bytes and calls sink for each tag that they complete. reply
	// is to be sent. An error is final.
	take(b []byte, sink func(tag)) (reply []byte, err error)
	// playing reports whether the server has accepted: all that comes after
	// the bytes taken is the stream.
	playing() bool
}

// newFeed returns the feed of t's protocol.
func newFeed(t target) feed {
	switch t.protocol {
	case RTMP:
		return newRTMPFeed(t)
	case WSFLV:
		return newWSFeed(t)
	}
	return newHTTPFeed(t)
}

// Ends of a stream that a server announced.
var (
	errEnded   = errors.New("the server ended the stream")
	errRefused = errors.New("refused")
)

func refusal(status string) error { return fmt.Errorf("%w: %s", errRefused, status) }
