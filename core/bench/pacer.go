package bench

import (
	"container/heap"
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// pacer has the publishers of one poller send each tag when it is due.
type pacer struct {
	poller     *poller
	frames     *frames
	chunkSize  int
	publishers []*publisher
	targets    []target
	dues       []time.Time // of each publisher's connect
	next       int         // to connect
	expireAt   time.Time
	queue      byDue
	scratch    []byte
	late       distribution // of tags in the interval: from due to written

	started, refused, lost atomic.Int64

	mu      sync.Mutex
	reasons map[string]int
}

// newPacer starts a poller without publishers.
func newPacer(s Shape) (*pacer, error) {
	p, err := newPoller()
	if err != nil {
		return nil, err
	}
	f := newFrames(s)
	// A frame is one chunk.
	return &pacer{poller: p, frames: f, chunkSize: max(65536, f.largest()), reasons: make(map[string]int)}, nil
}

// add adds a publisher that is to connect at due. Before start.
func (p *pacer) add(t target, due time.Time) {
	u := &publisher{pacer: p, source: source{frames: p.frames}, place: -1}
	p.publishers = append(p.publishers, u)
	p.targets, p.dues = append(p.targets, t), append(p.dues, due)
}

// start lets the publishers connect.
func (p *pacer) start() { p.poller.do(func() { p.poller.tick = p.tick }) }

// tick connects publishers and sends tags that are due.
func (p *pacer) tick(now time.Time) time.Time {
	for ; p.next < len(p.publishers) && !p.dues[p.next].After(now); p.next++ {
		p.publishers[p.next].begin(p.targets[p.next], p.next, now)
	}
	for len(p.queue) > 0 && !p.queue[0].due.After(now) {
		u := p.queue[0]
		// The stamp is the moment of the write, not of the queue's turn.
		if u.push(time.Now()); !u.failed {
			heap.Fix(&p.queue, 0)
		}
	}
	if now.After(p.expireAt) {
		p.expireAt = now.Add(openTimeout / 10)
		for _, u := range p.publishers[:p.next] {
			u.expire(now)
		}
	}
	return p.wakeAt()
}

func (p *pacer) wakeAt() time.Time {
	at := never
	if p.next < len(p.publishers) {
		at = p.dues[p.next]
	}
	if len(p.queue) > 0 && p.queue[0].due.Before(at) {
		at = p.queue[0].due
	}
	return at
}

func (p *pacer) schedule(u *publisher) {
	heap.Push(&p.queue, u)
	p.started.Add(1)
}

func (p *pacer) unschedule(u *publisher) {
	if u.place >= 0 {
		heap.Remove(&p.queue, u.place)
	}
}

// failed takes note of a publisher's end.
func (p *pacer) failed(err error, opening bool) {
	text := err.Error()
	if opening {
		text = "not accepted: " + text
		p.refused.Add(1)
	} else {
		p.lost.Add(1)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reasons[text]++
}

// settled reports whether each publisher was accepted or not.
func (p *pacer) settled() bool {
	return int(p.started.Load()+p.refused.Load()) >= len(p.publishers)
}

// beginInterval starts to measure.
func (p *pacer) beginInterval() {
	p.late = distribution{}
	for _, u := range p.publishers {
		u.before += u.sent
		u.sent, u.tags = 0, 0
	}
}

// totals of the interval.
type totals struct {
	bytes, tags uint64
	all         uint64 // bytes, ever
	late        distribution
	reasons     map[string]int
}

func (p *pacer) endInterval(t *totals) {
	for _, u := range p.publishers {
		t.bytes += u.sent
		t.all += u.before + u.sent
		t.tags += u.tags
	}
	t.late.merge(&p.late)
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.Copy(t.reasons, p.reasons)
}

// stop ends all streams as encoders do.
func (p *pacer) stop() {
	p.poller.do(func() {
		p.poller.tick = nil
		for _, u := range p.publishers {
			if u.client != nil && !u.failed && !u.started.IsZero() {
				u.client.Stop()
				_ = u.send(u.client.TakeOutput()) // the end is near either way
			}
		}
	})
}

// close ends the poller and all connections.
func (p *pacer) close() {
	p.poller.close()
	for _, u := range p.publishers {
		u.close()
	}
}

// byDue is a heap of publishers.
type byDue []*publisher

// Len is sort.Interface's.
func (q byDue) Len() int { return len(q) }

// Less is sort.Interface's.
func (q byDue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }

// Swap is sort.Interface's.
func (q byDue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

// Push is heap.Interface's.
func (q *byDue) Push(u any) {
	added := u.(*publisher)
	added.place = len(*q)
	*q = append(*q, added)
}

// Pop is heap.Interface's.
func (q *byDue) Pop() any {
	last := len(*q) - 1
	u := (*q)[last]
	u.place = -1
	(*q)[last] = nil
	*q = (*q)[:last]
	return u
}
