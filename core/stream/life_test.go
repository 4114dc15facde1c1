package stream

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/millrace/millrace/core/media"
)

// life is a stream with viewers to which anything may happen.
type life struct {
	t   *testing.T
	r   *Registry
	pub *Publication // nil while lost
	now int64        // ms
	ts  uint32
	// over: the stream has ended.
	over bool

	videos  uint64 // coded video frames written so far
	order   map[*media.Frame]uint64
	viewers []*watcher
	tap     *Tap // nil: nobody records
}

// watcher is a viewer that checks what it gets.
type watcher struct {
	viewer
	last  [3]int64 // newest DTS: audio, video, data
	video uint64   // order of the newest video frame
}

// lifeOps are what may happen; n is the byte after an operation's own.
var lifeOps = []func(l *life, n byte){
	func(l *life, n byte) { l.write(keyframe(int(n))) },
	func(l *life, n byte) { l.write(inter(int(n))) },
	func(l *life, n byte) { l.write(inter(int(n))) },
	func(l *life, n byte) { l.write(audio(int(n))) },
	func(l *life, n byte) { l.write(audio(int(n))) },
	func(l *life, n byte) { l.write(config(media.Video, string(rune('a'+n%3)))) },
	func(l *life, n byte) { l.write(config(media.Audio, string(rune('a'+n%3)))) },
	func(l *life, n byte) { l.write(newFrame(media.Data, 0, int(n))) },
	func(l *life, n byte) { l.describe(n) },
	func(l *life, n byte) { l.now += int64(n) * 20; l.ts += uint32(n) * 20 },
	func(l *life, n byte) { l.now += int64(n) * 200; l.ts += uint32(n) * 200 },
	func(l *life, n byte) { l.ts += uint32(n) << 24 },
	func(l *life, n byte) { l.lose() },
	func(l *life, _ byte) { l.publish() },
	func(l *life, n byte) { l.join(n) },
	func(l *life, n byte) { l.viewer(n, func(w *watcher) { l.read(w, 1) }) },
	func(l *life, n byte) { l.viewer(n, func(w *watcher) { l.read(w, 7) }) },
	func(l *life, n byte) { l.viewer(n, func(w *watcher) { l.read(w, 1<<20) }) },
	func(l *life, n byte) { l.viewer(n, func(w *watcher) { w.Pause(!w.Paused) }) },
	func(l *life, n byte) { l.viewer(n, (*watcher).switchVideo) },
	func(l *life, n byte) { l.limit(n) },
	func(l *life, n byte) { l.record(n) },
}

func (l *life) write(f *media.Frame) {
	if l.pub == nil {
		return
	}
	if f.Kind == media.Video && f.IsMedia() {
		l.videos++
		l.order[f] = l.videos
	}
	if !l.pub.Write(f, l.ts, epoch+l.now*ms) {
		l.t.Fatal("evicted by nobody")
	}
}

func (l *life) describe(n byte) {
	if l.pub != nil {
		l.pub.SetMetadata(describe(string(rune('a'+n%3))), n&4 != 0, n&8 != 0, epoch+l.now*ms)
	}
}

func (l *life) lose() {
	if l.pub == nil {
		return
	}
	l.pub.Close(false, "lost", epoch+l.now*ms)
	_, l.over = l.pub.Stream.Ended() // lost before its first media
	l.pub = nil
}

func (l *life) publish() {
	p, err := l.r.Publish(testKey, Publisher{}, epoch+l.now*ms)
	if err != nil {
		return // a fight
	}
	l.pub = p
	l.videos++ // its frames do not go on where the last session's stopped
}

func (l *life) join(n byte) {
	if len(l.viewers) == 4 {
		return
	}
	w := &watcher{}
	w.Cursor = Cursor{Stream: l.r.Lookup(testKey), Video: n&1 == 0, Audio: n&2 == 0, Live: n&4 != 0}
	w.Join()
	l.viewers = append(l.viewers, w)
}

func (l *life) viewer(n byte, do func(*watcher)) {
	if len(l.viewers) > 0 {
		do(l.viewers[int(n)%len(l.viewers)])
	}
}

func (w *watcher) switchVideo() {
	w.Video = !w.Video
	if w.Video {
		w.Rejoin()
	}
}

// record has a recorder come, take some frames, or go.
func (l *life) record(n byte) {
	switch {
	case l.tap == nil:
		b := l.r.Budget("rec")
		b.Allow(Limits{Bytes: int64(n) * 100, Age: time.Duration(n&7) * time.Second})
		l.tap = NewTap(l.r.Lookup(testKey), uint64(n&1), b)
	case n > 240:
		l.tap.Close()
		l.tap = nil
	default:
		l.take(int(n & 31))
	}
}

// take has the recorder take n frames, or go on behind what has gone.
func (l *life) take(n int) {
	t := l.tap
	for range n {
		end, p := t.Next()
		if p != Sending {
			return
		}
		if t.Stream.At(t.Seq) != nil {
			t.Move(t.Seq + 1)
			continue
		}
		to := t.Reentry(end)
		if to <= t.Seq || t.Stream.At(to) == nil {
			l.t.Fatalf("from %d a recorder goes on at %d of %d", t.Seq, to, end)
		}
		t.Move(to)
	}
}

// limit changes the caps.
func (l *life) limit(n byte) {
	o := *l.r.Options()
	o.RingBytes = int64(n&3+1) * 1000
	o.GOPMaxBytes = int64(n>>2&3+1) * 1000
	o.Memory = int64(n>>4&3) * 3000
	o.GOPCache = n&0x40 == 0
	l.r.SetOptions(o)
}

