package netloop

import (
	"testing"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/core/rtmp/chunk"
)

// TestManyResets has many viewers break off at once while a publisher on the
// same loop sends: nothing is logged but that they left, and all is counted
// out.
func TestManyResets(t *testing.T) {
	t.Parallel()
	r := newRig(t, loops(1))
	p := r.publishing("live/a")
	var out []byte
	put := func(kind media.Kind, ts uint32, payload []byte) {
		out = chunk.AppendMessage(out, uint32(kind.ChunkStream()), uint8(kind), 1, ts, payload, 128)
	}
	put(media.Video, 0, []byte{0x17, 0, 0, 0, 0, 1, 'v'})
	for i := range uint32(5) {
		put(media.Video, i, append([]byte{0x17, 1, 0, 0, 0}, make([]byte, 1000)...))
	}
	p.send(out)
	for round := range uint32(10) {
		var all []*tape
		for i := range 60 {
			all = append(all, r.watch(transports[i%4], manner{}, "live/a"))
		}
		r.waitViewers(60)
		for i, v := range all {
			_ = tcp(v.conn).SetLinger(0)
			v.conn.Close()
			if i%10 == 0 {
				out = nil
				put(media.Video, 10*round+uint32(i/10)+10, append([]byte{0x27, 1, 0, 0, 0}, make([]byte, 100)...))
				p.send(out)
			}
		}
		r.waitConns(1)
	}
	r.counted(1, 0)
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	for _, l := range r.log.lines {
		if l.level > 0 {
			t.Errorf("%v: %s %v", l.level, l.text, l.attrs)
			break
		}
	}
}
