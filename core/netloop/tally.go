package netloop

import "github.com/millrace/millrace/core/stream"

// tally counts what goes to the viewers of one stream by one protocol, until
// others have their turn or the pass is over: counters that all loops share
// cost a cache line's way from core to core each time.
type tally struct {
	stream                         *stream.Stream
	protocol                       int
	writes, partial, bytes, frames uint64
}

// tallyOf is where a write to v is counted.
func (l *loop) tallyOf(v *viewer) *tally {
	t := &l.fanout.tally
	if s, p := v.cursor.Stream, v.group.key.protocol(); t.stream != s || t.protocol != p {
		l.publish()
		t.stream, t.protocol = s, p
	}
	return t
}

// publish lets everybody see what was counted.
func (l *loop) publish() {
	t := &l.fanout.tally
	if t.stream == nil {
		return
	}
	c := t.stream.Counters()
	c.BytesOut.Add(t.bytes)
	c.FramesOut.Add(t.frames)
	l.stats.out[t.protocol].Add(t.bytes)
	l.stats.writes.Add(t.writes)
	l.stats.partial.Add(t.partial)
	*t = tally{}
}
