package netloop

import (
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/httpflv"
	"github.com/millrace/millrace/core/object"
)

// parked is a request that waits for an object. It holds no more of its head
// than the answer needs.
type parked struct {
	path       string
	directives object.Directives
	head       httpflv.Head
	ready      bool // it is in the loop's list of those to be answered
}

// held reports whether requests behind this one have to wait: it waits itself,
// or its answer is on its way.
func (h *httpConn) held() bool { return h.parked != nil || h.conn.body != nil }

// isObject reports whether the loop answers a request from the object store.
func (e *Engine) isObject(h httpflv.Head) bool {
	switch h.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
	default:
		return false
	}
	path, ok := strings.CutPrefix(h.Path, "/")
	return ok && !h.HasBody() && e.HasObject(path)
}

// HasObject reports whether the loops answer requests for path (without the
// first slash) from memory. Any goroutine.
func (e *Engine) HasObject(path string) bool {
	store := e.options.Objects
	if store == nil {
		return false
	}
	first, _, _ := strings.Cut(path, "/")
	if !e.reserved(first) || !store.Has(path) {
		return false
	}
	elsewhere := e.Settings().ObjectsByHTTP
	return elsewhere == nil || !elsewhere()
}

// serveObject answers a request for which isObject holds, at once or when its
// object has come.
func (h *httpConn) serveObject(head httpflv.Head) {
	if head.Method == http.MethodOptions {
		out, keep := h.responder().AppendPreflight(nil, head, time.Now())
		h.answered(out, keep, "answered OPTIONS")
		return
	}
	path, directives := head.Path[1:], object.ParseDirectives(head.RawQuery)
	if head.Method == http.MethodHead {
		directives = object.Unasked // it never waits
	}
	f := h.conn.engine.options.Objects.Find(path, directives)
	if f.State == object.Wait && head.Method == http.MethodGet {
		h.park(&parked{path: strings.Clone(path), directives: directives, head: head.Kept()}, f.Patience)
		return
	}
	h.answer(head, f)
}

// answer sends what the store has.
func (h *httpConn) answer(head httpflv.Head, f object.Found) {
	switch f.State {
	case object.Ready:
		h.sendObject(head, f)
	case object.Bad:
		h.refuse(head, httpflv.Refusal{Status: http.StatusBadRequest, Reason: "the playlist does not go that far"})
	default:
		h.refuse(head, httpflv.Refusal{Status: http.StatusNotFound, Reason: "no such object"})
	}
}

func (h *httpConn) sendObject(head httpflv.Head, f object.Found) {
	c := h.conn
	out, part, keep := h.responder().AppendEntity(nil, head, httpflv.Entity{
		ContentType: f.Object.ContentType, CacheControl: f.Object.CacheControl,
		ETag: f.Content.ETag, Modified: f.Object.Modified, Size: f.Content.Size,
	}, time.Now())
	if part.Length > 0 {
		c.body = newBody(f.Content, part)
		c.progress = c.loop.now() // it may have been idle for long
		c.setDeadline(0)          // stream.stall_timeout watches it
		c.limitUnsent()
	}
	c.send(out)
	switch {
	case !keep:
		c.finish(causeServer, "answered")
	case part.Length == 0: // else bodySent sees to it, and to what comes behind
		h.expectNext()
	}
}

// bodySent goes on after a body has left.
func (h *httpConn) bodySent() {
	h.expectNext()
	if !h.parsing {
		h.parse()
	}
}

func (h *httpConn) expectNext() {
	h.conn.setDeadline(h.conn.loop.now() + int64(h.conn.idleTimeout()))
}

// park has the request wait, if it may.
func (h *httpConn) park(p *parked, patience time.Duration) {
	c := h.conn
	if c.engine.draining.Load() || !c.mayWait() {
		h.refuse(p.head, httpflv.Refusal{
			Status: http.StatusServiceUnavailable, RetryAfter: time.Second,
			Reason: "too many requests wait (limits.waiting)",
		})
		return
	}
	if len(h.buf) == 0 {
		h.buf = nil
	}
	h.parked = p
	c.setDeadline(c.loop.now() + int64(patience))
	c.loop.objects.add(h)
	// The object may have come before the loop watched.
	if f := c.engine.options.Objects.Find(p.path, p.directives); f.State != object.Wait {
		h.unpark()
		h.answer(p.head, f)
	}
}

