package flvrecorder

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/plugintest"
	"github.com/millrace/millrace/plugins/sdk"
)

// benchStreams attaches n streams of a recorder on a file system in memory.
func benchStreams(tb testing.TB, n int) []*stream {
	tb.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "flvrecorder")
	if err != nil {
		tb.Skip("no /dev/shm")
	}
	r := New().(*Recorder)
	r.Configure(sdk.Config{Values: map[string]any{"checksum": false, "min_free": "0"}})
	if err := r.Start(tb.Context(), childHost{dir: dir}); err != nil {
		tb.Fatal(err)
	}
	streams := make([]*stream, n)
	for i := range streams {
		s, err := r.Attach(tb.Context(), sdk.Attach{App: "live", Name: fmt.Sprint(i), Session: fmt.Sprint("S", i), Next: 1})
		if err != nil {
			tb.Fatal(err)
		}
		streams[i] = s.(*stream)
	}
	tb.Cleanup(func() {
		for _, s := range streams {
			s.abandon()
		}
		r.cancel()
		r.work.Wait()
		_ = os.RemoveAll(dir)
	})
	return streams
}

// source gives what comes in 300 ms at 25 pictures and 50 frames of sound a
// second: 24 frames.
type source struct {
	frames []*media.Frame
	items  []sdk.Item
	seq    uint64
}

func (b *source) next() []sdk.Item {
	b.items = b.items[:0]
	for range 24 {
		b.items = append(b.items, sdk.Item{Type: sdk.Frame, Seq: b.seq + 1, Frame: b.frames[b.seq%uint64(len(b.frames))]})
		b.seq++
	}
	return b.items
}

// rewind has a file of that many bytes begin anew: a benchmark needs bounded
// space.
func (p *part) rewind(size int64) {
	if p.w.size > size {
		p.w.size, p.w.end = p.Body, p.Body
		_ = p.idx.f.Truncate(0)
	}
}

// BenchmarkWrite: a batch of 300 ms at 2 Mbit/s.
func BenchmarkWrite(b *testing.B) {
	s := benchStreams(b, 1)[0]
	src := source{frames: plugintest.GOPs(1, 0, 10_000)}
	size := 0
	for _, it := range src.next() {
		size += len(it.Frame.Payload())
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	src.seq = 0
	for b.Loop() {
		if err := s.Write(src.next()); err != nil {
			b.Fatal(err)
		}
		s.cur.rewind(64 << 20)
	}
}

// BenchmarkStreams: 300 ms of 200 streams at 2 Mbit/s, so that an operation
// has to take less than 300 ms, and what it takes is the load.
func BenchmarkStreams(b *testing.B) {
	const n = 200
	streams := benchStreams(b, n)
	frames := plugintest.GOPs(1, 0, 10_000)
	sources := make([]source, n)
	b.SetBytes(n * 300 * 2e6 / 8 / 1000)
	b.ReportAllocs()
	for b.Loop() {
		for i, s := range streams {
			sources[i].frames = frames
			if err := s.Write(sources[i].next()); err != nil {
				b.Fatal(err)
			}
			s.cur.rewind(1 << 20)
		}
	}
}

// Writing costs an array of iovecs a batch, and nothing that grows with the
// number of frames.
func TestAllocations(t *testing.T) {
	s := benchStreams(t, 1)[0]
	src := source{frames: plugintest.GOPs(1, 0, 1000)}
	got := testing.AllocsPerRun(200, func() {
		if err := s.Write(src.next()); err != nil {
			t.Fatal(err)
		}
	})
	if got > 4 {
		t.Errorf("%v allocations for a batch of 24 frames", got)
	}
}

// A recorder's memory for a stream is small and does not grow.
func TestMemory(t *testing.T) {
	const n = 50
	streams := benchStreams(t, n)
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapInuse)
	}
	sources := make([]source, n)
	frames := plugintest.GOPs(1, 0, 1000)
	write := func(batches int) int64 {
		for range batches {
			for i, s := range streams {
				sources[i].frames = frames
				if err := s.Write(sources[i].next()); err != nil {
					t.Fatal(err)
				}
			}
		}
		return heap()
	}
	before := heap()
	first := write(10)
	last := write(200)
	if per := (last - before) / n; per > 200<<10 {
		t.Errorf("%d bytes a stream", per)
	}
	if grown := (last - first) / n; grown > 4<<10 {
		t.Errorf("%d bytes more a stream", grown)
	}
}
