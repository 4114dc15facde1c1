package netloop

import "github.com/millrace/millrace/core/stream"

// waiting are a loop's viewers that came before their publisher. They hold no
// stream and no ring.
type waiting struct {
	loop *loop
	by   map[stream.Key]map[*conn]waiter
	// due are keys whose stream has come and whose waiters are not served yet.
	due []stream.Key
}

// waiter is a handler whose viewer waits; loop goroutine only.
type waiter interface {
	// serve is called when the stream is there.
	serve(*stream.Stream)
}

func (w *waiting) init(l *loop) {
	w.loop = l
	w.by = make(map[stream.Key]map[*conn]waiter)
}

// wait has c wait for k. It reports false if too many wait already.
func (c *conn) wait(k stream.Key, as waiter) bool {
	w := &c.loop.waiting
	if !c.mayWait() {
		return false
	}
	if w.by[k] == nil {
		w.by[k] = make(map[*conn]waiter)
	}
	w.by[k][c] = as
	c.waits = &k
	return true
}

// unwait ends c's wait and reports whether it waited.
func (c *conn) unwait() bool {
	if c.waits == nil {
		return false
	}
	k, w := *c.waits, &c.loop.waiting
	c.waits = nil
	delete(w.by[k], c)
	if len(w.by[k]) == 0 {
		delete(w.by, k)
	}
	c.engine.totals.waiting.Add(-1)
	return true
}

// serve hands k's stream to those who wait for it.
func (w *waiting) serve(k stream.Key) {
	if len(w.by[k]) > 0 {
		w.due = append(w.due, k)
		w.goOn()
	}
}

// goOn serves waiters whose streams have come, for at most a budget: a match
// may have thousands wait for its start.
func (w *waiting) goOn() {
	l := w.loop
	begin := l.now()
	for len(w.due) > 0 && l.now()-begin < passBudget {
		s := l.engine.options.Streams.Lookup(w.due[0])
		if s == nil || !w.serveFor(s, begin+passBudget) {
			w.due = w.due[1:]
		}
	}
	if len(w.due) == 0 {
		w.due = nil
	}
	l.serve()
}

// serveFor serves those who wait for s until a time, and reports whether some
// are left.
func (w *waiting) serveFor(s *stream.Stream, until int64) bool {
	l := w.loop
	for c, as := range w.by[s.Key] {
		c.unwait()
		l.guard(c, func() { as.serve(s) })
		if c.viewer != nil {
			c.viewer.cursor.Awaited()
		}
		if l.now() >= until {
			break
		}
	}
	return len(w.by[s.Key]) > 0
}
