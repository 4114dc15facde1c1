package main_test

import (
	"math"
	"sync"
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

// startFeedOnce returns a function that sends tags once in real time and ends
// cleanly.
func startFeedOnce(p *publisher, tags []tag, base uint32) func() {
	return func() { feedOnce(p, tags, base, math.MaxUint32, nil) }
}

// feedOnce waits at the first tag that is not before a time, in ms, until it
// may go on.
func feedOnce(p *publisher, tags []tag, base, until uint32, goOn <-chan struct{}) {
	begin := time.Now()
	for _, g := range tags {
		if goOn != nil && g.ts >= until {
			<-goOn
			begin, goOn = time.Now().Add(-ms(g.ts)), nil
		}
		time.Sleep(time.Until(begin.Add(ms(g.ts))))
		g.ts += base
		if p.put(g) != nil {
			return
		}
	}
	_ = p.stopCleanly("x")
}

// heldFeed is a publish in real time whose last part waits for release, so that
// what has to happen before its end has all the time that it takes.
type heldFeed struct {
	sent chan struct{} // closed at the end
	goOn chan struct{}
	once sync.Once
}

// feedUntil publishes tags once, those from a time on, in ms, after release.
func feedUntil(t *testing.T, p *publisher, tags []tag, until uint32) *heldFeed {
	t.Helper()
	h := &heldFeed{sent: make(chan struct{}), goOn: make(chan struct{})}
	go func() {
		defer close(h.sent)
		feedOnce(p, tags, 0, until, h.goOn)
	}()
	t.Cleanup(h.end)
	return h
}

// release lets the rest be sent.
func (h *heldFeed) release() { h.once.Do(func() { close(h.goOn) }) }

// end waits until all is sent.
func (h *heldFeed) end() {
	h.release()
	<-h.sent
}

func ms(n uint32) time.Duration { return time.Duration(n) * time.Millisecond }