// read has w take at most limit frames, as an event loop does.
func (l *life) read(w *watcher, limit uint64) Position {
	for {
		end, p := w.Next(epoch+l.now*ms, maxLag)
		if p != Sending {
			return p
		}
		if w.Seq >= end || end > w.Stream.Head() {
			l.t.Fatalf("sending from %d to %d, head is %d", w.Seq, end, w.Stream.Head())
		}
		from := len(w.got)
		w.take(min(end, w.Seq+limit))
		for _, f := range w.got[from:] {
			l.check(w, f)
		}
		if limit < 1<<20 {
			return p
		}
	}
}

// check holds that f is what w's decoders expect next.
func (l *life) check(w *watcher, f *media.Frame) {
	track := map[media.Kind]int{media.Audio: 0, media.Video: 1, media.Data: 2}[f.Kind]
	if f.IsMedia() || f.Kind == media.Data {
		if f.DTS < w.last[track] {
			l.t.Fatalf("%v went back from %d to %d", f.Kind, w.last[track], f.DTS)
		}
		w.last[track] = f.DTS
	}
	if f.Kind != media.Video || !f.IsMedia() {
		return
	}
	at := l.order[f]
	if !f.Is(media.Keyframe) && (w.video == 0 || at != w.video+1) {
		l.t.Fatalf("video frame %d (number %d) follows %d", at, f.Seq, w.video)
	}
	w.video = at
}

// holds checks the stream's own figures.
func (l *life) holds() {
	s := l.r.Lookup(testKey)
	var sum int64
	first, last := held(s)
	for seq := first; seq <= last; seq++ {
		f := s.At(seq)
		if f == nil || f.Seq != seq || f.State == nil || f.Next == nil {
			l.t.Fatalf("frame %d of %d to %d is %+v", seq, first, last, f)
		}
		sum += int64(f.Size())
	}
	if sum != s.ring.bytes.Load() || sum != l.r.Bytes() {
		l.t.Fatalf("the ring holds %d bytes, says %d, all say %d", sum, s.ring.bytes.Load(), l.r.Bytes())
	}
	if gop := gopStart(s); gop != 0 && !(s.At(gop) != nil && s.At(gop).Is(media.Keyframe)) {
		l.t.Fatalf("the cached GOP begins at %d: %+v", gop, s.At(gop))
	}
	if n := s.backlog(laggards); n < 0 || n > sum {
		l.t.Fatalf("a backlog of %d bytes of %d", n, sum)
	}
}

// FuzzLife holds that whatever happens to a stream, what a viewer gets can be
// decoded, and that no viewer is left behind once media flows again.
func FuzzLife(f *testing.F) {
	join, read, key, inter, audio := byte(14), byte(17), byte(0), byte(1), byte(3)
	f.Add([]byte{key, 9, audio, 9, join, 0, read, 0, inter, 9, read, 0})
	f.Add([]byte{audio, 9, join, 0, read, 0, 12, 0, 13, 0, key, 9, read, 0, 12, 0, 13, 0, audio, 9, read, 0})
	f.Add([]byte{key, 9, join, 0, join, 4, 15, 0, 10, 30, inter, 9, 16, 0, key, 9, 18, 0, inter, 9, 18, 0, read, 0, read, 1})
	f.Add([]byte{20, 0x55, join, 0, key, 200, inter, 200, inter, 200, inter, 200, key, 200, inter, 250, read, 0, 11, 9, inter, 9})
	f.Add([]byte{5, 0, 6, 0, 8, 12, key, 9, audio, 9, join, 1, join, 2, 5, 1, key, 8, 19, 0, read, 0, inter, 9, read, 0, key, 7})
	f.Fuzz(live)
}

// TestLife lives some long lives.
func TestLife(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2000) {
		random := rand.New(rand.NewPCG(seed, seed))
		ops := make([]byte, 2*random.IntN(300))
		for i := range ops {
			ops[i] = byte(random.Uint32())
		}
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) { live(t, ops) })
	}
}

func live(t *testing.T, ops []byte) {
	o := DefaultOptions()
	o.ReconnectGrace, o.OnBusy = time.Hour, BusyReplace
	l := &life{t: t, r: NewRegistry(o, nil), order: map[*media.Frame]uint64{}}
	l.publish()
	defer l.pub.Stream.Kick("done") // stops the grace
	for ; len(ops) >= 2; ops = ops[2:] {
		lifeOps[int(ops[0])%len(lifeOps)](l, ops[1])
		if l.over {
			return
		}
		l.holds()
	}
	l.goOn()
}

// goOn has media flow again: every viewer must come to the newest frame of
// what it wants.
func (l *life) goOn() {
	l.now += 60_000 // fights are over
	if l.pub == nil {
		l.publish()
	}
	l.pub.SetMetadata(describe("end"), true, true, epoch+l.now*ms)
	for range 3 {
		l.ts += 40
		l.write(audio(1))
		l.write(keyframe(1))
		for _, w := range l.viewers {
			if w.Paused {
				w.Pause(false)
			}
			l.read(w, 1<<20)
		}
	}
	newest := l.pub.Stream.Head() - 1
	for i, w := range l.viewers {
		want := newest
		if !w.Video {
			want-- // the audio before it
		}
		if !w.Video && !w.Audio {
			continue
		}
		if len(w.got) == 0 || w.got[len(w.got)-1].Seq != want {
			l.t.Fatalf("viewer %d is left behind: at %d of %d, waits %t, got %d frames", i, w.Seq, newest, w.Waiting(), len(w.got))
		}
	}
}
