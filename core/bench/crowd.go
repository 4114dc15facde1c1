package bench

import (
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// crowd are the viewers of one poller.
type crowd struct {
	poller   *poller
	protocol Protocol
	viewers  []*viewer
	targets  []target // of each viewer
	indices  []int    // of each viewer among all
	dues     []time.Time
	next     int // to connect
	expireAt time.Time
	sampled  sampled

	playing, failed, ended, dropped atomic.Int64

	// shaking are the TLS handshakes in progress, within ctx.
	shaking sync.WaitGroup
	ctx     context.Context
	cancel  context.CancelFunc

	mu      sync.Mutex
	reasons map[string]int
}

// never is a moment that does not come.
var never = time.Unix(math.MaxInt64/2, 0)

// newCrowd starts a poller without viewers.
func newCrowd(protocol Protocol) (*crowd, error) {
	p, err := newPoller()
	if err != nil {
		return nil, err
	}
	c := &crowd{poller: p, protocol: protocol, reasons: make(map[string]int)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c, nil
}

// add adds a viewer that is to connect at due. Before start.
func (c *crowd) add(t target, i int, due time.Time, parsed, stalled bool) {
	v := &viewer{crowd: c, stalled: stalled}
	if parsed {
		v.reading = &reading{all: &c.sampled}
	}
	c.viewers = append(c.viewers, v)
	c.targets, c.indices, c.dues = append(c.targets, t), append(c.indices, i), append(c.dues, due)
}

// start lets the viewers connect.
func (c *crowd) start() { c.poller.do(func() { c.poller.tick = c.tick }) }

// tick connects viewers that are due.
func (c *crowd) tick(now time.Time) time.Time {
	for ; c.next < len(c.viewers) && !c.dues[c.next].After(now); c.next++ {
		c.viewers[c.next].begin(c.targets[c.next], c.indices[c.next], now)
	}
	if now.After(c.expireAt) {
		c.expireAt = now.Add(openTimeout / 10)
		for _, v := range c.viewers[:c.next] {
			v.expire(now)
		}
	}
	if c.next < len(c.viewers) {
		return c.dues[c.next]
	}
	return never
}

// reason takes note of why a viewer ended.
func (c *crowd) reason(err error, opening bool) {
	text := err.Error()
	if opening {
		text = "not accepted: " + text
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reasons[text]++
}

// settled reports whether each viewer was accepted or not.
func (c *crowd) settled() bool {
	return int(c.playing.Load()+c.failed.Load()) >= len(c.viewers)
}

// beginInterval starts to measure.
func (c *crowd) beginInterval(now time.Time) {
	for _, v := range c.viewers {
		v.bytes, v.silence, v.last = 0, 0, now
	}
	c.sampled.from = now
}

// endInterval returns what each viewer got that was to get something.
func (c *crowd) endInterval(now time.Time) []share {
	var all []share
	for _, v := range c.viewers {
		if v.state == viewerPlaying && !v.stalled {
			all = append(all, share{bytes: v.bytes, silence: max(v.silence, now.Sub(v.last))})
		}
	}
	c.sampled.from = time.Time{}
	return all
}

// close ends the poller and all connections.
func (c *crowd) close() {
	c.poller.do(func() { c.poller.tick = nil }) // nobody else connects
	c.cancel()
	c.shaking.Wait()
	c.poller.close()
	for _, v := range c.viewers {
		v.close()
	}
}

// share is what a viewer got in the measured interval.
type share struct {
	bytes   uint64
	silence time.Duration // the longest
}

const (
	// starvedAfter is how long a viewer may be without a byte.
	starvedAfter = 2 * time.Second
	// starvedShare is the share of the median's bytes that a viewer may be
	// below in an interval of at least evenInterval: in a shorter one a
	// keyframe more or less decides.
	starvedShare = 0.9
	evenInterval = 5 * time.Second
)

// starved counts the shares that are too small for a viewer to be watching.
func starved(all []share, interval time.Duration) int {
	if len(all) == 0 {
		return 0
	}
	bytes := make([]uint64, len(all))
	for i, s := range all {
		bytes[i] = s.bytes
	}
	slices.Sort(bytes)
	least := uint64(0)
	if interval >= evenInterval {
		least = uint64(starvedShare * float64(bytes[len(bytes)/2]))
	}
	n := 0
	for _, s := range all {
		if s.silence > starvedAfter || s.bytes == 0 || s.bytes < least {
			n++
		}
	}
	return n
}
