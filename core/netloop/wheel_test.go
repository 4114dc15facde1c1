package netloop

import (
	"math/rand/v2"
	"testing"
)

// TestWheel compares the wheel with a table of deadlines.
func TestWheel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		checkWheel(t, rand.New(rand.NewPCG(seed, 1)))
	}
}

// rung is a connection that notes when its time has come.
type rung struct {
	silent
	at int64
}

func (r *rung) timeout(now int64) { r.at = now }

func checkWheel(t *testing.T, random *rand.Rand) {
	t.Helper()
	l := newBare(t, nil)
	w := &l.wheel
	now := int64(random.IntN(1 << 40))
	conns := make([]*conn, 50)
	rings := make([]*rung, len(conns))
	model := map[*conn]int64{}
	for i := range conns {
		rings[i] = &rung{}
		conns[i] = &conn{engine: l.engine, loop: l.loop, handler: rings[i]}
	}
	for range 3000 {
		i := random.IntN(len(conns))
		switch random.IntN(4) {
		case 0:
			delete(model, conns[i])
			w.set(conns[i], 0, now)
		case 1, 2:
			deadline := now + random.Int64N([]int64{10, wheelTick, 100 * wheelTick, 1000 * wheelTick}[random.IntN(4)])
			deadline = max(deadline, 1)
			model[conns[i]] = deadline
			w.set(conns[i], deadline, now)
		case 3:
			now += random.Int64N([]int64{1, wheelTick, 20 * wheelTick, 600 * wheelTick}[random.IntN(4)] + 1)
			if now >= w.due {
				w.turn(now)
			}
			checkRings(t, model, conns, rings, now)
		}
		if w.count != len(model) || (w.due == never) != (len(model) == 0) || w.due < now-wheelTick && w.count > 0 {
			t.Fatalf("the wheel holds %d deadlines, want %d; due %d, now %d", w.count, len(model), w.due, now)
		}
	}
}

// checkRings wants those to have rung whose deadline has passed by a tick, and
// none before its time.
func checkRings(t *testing.T, model map[*conn]int64, conns []*conn, rings []*rung, now int64) {
	t.Helper()
	for i, c := range conns {
		deadline, has := model[c]
		rang := rings[i].at != 0
		rings[i].at = 0
		switch {
		case rang && (!has || deadline > now):
			t.Fatalf("a connection rang %d ns too early", deadline-now)
		case !rang && has && deadline <= now-wheelTick:
			t.Fatalf("a connection did not ring %d ns after its deadline", now-deadline)
		case rang:
			delete(model, c)
		}
	}
}

// TestWheelClosesOthers has a timeout take another connection's away.
func TestWheelClosesOthers(t *testing.T) {
	t.Parallel()
	l := newBare(t, nil)
	var conns [3]*conn
	rang := 0
	for i := range conns {
		conns[i] = &conn{engine: l.engine, loop: l.loop}
		conns[i].handler = callback{func() {
			rang++
			for _, c := range conns {
				c.dead = true
				l.wheel.remove(c)
			}
		}}
		l.wheel.set(conns[i], 100*wheelTick, 0)
	}
	l.wheel.turn(101 * wheelTick)
	if rang != 1 || l.wheel.count != 0 {
		t.Errorf("%d rang, %d are left", rang, l.wheel.count)
	}
}

// callback is a handler that calls a function when its time has come.
type callback struct{ f func() }

func (callback) open()                  {}
func (callback) data([]byte)            {}
func (c callback) timeout(int64)        { c.f() }
func (callback) drain()                 {}
func (callback) closed()                {}
func (callback) describe(*ClientStatus) {}
