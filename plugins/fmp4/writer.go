package fmp4

import (
	"errors"
	"log/slog"
	"time"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/record"
	"github.com/millrace/millrace/plugins/sdk"
)

// writer turns a stream's frames into a session. It is for one goroutine.
type writer struct {
	opt  Options
	log  *slog.Logger
	low  func(time.Time) bool // too little room on the disk
	now  func() time.Time
	open func(started time.Time) (*session, error)

	sess   *session // nil until there is something to write
	skip   bool     // the session is not to be recorded
	tracks [2]*track
	era    *era // nil until its init segments are written
	cutter record.Cutter

	next    uint64  // the sequence number that comes next; 0: any
	durable uint64  // the first that is not on disk
	first   pending // of the fragment to come
	begun   bool    // first is set
	size    int     // of what is pending, in bytes
	paused  bool    // no room: frames are dropped until there is
}

// errSkip is returned by open for a session that is not to be recorded.
var errSkip = errors.New("session is not to be recorded")

func newWriter(opt Options, log *slog.Logger, open func(time.Time) (*session, error)) *writer {
	w := &writer{
		opt: opt, log: log, open: open, now: time.Now,
		low:    func(time.Time) bool { return false },
		cutter: record.Cutter{Target: opt.Segment},
	}
	for i, k := range [...]media.Kind{media.Video, media.Audio} {
		w.tracks[i] = &track{kind: k, log: log}
	}
	return w
}

// Write takes items in order; see sdk.Stream.
func (w *writer) Write(items []sdk.Item) error {
	for i := range items {
		if err := w.item(&items[i]); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) item(it *sdk.Item) error {
	switch it.Type {
	case sdk.Header:
		return w.header(it.Frame)
	case sdk.Gap:
		return w.gap(it.From, it.To, it.Reason)
	}
	if w.next == 0 {
		w.next, w.durable = it.Seq, it.Seq
	}
	if it.Seq > w.next {
		if err := w.gap(w.next, it.Seq, "frames did not come"); err != nil {
			return err
		}
	}
	w.next = max(w.next, it.Seq+1)
	f := it.Frame
	switch {
	case f.Is(media.Other), f.Kind == media.Data:
		return nil
	case f.Is(media.Config):
		return w.header(f)
	case !f.IsMedia():
		return nil
	}
	return w.frame(it.Seq, f)
}

// header takes a sequence header: one that changes something ends the era.
func (w *writer) header(f *media.Frame) error {
	if f.Kind == media.Data || !f.Is(media.Config) || f.Is(media.Extra) || f.Is(media.Other) {
		return nil
	}
	t := w.tracks[slot(f.Kind)]
	if !t.differs(f.Codec, f.Body()) {
		return nil
	}
	if err := w.endEra(t); err != nil {
		return err
	}
	t.setConfig(f.Codec, f.Body())
	return nil
}

// gap notes frames that will not come.
func (w *writer) gap(from, to uint64, reason string) error {
	w.next = max(w.next, to)
	if w.sess == nil || from >= to {
		return nil
	}
	return w.sess.gap(record.Gap{From: from, To: to, Reason: reason, At: w.now()})
}

// frame takes a coded frame.
func (w *writer) frame(seq uint64, f *media.Frame) error {
	t := w.tracks[slot(f.Kind)]
	if w.skip || seq <= t.lastSeq {
		return nil
	}
	if f.Codec != t.fourCC {
		if err := w.endEra(t); err != nil {
			return err
		}
		t.setConfig(f.Codec, nil)
	}
	known := w.era != nil && w.era.track(f.Kind) != nil
	if !t.learn(f) || w.pausedAt(seq, f) {
		return nil
	}
	if w.era != nil && !known {
		if err := w.newTrack(); err != nil {
			return err
		}
	}
	t.pending = append(t.pending, pending{f: f, seq: seq, wall: w.now()})
	w.size += len(f.Body())
	if !w.begun {
		w.begun, w.first = true, t.pending[len(t.pending)-1]
	}
	return w.cut(f)
}

// leads reports whether cuts are made at frames of that kind: video, if there
// is any.
func (w *writer) leads(k media.Kind) bool {
	video := w.tracks[0]
	if len(video.pending) > 0 || w.era != nil && w.era.track(media.Video) != nil {
		return k == media.Video
	}
	return true
}

// cut ends the fragment, and the segment, before f if it is time.
func (w *writer) cut(f *media.Frame) error {
	if w.first.f == f {
		return nil
	}
	leads := w.leads(f.Kind)
	p := record.Point{DTS: f.DTS, Keyframe: leads && (f.Kind == media.Audio || f.Is(media.Keyframe))}
	if w.sess != nil && w.sess.open && w.cutter.Next(p) != record.NoCut {
		if err := w.flush(false); err != nil || !w.sess.open {
			return err
		}
		// The frame that begins the next segment is held back still: it is
		// the newest of its track.
		return w.sess.closeSegment()
	}
	// Others than the leading track end a fragment only where that one has
	// stalled.
	limit := w.opt.Chunk.Milliseconds()
	if !leads {
		limit *= 2
	}
	if f.DTS-w.first.f.DTS >= limit || w.size >= maxPending {
		return w.flush(false)
	}
	return nil
}

// maxPending bounds what is held back, in bytes, whatever its timestamps say:
// those of a broken encoder may stand still.
const maxPending = 16 << 20

// leave writes what is left, and leaves the session open.
func (w *writer) leave() error {
	if err := w.flush(true); err != nil || w.sess == nil {
		return err
	}
	return w.sess.closeSegment()
}

// finish writes what is left and ends the session; final: its end is known.
func (w *writer) finish(final bool) error {
	if err := w.flush(true); err != nil || w.sess == nil {
		return err
	}
	if w.paused {
		if err := w.gap(w.durable, w.next, diskFull); err != nil {
			return err
		}
	}
	return w.sess.end(w.now(), final)
}
