package stream

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace/millrace/core/media"
)

// crowd is a registry with several streams, each with a publisher.
type crowd struct {
	r     *Registry
	pubs  []*Publication
	freed atomic.Int64 // as told
	told  atomic.Int64
}

func newCrowd(t testing.TB, streams int, change func(*Options)) *crowd {
	t.Helper()
	o := DefaultOptions()
	if change != nil {
		change(&o)
	}
	c := &crowd{}
	c.r = NewRegistry(o, func(n Notice) {
		if n.What == Pressure {
			c.told.Add(1)
			c.freed.Add(n.Freed)
		}
	})
	for i := range streams {
		p, err := c.r.Publish(Key{"live", fmt.Sprint(i)}, Publisher{}, epoch)
		if err != nil {
			t.Fatal(err)
		}
		c.pubs = append(c.pubs, p)
	}
	return c
}

// fill gives stream i frames before a GOP of gop frames.
func (c *crowd) fill(i, backlog, gop int) {
	p := c.pubs[i]
	for n := range backlog + gop {
		f := inter(100)
		if n == 0 || n == backlog {
			f = keyframe(100)
		}
		p.Write(f, uint32(n), epoch+int64(n)*ms)
	}
}

// frames are how many each ring holds, and how many of them are cached.
func (c *crowd) frames() (all []string) {
	for _, p := range c.pubs {
		i := p.Stream.Info()
		all = append(all, fmt.Sprintf("%d/%d", i.RingFrames, i.GOPFrames))
	}
	return all
}

// check holds that the registry's count is that of its rings.
func (c *crowd) check(t *testing.T) {
	t.Helper()
	var sum int64
	for _, p := range c.pubs {
		if _, ended := p.Stream.Ended(); !ended {
			sum += p.Stream.ring.bytes.Load()
		}
	}
	if got := c.r.Bytes(); got != sum {
		t.Errorf("all rings hold %d bytes, the registry says %d", sum, got)
	}
}

// Over the cap for all rings the largest backlogs go, then the largest GOPs.
func TestMemory(t *testing.T) {
	t.Parallel()
	size := int64(inter(100).Size())
	for _, c := range []struct {
		name  string
		limit int64 // frames
		want  string
	}{
		{"enough", 1000, "[70/20 110/10 50/40]"},
		{"some of the largest backlog", 193, "[70/20 66/10 50/40]"},
		{"nearly all of it", 140, "[70/20 15/10 50/40]"},
		{"two backlogs", 100, "[36/20 10/10 50/40]"},
		{"all backlogs", 70, "[20/20 10/10 40/40]"},
		{"some of the largest GOP", 69, "[20/20 10/10 39/0]"},
		{"two GOPs", 25, "[14/0 10/10 1/0]"},
		{"all but the newest", 2, "[1/0 1/0 1/0]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			all := newCrowd(t, 3, nil)
			all.fill(0, 50, 20)
			all.fill(1, 100, 10)
			all.fill(2, 10, 39)
			o := *all.r.Options()
			o.Memory = c.limit * size
			all.r.SetOptions(o)
			all.pubs[2].Write(inter(100), 50, epoch+50*ms)

			if got := fmt.Sprint(all.frames()); got != c.want {
				t.Errorf("frames, of which cached: %s, want %s", got, c.want)
			}
			all.check(t)
			freed := (70+110+50)*size - all.r.Bytes()
			if told := all.freed.Load(); told != freed {
				t.Errorf("told of %d bytes, %d are gone", told, freed)
			}
			if n := all.told.Load(); (n > 0) != (freed > 0) {
				t.Errorf("told %d times", n)
			}
		})
	}
}

// A stream over the cap does not look for victims with each frame.
func TestMemoryInSteps(t *testing.T) {
	t.Parallel()
	size := int64(audio(100).Size())
	all := newCrowd(t, 1, func(o *Options) { o.Memory = 640 * size })
	for n := range 10_000 {
		all.pubs[0].Write(audio(100), uint32(n), epoch+int64(n)*ms)
		if all.r.Bytes() > 640*size {
			t.Fatalf("after %d frames %d bytes are held", n, all.r.Bytes())
		}
	}
	if n := all.told.Load(); n > 10_000/20 {
		t.Errorf("it freed memory %d times", n)
	}
}

