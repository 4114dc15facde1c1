package netloop

import (
	"time"

	"golang.org/x/sys/unix"
)

// gathering has the kernel hold what publishers send until several frames of
// one can be read at once, by SO_RCVLOWAT: a loop with thousands of reads a
// second spends most of its time on going to sleep, waking, and fetching a
// publisher's state from memory, whatever the read brings. It costs latency, about
// Settings.ReadWindowMax, and only loops with so many reads do it.
type gathering struct {
	since int64 // start of the interval that is counted, ns
	reads int
	on    bool
	// Reads in an interval from which on it is worth it, and below which it is
	// not any more: it makes them fewer itself.
	from, until int

	members []*publisher // whose sockets wait for more than a byte
	due     int64        // when they are looked at
}

// gathered is a publisher's part of it.
type gathered struct {
	lowat int  // bytes that its socket waits for; 0: one
	open  bool // but now it waits for one, since it had waited for too long
	at    int  // in members
	read  int64
	// gauged is when its rate was measured last, bytes what had come by then.
	gauged int64
	bytes  uint64
}

const (
	gatherInterval = int64(100 * time.Millisecond)
	gatherFrom     = 400 // reads in an interval
	gatherUntil    = 100
	// gatherShare is the part, in per cent, of what comes in a window that a
	// socket waits for: so much is there in time though pictures differ in size.
	gatherShare = 60
	// A socket that waits for fewer than minGather bytes waits for nothing
	// that is worth it. More than maxGather is several frames in any case.
	minGather = 512
	maxGather = 32 << 10
	// gaugeInterval is how often a publisher's rate is measured, in ns.
	gaugeInterval = int64(500 * time.Millisecond)
	// sweepInterval is how often members are looked at, in ns.
	sweepInterval = int64(20 * time.Millisecond)
)

func (g *gathering) init() {
	g.from, g.until, g.due = gatherFrom, gatherUntil, never
}

// count notes a read at now.
func (g *gathering) count(now int64) {
	g.reads++
	took := now - g.since
	if took < gatherInterval {
		return
	}
	enough := g.from
	if g.on {
		enough = g.until
	}
	g.on = int64(g.reads)*gatherInterval >= int64(enough)*took
	g.since, g.reads = now, 0
}

// gather is called after each read of a publisher.
func (l *loop) gather(p *publisher) {
	g, m, now := &l.gathering, &p.gathered, l.now()
	g.count(now)
	m.read = now
	if m.open {
		m.open = false
		receiveAtLeast(p.rtmp.conn, m.lowat)
	}
	if !g.on && m.lowat == 0 || now-m.gauged < gaugeInterval {
		return
	}
	if n := m.gauge(now, p.rtmp.conn.bytesIn, l.engine.Settings().ReadWindowMax); g.on && n > 0 {
		l.gatherUpTo(p, n)
	} else {
		l.ungather(p)
	}
}

// gauge is how many bytes are worth waiting for, when total have come by now:
// 0 if none are. What came in a long time, or before anybody looked, says
// nothing of what comes in a window.
func (m *gathered) gauge(now int64, total uint64, window time.Duration) int {
	took, came := now-m.gauged, total-m.bytes
	m.gauged, m.bytes = now, total
	size := float64(came) * float64(window) / float64(took) * gatherShare / 100
	if took > 2*gaugeInterval || size < minGather {
		return 0
	}
	return int(min(size, maxGather))
}

// gatherUpTo has p's socket wait for n bytes.
func (l *loop) gatherUpTo(p *publisher, n int) {
	g, m := &l.gathering, &p.gathered
	if m.lowat == 0 {
		m.at = len(g.members)
		g.members = append(g.members, p)
		g.due = min(g.due, l.now()+sweepInterval)
		l.rearm()
	} else if d := n - m.lowat; d*d < m.lowat*m.lowat/16 {
		return // about the same
	}
	m.lowat = n
	receiveAtLeast(p.rtmp.conn, n)
}

// ungather has p read as soon as anything comes. What its socket holds is
// announced at once.
func (l *loop) ungather(p *publisher) {
	g, m := &l.gathering, &p.gathered
	if m.lowat == 0 {
		return
	}
	last := g.members[len(g.members)-1]
	g.members[m.at], last.gathered.at = last, m.at
	g.members[len(g.members)-1] = nil
	g.members = g.members[:len(g.members)-1]
	m.lowat, m.open = 0, false
	receiveAtLeast(p.rtmp.conn, 1)
}

// sweepGathering sees to publishers that send less than they did: what came
// of them has waited for long enough.
func (l *loop) sweepGathering(now int64) {
	g := &l.gathering
	patience := int64(l.engine.Settings().ReadWindowMax) * 3 / 2
	for _, p := range g.members {
		if m := &p.gathered; !m.open && now-m.read >= patience {
			m.open = true
			receiveAtLeast(p.rtmp.conn, 1)
		}
	}
	g.due = never
	if len(g.members) > 0 {
		g.due = now + sweepInterval
	}
	l.rearm()
}

func receiveAtLeast(c *conn, n int) {
	if !c.dead {
		_ = unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_RCVLOWAT, n)
	}
}
