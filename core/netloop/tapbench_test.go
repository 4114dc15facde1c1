package netloop

import (
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/core/stream"
)

// BenchmarkTap is what plugins cost: streams of 8 Mbit/s in frames of 40 ms
// with audio between, each read by a plugin that does nothing with it. It
// reports CPU seconds, of the server and of the readers, per GB delivered; what
// publishing alone costs is not in it.
func BenchmarkTap(b *testing.B) {
	for _, merge := range []string{"300ms", "10ms", "0s"} {
		b.Run(merge, func(b *testing.B) {
			x := newTapBench(b)
			alone := x.publish(b.N)
			readers := x.read(merge)
			read := x.publish(b.N)
			x.close()
			readers.Wait()
			total := float64(x.r.engine.Stats().TapBytes)
			b.ReportMetric((read-alone).Seconds()/total*1e9, "cpu-s/GB")
			b.ReportMetric(0, "ns/op")
			b.SetBytes(int64(total) / int64(b.N))
		})
	}
}

const (
	benchStreams = 20
	benchFrame   = 40_000 // bytes
	benchTick    = 40 * time.Millisecond
)

type tapBench struct {
	b     *testing.B
	r     *rig
	ln    *Listener
	feeds []*feed
	video []byte
}

func newTapBench(b *testing.B) *tapBench {
	x := &tapBench{b: b, r: newRig(b, withPlugins, func(_ *Options, so *stream.Options) { so.RingBytes = 4 << 20 })}
	x.ln = x.r.plugins()
	for i := range benchStreams {
		x.feeds = append(x.feeds, x.r.start(fmt.Sprintf("live/%d", i)))
	}
	x.video = make([]byte, benchFrame)
	copy(x.video, []byte{0x17, 1, 0, 0, 0})
	return x
}

// publish sends n seconds of all streams in real time, and returns the CPU
// time of the process meanwhile.
func (x *tapBench) publish(n int) time.Duration {
	begin := processTime()
	tick := time.NewTicker(benchTick)
	defer tick.Stop()
	for i := range n * int(time.Second/benchTick) {
		<-tick.C
		for _, f := range x.feeds {
			f.ts += 40
			x.video[0] = 0x27
			if i%50 == 0 {
				x.video[0] = 0x17
			}
			f.write(media.Video, x.video)
			f.write(media.Audio, append([]byte{0xAF, 1}, x.video[:200]...))
			f.pub.Stream.Wake()
		}
	}
	return processTime() - begin
}

// read has a plugin at each stream.
func (x *tapBench) read(merge string) *sync.WaitGroup {
	var all sync.WaitGroup
	for i := range x.feeds {
		c := x.r.tap(x.ln, fmt.Sprintf("/live/%d.flv?tracks=all&lag=64MiB&merge=%s", i, merge))
		c.conn.SetReadDeadline(time.Time{})
		all.Go(func() {
			_, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ net.Conn }{c.conn}, make([]byte, 256<<10))
		})
	}
	return &all
}

func (x *tapBench) close() {
	for _, f := range x.feeds {
		f.pub.Close(true, "done", x.r.engine.Now())
		f.pub.Stream.Wake()
	}
}

// processTime is the CPU time of the process so far.
func processTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