// unpark ends the wait.
func (h *httpConn) unpark() {
	if h.parked == nil {
		return
	}
	h.conn.loop.objects.drop(h)
	h.parked = nil
	h.conn.engine.totals.waiting.Add(-1)
}

// unparked answers a request whose object may have come.
func (h *httpConn) unparked() {
	p := h.parked
	p.ready = false
	store := h.conn.engine.options.Objects
	f := store.Find(p.path, p.directives)
	if f.State == object.Wait {
		h.conn.loop.objects.add(h)
		f = store.Find(p.path, p.directives) // it may have come before the loop watched
	}
	if f.State == object.Wait {
		return
	}
	h.unpark()
	h.answer(p.head, f)
	h.parse()
}

// waitedInVain answers a request whose object did not come: "If the server
// blocks … for longer than three times the Target Duration, it SHOULD … 503".
func (h *httpConn) waitedInVain() {
	p := h.parked
	h.unpark()
	h.refuse(p.head, httpflv.Refusal{
		Status: http.StatusServiceUnavailable,
		Reason: "the object did not come within three target durations",
	})
	if !h.conn.finishing && !h.conn.dead {
		h.parse()
	}
}

// mayWait takes one of the places for those who wait (limits.waiting); false
// if there is none, of which there is a line in the log at most once a second.
func (c *conn) mayWait() bool {
	e := c.engine
	most := min(int64(e.Settings().Limits.Waiting), int64(e.gate.limit())/4)
	if e.totals.waiting.Add(1) > most {
		e.totals.waiting.Add(-1)
		if n, ok := e.gate.note(e.gate.refusals, refusedWaiting); ok {
			e.log.Warn("waiting refused", c.attrs(slog.String(event.Reason, refusedWaiting), slog.Uint64("refused_in_all", n))...)
		}
		return false
	}
	return true
}

// objects are a loop's requests that wait for objects.
type objects struct {
	loop *loop
	by   map[string]map[*httpConn]struct{}
	// ready are those whose object may have come, to be answered in turn.
	ready []*httpConn
}

func (o *objects) init(l *loop) {
	o.loop = l
	o.by = make(map[string]map[*httpConn]struct{})
}

// add has h wait for its path; the store tells of changes there as long as
// somebody does.
func (o *objects) add(h *httpConn) {
	path := h.parked.path
	if o.by[path] == nil {
		o.by[path] = make(map[*httpConn]struct{})
		o.loop.engine.options.Objects.Watch(path, o)
	}
	o.by[path][h] = struct{}{}
}

func (o *objects) drop(h *httpConn) {
	path := h.parked.path
	all, ok := o.by[path]
	if !ok {
		return
	}
	delete(all, h)
	if len(all) == 0 {
		delete(o.by, path)
		o.loop.engine.options.Objects.Unwatch(path, o)
	}
}

// Changed is the store's; any goroutine but the loop's.
func (o *objects) Changed(path string) {
	o.loop.post(func() { o.changed(path) })
}

// changed takes up those who have waited for path.
func (o *objects) changed(path string) {
	store := o.loop.engine.options.Objects
	for h := range o.by[path] {
		if store.Find(path, h.parked.directives).State != object.Wait {
			o.drop(h)
			h.parked.ready = true
			o.ready = append(o.ready, h)
		}
	}
	o.serve()
	o.loop.rearm()
}

// serve answers the ready until the budget of a pass is used up; then the
// clock has the loop go on after it has looked at its sockets.
func (o *objects) serve() {
	if len(o.ready) == 0 {
		return
	}
	begin, done := o.loop.now(), 0
	for _, h := range o.ready {
		if p := h.parked; p != nil && p.ready && !h.conn.dead {
			o.loop.guard(h.conn, h.unparked)
		}
		if done++; o.loop.now()-begin > passBudget {
			break
		}
	}
	o.ready = append(o.ready[:0:0], o.ready[done:]...)
}
