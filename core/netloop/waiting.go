package netloop

import "github.com/millrace/millrace/core/stream"

// waiting are a loop's viewers that came before their publisher. They hold no
// stream and no ring.
type waiting struct {
	loop *loop
	by   map[stream.Key]map[*conn]waiter
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
	if !c.engine.mayWait() {
		return false
	}
	if w.by[k] == nil {
		w.by[k] = make(map[*conn]waiter)
	}
	w.by[k][c] = as
	c.waits, c.waitsFor = true, k
	return true
}

// unwait ends c's wait and reports whether it waited.
func (c *conn) unwait() bool {
	if !c.waits {
		return false
	}
	c.waits = false
	w := &c.loop.waiting
	delete(w.by[c.waitsFor], c)
	if len(w.by[c.waitsFor]) == 0 {
		delete(w.by, c.waitsFor)
	}
	c.engine.totals.waiting.Add(-1)
	return true
}

// serve hands k's stream to those who wait for it.
func (w *waiting) serve(k stream.Key) {
	s := w.loop.engine.options.Streams.Lookup(k)
	if s == nil {
		return
	}
	for c, as := range w.by[k] {
		c.unwait()
		w.loop.guard(c, func() { as.serve(s) })
	}
	w.loop.serve()
}
