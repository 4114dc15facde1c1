package bench

import (
	"errors"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/core/flv"
	"github.com/millrace/millrace/core/media"
)

// floorWriter is a thread that writes the frames of one stream to its sockets,
// by one write(2) each for all that came since the last.
type floorWriter struct {
	incoming
	options WriterOptions
	source  source
	log     frameLog
	slots   [writerSlots][]*receiver
	added   int // ever
	due     time.Time
	records []byte // scratch for TLS

	// now are the counts that the atomic ones do not have yet.
	now                                    WriterCounts
	calls, frames, bytes, partial, givenUp atomic.Uint64
}

// writerSlots is how many parts of the window the sockets are spread over. A
// Millrace's loop has more, of which it serves some at once: this thread does
// not wake more often than that, which keeps the floor low.
const writerSlots = 16

// receiver is a socket that is written to.
type receiver struct {
	accepted
	at uint64 // in the log
	// sealed are records that the socket has not taken.
	sealed []byte
}

// frameLog is the stream as bytes, from a position on.
type frameLog struct {
	b     []byte
	from  uint64 // position of b[0]
	heads []byte // what comes before the first frame
	key   uint64 // where the newest keyframe starts
	ends  []uint64
	last  struct { // what framesIn was asked last: neighbours ask the same
		from, to uint64
		n        int
	}
}

func newWriter(o WriterOptions) *floorWriter {
	w := &floorWriter{options: o, source: source{frames: newFrames(o.Shape)}}
	w.log.heads = []byte("HTTP/1.1 200 OK\r\nContent-Type: video/x-flv\r\nConnection: close\r\n\r\n")
	w.log.heads = flv.AppendFileHeader(w.log.heads, !o.Shape.NoAudio, true)
	for _, t := range w.source.headers() {
		w.log.heads = appendTag(w.log.heads, t)
	}
	return w
}

// appendTag appends t as an FLV tag with its PreviousTagSize.
func appendTag(dst []byte, t tag) []byte {
	var head [tagHeaderSize]byte
	media.PutTagHeader(head[:], t.kind, len(t.data), t.timestamp)
	dst = append(append(dst, head[:]...), t.data...)
	n := tagHeaderSize + len(t.data)
	return append(dst, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

// run writes for ever.
func (w *floorWriter) run() {
	runtime.LockOSThread()
	begun := time.Now()
	w.due = begun
	slot := 0
	// Frames that come one by one, or moments at equal distances.
	atOnce := w.options.PerWrite < nearlyOne
	step := w.options.window() / writerSlots
	for {
		w.gather(begun)
		for _, c := range w.take() {
			w.greet(c)
		}
		if atOnce {
			for i := range w.slots {
				w.serve(i)
			}
			w.due = begun.Add(w.source.due())
		} else {
			slot = (slot + 1) % writerSlots
			w.serve(slot)
			w.due = w.due.Add(step)
		}
		if now := time.Now(); now.Sub(w.due) > w.options.window() {
			w.due = now // too late to catch up
		}
		sleepUntil(w.due)
	}
}

// nearlyOne is the number of frames per write below which each frame is
// written as it comes.
const nearlyOne = 1.25

// gather appends the frames that have come due. Their stamps are when that
// was: they came then, whether or not this thread was there to see.
func (w *floorWriter) gather(begun time.Time) {
	now := time.Now()
	for {
		at := begun.Add(w.source.due())
		if at.After(now) {
			break
		}
		t := w.source.next(at)
		if t.kind == media.Video && isKeyframe(t.data) {
			w.log.key = w.log.end()
		}
		w.log.b = appendTag(w.log.b, t)
		w.log.ends = append(w.log.ends, w.log.end())
	}
	w.log.trim()
}

func (l *frameLog) end() uint64 { return l.from + uint64(len(l.b)) }

// A log is cut to half when it has this many bytes.
const maxLog = 32 << 20

func (l *frameLog) trim() {
	if len(l.b) < maxLog {
		return
	}
	cut := len(l.ends) / 2
	at := l.ends[cut]
	l.b = append(l.b[:0], l.b[at-l.from:]...)
	l.ends = append(l.ends[:0], l.ends[cut+1:]...)
	l.from = at
}

// framesIn counts the frames that end in (from, to].
func (l *frameLog) framesIn(from, to uint64) int {
	if l.last.from == from && l.last.to == to {
		return l.last.n
	}
	n := 0
	for i := len(l.ends) - 1; i >= 0 && l.ends[i] > from; i-- {
		if l.ends[i] <= to {
			n++
		}
	}
	l.last.from, l.last.to, l.last.n = from, to, n
	return n
}

// greet makes c a receiver from the newest keyframe on.
func (w *floorWriter) greet(c accepted) {
	r := &receiver{accepted: c, at: max(w.log.key, w.log.from)}
	if _, err := w.send(r, w.log.heads); err != nil {
		_ = unix.Close(c.fd)
		return
	}
	i := w.added % writerSlots
	w.added++
	w.slots[i] = append(w.slots[i], r)
}

// serve writes to the sockets of a slot.
func (w *floorWriter) serve(slot int) {
	kept := w.slots[slot][:0]
	for _, r := range w.slots[slot] {
		if w.write(r) {
			kept = append(kept, r)
			continue
		}
		_ = unix.Close(r.fd)
	}
	clear(w.slots[slot][len(kept):])
	w.slots[slot] = kept
	w.publish()
}

// publish lets other goroutines see what was done.
func (w *floorWriter) publish() {
	w.calls.Add(w.now.Calls)
	w.frames.Add(w.now.Frames)
	w.bytes.Add(w.now.Bytes)
	w.partial.Add(w.now.Partial)
	w.givenUp.Add(w.now.GivenUp)
	w.now = WriterCounts{}
}

// write writes what r has not got; false: it is gone.
func (w *floorWriter) write(r *receiver) bool {
	if r.at < w.log.from {
		w.now.GivenUp++
		return false
	}
	b := w.log.b[r.at-w.log.from:]
	if len(b) == 0 {
		return true
	}
	n, err := w.send(r, b)
	if err != nil && !errors.Is(err, unix.EAGAIN) {
		return false
	}
	w.now.Calls++
	w.now.Bytes += uint64(n)
	w.now.Frames += uint64(w.log.framesIn(r.at, r.at+uint64(n)))
	if n < len(b) || len(r.sealed) > 0 {
		w.now.Partial++
	}
	r.at += uint64(n)
	return true
}

// maxSealed bounds what is sealed for one write, in bytes, as a Millrace does.
const maxSealed = 64 << 10

// send writes b, with TLS by crypto/tls and one write(2) for all records.
func (w *floorWriter) send(r *receiver, b []byte) (n int, err error) {
	if r.tls == nil {
		return write(r.fd, b)
	}
	if len(r.sealed) > 0 {
		n, err := write(r.fd, r.sealed)
		if r.sealed = r.sealed[n:]; err != nil || len(r.sealed) > 0 {
			return 0, err
		}
		r.sealed = nil
	}
	b = b[:min(len(b), maxSealed)]
	if w.records, err = r.tls.Seal(w.records[:0], b); err != nil {
		return 0, err
	}
	if n, err = write(r.fd, w.records); n < len(w.records) {
		r.sealed = append([]byte(nil), w.records[n:]...)
	}
	return len(b), err
}

func (w *floorWriter) counts() WriterCounts {
	return WriterCounts{Calls: w.calls.Load(), Frames: w.frames.Load(), Bytes: w.bytes.Load(),
		Partial: w.partial.Load(), GivenUp: w.givenUp.Load()}
}
