package stream

import (
	"testing"
	"time"

	"github.com/millrace/millrace/core/media"
)

// frames are as many frames of a live stream, a second of it in each GOP.
func frames(n, size int) []*media.Frame {
	all := make([]*media.Frame, n)
	for i := range all {
		switch {
		case i%75 == 0:
			all[i] = keyframe(size)
		case i%3 == 0:
			all[i] = inter(size)
		default:
			all[i] = audio(size / 10)
		}
	}
	return all
}

// benchOptions keep what a second brings.
func benchOptions(o *Options) { o.RingTime = time.Second }

// A frame that is written costs no allocation but its own.
func TestWriteAllocations(t *testing.T) {
	f := newFeed(t, benchOptions)
	all := frames(3000, 4000)
	next := func() {
		n := f.stream().Head() - 1
		f.pub.Write(all[n], uint32(n*13), epoch+int64(n)*13*ms)
	}
	for range 1500 { // the ring has its size, and what is there was seen
		next()
	}
	if n := testing.AllocsPerRun(1000, next); n != 0 {
		t.Errorf("a frame costs %v allocations", n)
	}
}

// A viewer that reads costs none at all.
func TestNextAllocations(t *testing.T) {
	f := newFeed(t, nil)
	f.start()
	v := f.join()
	n := testing.AllocsPerRun(100, func() {
		v.Join()
		end, _ := v.Next(epoch, maxLag)
		for ; v.Seq < end; v.Seq++ {
			v.Wants(v.Stream.At(v.Seq))
		}
		v.Next(epoch, maxLag)
		v.Lag(epoch)
	})
	if n != 0 {
		t.Errorf("reading costs %v allocations", n)
	}
}

func BenchmarkWrite(b *testing.B) {
	f := newFeed(b, benchOptions)
	const size = 4000
	b.SetBytes(size)
	b.ReportAllocs()
	n := int64(0)
	for b.Loop() {
		fr := inter(size)
		if n%25 == 0 {
			fr.Flags = media.Keyframe
		}
		f.pub.Write(fr, uint32(n*40), epoch+n*40*ms)
		n++
	}
}

// The part of it that is not making the frame.
func BenchmarkNewFrame(b *testing.B) {
	const size = 4000
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		inter(size)
	}
}

// As many publishers as there are CPUs.
func BenchmarkWriteParallel(b *testing.B) {
	all := newCrowd(b, 64, benchOptions)
	streams := make(chan *Publication, len(all.pubs))
	for _, p := range all.pubs {
		streams <- p
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		p := <-streams
		for n := int64(0); pb.Next(); n++ {
			fr := inter(4000)
			if n%25 == 0 {
				fr.Flags = media.Keyframe
			}
			p.Write(fr, uint32(n*40), epoch+n*40*ms)
		}
	})
}

// A viewer that is up to date, and gets a frame each time.
func BenchmarkNext(b *testing.B) {
	f := newFeed(b, nil)
	f.pub.Write(keyframe(100), 0, epoch)
	for ts := uint32(40); ts < 4000; ts += 40 {
		f.pub.Write(inter(100), ts, epoch+int64(ts)*ms)
	}
	v := f.join()
	now := epoch + 4000*ms
	end, _ := v.Next(now, maxLag)
	v.take(end)
	b.ReportAllocs()
	for b.Loop() {
		v.Seq = end - 1
		if _, p := v.Next(now, maxLag); p != Sending {
			b.Fatal(p)
		}
	}
}

func BenchmarkTimeline(b *testing.B) {
	var tl timeline
	b.ReportAllocs()
	n := int64(0)
	for b.Loop() {
		tl.stamp(media.Video, uint32(n*40), epoch+n*40*ms)
		n++
	}
}
