package netloop

import "time"

// wheel holds the deadlines of a loop's connections, to within a tick. Each
// connection has at most one.
type wheel struct {
	slots [wheelSlots]*conn // heads of doubly linked lists
	count int
	at    int64 // the tick up to which it has turned
	due   int64 // when it must turn next, ns; never when empty
}

const (
	wheelSlots = 256
	wheelTick  = int64(50 * time.Millisecond)
)

// timer is a connection's place in the wheel.
type timer struct {
	deadline   int64 // ns; 0: none
	prev, next *conn
	slot       int
}

// set gives c a deadline in place of the one it had; 0 takes it away.
func (w *wheel) set(c *conn, deadline, now int64) {
	w.remove(c)
	if deadline == 0 {
		return
	}
	if w.count == 0 {
		w.at = now / wheelTick
		w.due = (w.at + 1) * wheelTick
	}
	w.insert(c, deadline)
}

func (w *wheel) insert(c *conn, deadline int64) {
	tick := max((deadline+wheelTick-1)/wheelTick, w.at+1)
	slot := int(tick % wheelSlots)
	head := w.slots[slot]
	c.timer = timer{deadline: deadline, next: head, slot: slot}
	if head != nil {
		head.timer.prev = c
	}
	w.slots[slot] = c
	w.count++
}

func (w *wheel) remove(c *conn) {
	t := &c.timer
	if t.deadline == 0 {
		return
	}
	if t.prev != nil {
		t.prev.timer.next = t.next
	} else {
		w.slots[t.slot] = t.next
	}
	if t.next != nil {
		t.next.timer.prev = t.prev
	}
	*t = timer{}
	w.count--
	if w.count == 0 {
		w.due = never
	}
}

// turn serves the deadlines that have passed.
func (w *wheel) turn(now int64) {
	var expired []*conn
	last := now / wheelTick
	for first := max(w.at+1, last-wheelSlots+1); first <= last; first++ {
		for c := w.slots[first%wheelSlots]; c != nil; c = c.timer.next {
			if c.timer.deadline <= now {
				expired = append(expired, c)
			}
		}
	}
	w.at = last
	w.due = (last + 1) * wheelTick
	for _, c := range expired {
		w.remove(c)
	}
	if w.count == 0 {
		w.due = never
	}
	for _, c := range expired {
		if !c.dead {
			c.loop.guard(c, func() { c.timeout(now) })
		}
	}
}
