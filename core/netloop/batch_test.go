package netloop

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/millrace/millrace/core/media"
)

// TestBatchAt looks up bytes in runs of frames.
func TestBatchAt(t *testing.T) {
	t.Parallel()
	b := &batch{ends: []int{10, 25, 26}}
	for _, c := range []struct{ n, i, start int }{
		{0, 0, 0}, {1, 0, 0}, {9, 0, 0}, {10, 1, 10}, {11, 1, 10}, {24, 1, 10}, {25, 2, 25}, {26, 3, 26},
	} {
		if i, start := b.at(c.n); i != c.i || start != c.start {
			t.Errorf("byte %d is in frame %d from %d, want %d, %d", c.n, i, start, c.i, c.start)
		}
	}
}

// TestBatchBounds has runs end at their limits: they hold at most what the
// kernel takes, and know how much that is.
func TestBatchBounds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		frames int
		size   int
		chunk  int
		key    groupKey
	}{
		{"bytes", 50, 20_000, 4096, both(form{kind: formChunked})},
		{"iovecs of small chunks", 50, 20_000, 16, both(form{kind: formRTMP, streamID: 1})},
		{"iovecs of many frames", 900, 8, 4096, both(form{kind: formRTMP, streamID: 1})},
		{"one large frame", 1, 500_000, 100, both(form{kind: formRTMP, streamID: 2})},
		{"one medium", 900, 8, 4096, groupKey{form: form{kind: formWS}, audio: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newBare(t, nil)
			l.engine.options.ChunkSize = c.chunk
			f := l.publish(t, "live/a")
			f.headers(1)
			for i := range c.frames {
				if i == 0 {
					f.key(c.size)
				}
				f.audio(c.size)
			}
			v := l.view(-1, f, c.key)
			end, _ := v.cursor.Next(l.now(), never)
			b := l.fanout.batches.find(v.group, end, v)
			if len(b.iov) == 0 || len(b.iov) > maxVecs || b.bytes != len(bytesOf(b.iov)) {
				t.Errorf("%d iovecs, %d bytes", len(b.iov), b.bytes)
			}
			if total := b.ends[len(b.ends)-1]; b.bytes > total || len(b.iov) < maxVecs && b.bytes != total {
				t.Errorf("%d of %d bytes in %d iovecs", b.bytes, total, len(b.iov))
			}
			if b.bytes > maxWrite+v.group.shape.size(b.frames[len(b.frames)-1]) {
				t.Errorf("%d bytes", b.bytes)
			}
			if again := l.fanout.batches.find(v.group, end, v); again != b {
				t.Error("the run was built twice")
			}
			l.fanout.batches.reset()
			for i := range l.fanout.batches.all {
				for _, x := range l.fanout.batches.all[i].frames[:cap(l.fanout.batches.all[i].frames)] {
					if x != nil {
						t.Fatal("a run that was let go of holds frames")
					}
				}
				for _, x := range l.fanout.batches.all[i].iov[:cap(l.fanout.batches.all[i].iov)] {
					if x.Base != nil {
						t.Fatal("a run that was let go of holds bytes of frames")
					}
				}
			}
		})
	}
}

// TestGate leaves audio out that is too early for the keyframe that a viewer
// started at, and for that viewer only.
func TestGate(t *testing.T) {
	t.Parallel()
	l := newBare(t, nil)
	f := l.publish(t, "live/a")
	f.headers(1)
	f.key(100)
	f.audio(10)
	first := l.view(-1, f, both(form{kind: formPlain}))
	end, _ := first.cursor.Next(l.now(), never)
	first.cursor.Seq = end // has got all
	f.ts += 100
	f.key(100)
	early := newFrame(media.Audio, append([]byte{0xAF, 1}, f.body(10)...))
	f.pub.Write(early, f.ts-50, l.now())
	f.audio(10)
	late := l.view(-1, f, both(form{kind: formPlain}))
	for _, c := range []struct {
		name string
		v    *viewer
		want bool
	}{{"one that watched", first, true}, {"a newcomer", late, false}} {
		end, _ := c.v.cursor.Next(l.now(), never)
		b := l.fanout.batches.find(c.v.group, end, c.v)
		has := false
		for _, x := range b.frames {
			has = has || x == early
		}
		if has != c.want {
			t.Errorf("%s gets the early frame: %v", c.name, has)
		}
	}
}

// take moves a viewer on as if its socket had taken n bytes of what there is
// to write, and returns them.
func (b *bare) take(v *viewer, n int) []byte {
	now := b.now()
	end, pos := v.cursor.Next(now, b.engine.maxLag())
	var run *batch
	if pos == 1 { // stream.Sending
		run = b.fanout.batches.find(v.group, end, v)
		b.prepare(v, run)
		if len(run.frames) == 0 {
			v.cursor.Seq = run.next
			run = nil
		}
	}
	iov, bytes := b.assemble(v, run)
	if bytes == 0 {
		return nil
	}
	out := bytesOf(iov)[:min(n, bytes)]
	out = append([]byte(nil), out...)
	b.advance(v, run, len(out), now)
	b.fanout.batches.reset()
	return out
}

// TestAdvance has a socket take every number of bytes at a time, with replies
// in between: what comes out is the same stream with the replies at
// boundaries.
func TestAdvance(t *testing.T) {
	t.Parallel()
	for _, form := range allForms {
		for _, step := range []int{1, 2, 3, 7, 11, 12, 13, 100, 1000, 5000, 1 << 20, 0} {
			checkAdvance(t, both(form), step)
		}
	}
}

func checkAdvance(t *testing.T, key groupKey, step int) {
	t.Helper()
	l := newBare(t, nil)
	l.engine.options.ChunkSize = 50
	f := l.publish(t, "live/a")
	f.headers(1)
	f.gop(3, 40)
	v := l.view(-1, f, key)
	const reply = "<a reply>"
	var got []byte
	for i := 0; i < 12; {
		n := step
		if n == 0 {
			n = 1 + rand.IntN(200)
		}
		b := l.take(v, n)
		got = append(got, b...)
		if b != nil {
			continue
		}
		i++
		if i%3 == 0 {
			f.headers(byte(1 + i))
		}
		f.gop(i, 30*i)
		if v.conn.out == nil {
			v.conn.out = []byte(reply)
		}
	}
	for b := l.take(v, 1<<30); b != nil; b = l.take(v, 1<<30) {
		got = append(got, b...)
	}
	if !bytes.Contains(got, []byte(reply)) {
		t.Fatal("no reply came")
	}
	checkUnits(t, f, key, got, reply)
}

// checkUnits reads got with a strict parser that knows replies.
func checkUnits(t *testing.T, f *feed, key groupKey, got []byte, reply string) {
	t.Helper()
	var units []unit
	for len(got) > 0 {
		if rest, ok := bytes.CutPrefix(got, []byte(reply)); ok {
			got = rest
			continue
		}
		in := bytes.NewReader(got)
		var src source
		switch key.kind {
		case formRTMP:
			src = &rtmpSource{r: in, size: 50}
		case formChunked:
			src = &chunkSource{r: in, started: true}
		case formPlain:
			src = &plainSource{r: in, started: true}
		case formWS:
			src = &wsSource{r: in, started: true}
		}
		ev, err := src.next()
		if err != nil {
			t.Fatalf("%+v: after %d units: %v", key, len(units), err)
		}
		units = append(units, ev.unit)
		got = got[len(got)-in.Len():]
	}
	f.check(t, units, wantsBoth, false)
}
