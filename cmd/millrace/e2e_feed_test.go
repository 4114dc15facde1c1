package main_test

import (
	"testing"
	"time"
)

// feed is a publisher that sends tags in real time, over and over, until it is
// stopped or cut.
type feed struct {
	*publisher
	stopped chan struct{}
	ended   chan struct{}
	err     error // why it ended, valid after ended
}

// feed publishes tags until the test's end.
func (s *server) feed(t *testing.T, path string, tags []tag) *feed {
	t.Helper()
	f := startFeed(s.publish(t, path), tags, 0)
	t.Cleanup(f.cut)
	return f
}

// startFeed sends tags with their timestamps moved by base ms.
func startFeed(p *publisher, tags []tag, base uint32) *feed {
	f := &feed{publisher: p, stopped: make(chan struct{}), ended: make(chan struct{})}
	go f.run(tags, base)
	return f
}

func (f *feed) run(tags []tag, base uint32) {
	defer close(f.ended)
	span := tags[len(tags)-1].ts + 40
	for begin := time.Now(); ; begin, base = begin.Add(ms(span)), base+span {
		for _, g := range tags {
			if !f.sleepUntil(begin.Add(ms(g.ts))) {
				return
			}
			g.ts += base
			if f.err = f.put(g); f.err != nil {
				return
			}
		}
	}
}

func (f *feed) sleepUntil(when time.Time) bool {
	select {
	case <-f.stopped:
		return false
	case <-time.After(time.Until(when)):
		return true
	}
}

// halt stops sending, and leaves the connection open.
func (f *feed) halt() {
	select {
	case <-f.stopped:
	default:
		close(f.stopped)
	}
	<-f.ended
}

// cut drops the connection without a word.
func (f *feed) cut() {
	f.Close()
	f.halt()
}

func ms(n uint32) time.Duration { return time.Duration(n) * time.Millisecond }
