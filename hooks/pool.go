package hooks

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/millrace/millrace/core/event"
)

// job is a call that waits.
type job struct {
	hook   int // index in hookNames
	e      *event.Event
	done   func(Verdict) // nil: a notice
	shadow bool
	live   Verdict // what a shadow is compared with
	queued time.Time
}

// pool runs jobs on workers. Few scripts run at once (slots), since event loops
// need the processors too; workers that wait for HTTP do not count, and others
// take their place, up to workers in all. A call that computes for long falls
// behind: it leaves its slot to others, and goes on in turn with those like it,
// half as many at once, on a thread that lets everybody else go first.
type pool struct {
	run   func(job) lane
	slots int
	slow  *semaphore.Weighted

	mu        sync.Mutex
	idle      sync.Cond
	back      sync.Cond // for those that return from waiting
	decisions fifo      // under mu, as all below
	notices   fifo
	workers   int // alive
	maxWork   int
	maxQueue  int
	sleeping  int
	running   int
	resuming  int
	outside   int
	held      int64 // bytes that calls have which do not run
	maxHeld   int64
	closed    bool
	ended     sync.WaitGroup
}

// newPool makes a pool for so many processors; run runs a job, and returns the
// lane in which it ended.
func newPool(processors int, run func(job) lane) *pool {
	p := &pool{run: run, slots: processors, slow: semaphore.NewWeighted(int64(max(processors/2, 1)))}
	p.idle.L = &p.mu
	p.back.L = &p.mu
	return p
}

// maxHolders is how many calls that do not run may hold all that one may: Go's
// collector walks through it, beside the event loops.
const maxHolders = 2

// limit sets the bounds for jobs to come; memory is a call's, in bytes.
func (p *pool) limit(workers, queue int, memory int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.maxWork, p.maxQueue, p.maxHeld = workers, queue, maxHolders*memory
}

// put queues a job; false: the queue is full, or the pool closed.
func (p *pool) put(j job) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := &p.notices
	if j.done != nil {
		q = &p.decisions
	}
	if p.closed || q.len() >= p.maxQueue {
		return false
	}
	q.push(j)
	p.next()
	return true
}

// next lets somebody go on when a slot is free. mu is held.
func (p *pool) next() {
	switch {
	case p.running >= p.slots:
	case p.resuming > 0:
		p.back.Signal()
	case p.decisions.len()+p.notices.len() == 0:
	case p.sleeping > 0:
		p.idle.Signal()
	case p.workers < p.maxWork:
		p.workers++
		p.ended.Add(1)
		go p.work()
	}
}

// work is a worker: it runs jobs until there are none and enough others sleep.
func (p *pool) work() {
	defer p.ended.Done()
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		j, ok := p.take()
		if !ok {
			p.workers--
			return
		}
		p.running++
		p.next()
		p.mu.Unlock()
		l := p.run(j)
		if l != quick {
			// Its thread ends with it: no other is to have such a one.
			if l == slow {
				p.slow.Release(1)
			}
			p.mu.Lock()
			p.workers--
			p.next()
			return
		}
		p.mu.Lock()
		p.running--
		p.next()
	}
}

// take waits for a job and a slot. false: the worker is not needed.
func (p *pool) take() (job, bool) {
	for {
		if p.running < p.slots && p.resuming == 0 {
			if p.decisions.len() > 0 {
				return p.decisions.pop(), true
			}
			if p.notices.len() > 0 {
				return p.notices.pop(), true
			}
		}
		if p.closed || p.sleeping >= p.slots {
			return job{}, false
		}
		p.sleeping++
		p.idle.Wait()
		p.sleeping--
	}
}

// release and resume make the pool a gate.
func (p *pool) release(l lane) {
	if l == slow {
		p.slow.Release(1)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.outside++; l == quick {
		p.running--
		p.next()
	}
}

func (p *pool) resume(l lane, until time.Time) lane {
	if l == slow {
		l = p.resumeSlow(until)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.outside--; l != quick {
		return l
	}
	p.resuming++
	for p.running >= p.slots {
		p.back.Wait()
	}
	p.resuming--
	p.running++
	p.next()
	return quick
}

func (p *pool) resumeSlow(until time.Time) lane {
	ctx, cancel := context.WithDeadline(context.Background(), until)
	defer cancel()
	if p.slow.Acquire(ctx, 1) != nil {
		return aside
	}
	return slow
}

func (p *pool) hold(n int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held += n
	return p.held <= p.maxHeld
}

// expired takes the decisions out that were queued before t.
func (p *pool) expired(t time.Time) []job {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []job
	for p.decisions.len() > 0 && p.decisions.first().queued.Before(t) {
		out = append(out, p.decisions.pop())
	}
	return out
}

// close ends the workers, and returns the jobs that nobody ran. Those that run
// have ended when it returns.
func (p *pool) close() []job {
	p.mu.Lock()
	p.closed = true
	var left []job
	for p.decisions.len() > 0 {
		left = append(left, p.decisions.pop())
	}
	p.notices = fifo{}
	p.idle.Broadcast()
	p.mu.Unlock()
	p.ended.Wait()
	return left
}

// load is what the pool is busy with.
func (p *pool) load() (queued, notices, workers, outside int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.decisions.len(), p.notices.len(), p.workers, p.outside
}

// fifo is a queue in a ring that grows.
type fifo struct {
	ring  []job
	start int
	n     int
}

func (q *fifo) len() int    { return q.n }
func (q *fifo) first() *job { return &q.ring[q.start] }

func (q *fifo) push(j job) {
	if q.n == len(q.ring) {
		ring := make([]job, max(16, 2*q.n))
		for i := range q.n {
			ring[i] = q.ring[(q.start+i)%len(q.ring)]
		}
		q.ring, q.start = ring, 0
	}
	q.ring[(q.start+q.n)%len(q.ring)] = j
	q.n++
}

func (q *fifo) pop() job {
	j := q.ring[q.start]
	q.ring[q.start] = job{}
	q.start = (q.start + 1) % len(q.ring)
	q.n--
	return j
}