// An ended stream that viewers still read counts, and can be shed.
func TestMemoryOfEnded(t *testing.T) {
	t.Parallel()
	size := int64(inter(100).Size())
	all := newCrowd(t, 2, nil)
	all.fill(0, 90, 10)
	all.fill(1, 5, 5)
	var w1, w2 fakeWaker
	ended := all.pubs[0].Stream
	ended.Subscribe(&w1)
	ended.Subscribe(&w2)
	ended.Kick("test")
	if got := all.r.Bytes(); got != 110*size {
		t.Fatalf("with viewers %d bytes count, want %d", got, 110*size)
	}

	o := *all.r.Options()
	o.Memory = 64 * size
	all.r.SetOptions(o)
	all.pubs[1].Write(inter(100), 20, epoch)
	if got := ended.ring.bytes.Load(); got > 53*size {
		t.Errorf("under pressure it holds %d bytes", got)
	}
	ended.Unsubscribe(&w1)
	ended.Unsubscribe(&w1)
	if got := all.r.Bytes(); got != ended.ring.bytes.Load()+11*size {
		t.Errorf("with one viewer %d bytes count", got)
	}
	ended.Unsubscribe(&w2)
	ended.Unsubscribe(&w2)
	if got := all.r.Bytes(); got != 11*size {
		t.Errorf("without viewers %d bytes count, want %d", got, 11*size)
	}
}

type fakeWaker struct{ woken int }

func (w *fakeWaker) Wake(*Stream) { w.woken++ }

// Many publishers at the cap, streams that end and begin, viewers that read:
// nothing locks up, and the count stays right.
func TestMemoryRace(t *testing.T) {
	t.Parallel()
	const publishers, frames = 8, 1000
	all := newCrowd(t, publishers, func(o *Options) {
		o.Memory = 300 * int64(inter(100).Size())
		o.ReconnectGrace = 0
	})
	var busy sync.WaitGroup
	for i := range publishers {
		busy.Go(func() {
			for n := range frames {
				f := inter(100)
				if n%25 == 0 {
					f = keyframe(100)
				}
				if !all.pubs[i].Write(f, uint32(n*40), epoch+int64(n)*40*ms) {
					t.Errorf("publisher %d was evicted", i)
				}
				if n%200 == 199 { // ends, and begins again
					k := all.pubs[i].Stream.Key
					all.pubs[i].Close(n%400 == 399, "test", epoch+int64(n)*40*ms)
					all.pubs[i], _ = all.r.Publish(k, Publisher{}, epoch+int64(n)*40*ms)
				}
			}
		})
	}
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() { readAll(t, all.r, stop) })
	}
	busy.Wait()
	close(stop)
	readers.Wait()
	// Nobody is in the way of this one.
	all.pubs[0].Write(inter(100), frames*40, epoch+frames*40*ms)
	all.check(t)
	if limit := all.r.Options().Memory; all.r.Bytes() > limit {
		t.Errorf("%d bytes are held, %d allowed", all.r.Bytes(), limit)
	}
}

// readAll joins streams at random until stop, and holds that frames come in
// order and video from a keyframe on.
func readAll(t *testing.T, r *Registry, stop chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		s := r.Lookup(Key{"live", fmt.Sprint(rand.N(8))})
		if s == nil {
			continue
		}
		var w fakeQuietWaker
		s.Subscribe(&w)
		v := &viewer{Cursor: Cursor{Stream: s, Video: true, Audio: true}}
		v.Join()
		for range 20 {
			end, p := v.Next(epoch, int64(time.Second))
			if p == Sending {
				v.take(end)
			}
		}
		s.Unsubscribe(&w)
		for i, f := range v.got {
			if i == 0 && !f.Is(media.Keyframe) || i > 0 && f.Seq <= v.got[i-1].Seq {
				t.Errorf("a viewer got %v", v.seqs())
				return
			}
		}
	}
}

// fakeQuietWaker is woken from any goroutine. It has a size, so that each has
// an address of its own.
type fakeQuietWaker struct{ _ byte }

func (*fakeQuietWaker) Wake(*Stream) {}
