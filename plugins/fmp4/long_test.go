package fmp4

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/fmp4/clip"
	"github.com/millrace/millrace/plugins/record"
	"github.com/millrace/millrace/plugins/sdk"
)

// long records a stream of so many hours, of small frames, with a jitter that
// compresses no table, and returns the session.
func long(tb testing.TB, dir string, length time.Duration) *session {
	tb.Helper()
	opt := DefaultOptions()
	opt.Separate, opt.Sync = false, record.Sync{}
	log := slog.New(slog.DiscardHandler)
	w := newWriter(opt, log, func(started time.Time) (*session, error) {
		s := &session{place: place{App: "a", Name: "b", Started: started, Dir: dir}, opt: opt, log: log, sets: setsOf(opt)}
		return s, s.create()
	})
	c := tiny(tb, 25)
	video, audio := c.Of(media.Video), c.Of(media.Audio)
	var seq uint64
	give := func(kind sdk.ItemType, f *media.Frame) {
		if kind == sdk.Frame {
			seq++
		}
		if err := w.Write([]sdk.Item{{Type: kind, Seq: seq, Frame: f}}); err != nil {
			tb.Fatal(err)
		}
	}
	for _, h := range c.Headers {
		give(sdk.Header, h)
	}
	// 30 frames a second with ms of 33 and 34, and audio of 1,024 samples at
	// 48,000 Hz.
	end, next := length.Milliseconds(), int64(0)
	for i := int64(0); i*100/3 < end; i++ {
		dts := i * 100 / 3
		for ; next*64/3 <= dts; next++ {
			give(sdk.Frame, clip.Frame(media.Audio, media.AAC, 0, next*64/3, 0, audio[3].Body()))
		}
		flags := media.Flags(0)
		if i%60 == 0 {
			flags = media.Keyframe
		}
		give(sdk.Frame, clip.Frame(media.Video, media.AVC, flags, dts, int32(i%3*33), video[min(i%60, 1)].Body()[:min(60, len(video[1].Body()))]))
	}
	if err := w.finish(true); err != nil {
		tb.Fatal(err)
	}
	return w.sess
}

// Audio and video stay together, and the memory of a merge does not grow with
// the recording: `make long` takes ten hours; otherwise it is half an hour.
func TestLong(t *testing.T) {
	length := 30 * time.Minute
	if os.Getenv("MILLRACE_TEST_LONG") != "" {
		length = 10 * time.Hour
	}
	dir := filepath.Join(t.TempDir(), "session")
	s := long(t, dir, length)
	runtime.GC()
	debug.FreeOSMemory()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	stop, peak := make(chan struct{}), make(chan uint64)
	go func() { peak <- watchHeap(stop) }()
	began := time.Now()
	if _, err := s.merged(t.Context()); err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	close(stop)
	most := <-peak
	t.Logf("merged %v in %v, heap %d KiB before, at most %d KiB", length, took, before.HeapAlloc>>10, most>>10)
	if most > before.HeapAlloc+64<<20 {
		t.Errorf("the merge took %d MiB", (most-before.HeapAlloc)>>20)
	}
	checkDrift(t, filepath.Join(dir, mergeDir, fullName), length)
	b, err := os.ReadFile(filepath.Join(dir, mergeDir, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var index struct{ Segments []indexEntry }
	if err := json.Unmarshal(b, &index); err != nil || len(index.Segments) != int(length/(4*time.Second)) {
		t.Errorf("%d segments in index.json: %v", len(index.Segments), err)
	}
	list, err := os.ReadFile(filepath.Join(dir, mergeDir, "index.m3u8"))
	if n := strings.Count(string(list), "#EXTINF"); err != nil || n != len(index.Segments) {
		t.Errorf("%d segments in the playlist: %v", n, err)
	}
}

// watchHeap samples the heap until stop.
func watchHeap(stop chan struct{}) uint64 {
	var most uint64
	for {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapAlloc)
		select {
		case <-stop:
			return most
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// checkDrift compares the durations of the tracks.
func checkDrift(t *testing.T, path string, length time.Duration) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	file, err := mp4.DecodeFile(f, mp4.WithDecodeMode(mp4.DecModeLazyMdat))
	if err != nil {
		t.Fatal(err)
	}
	if file.Moov.StartPos > file.Mdat.StartPos {
		t.Error("moov is behind mdat")
	}
	for _, trak := range file.Moov.Traks {
		d := float64(trak.Mdia.Mdhd.Duration) / float64(trak.Mdia.Mdhd.Timescale)
		if off := d - length.Seconds(); off > 0.05 || off < -0.05 {
			t.Errorf("track %d of %v is %.3f s long", trak.Tkhd.TrackID, length, d)
		}
	}
}
