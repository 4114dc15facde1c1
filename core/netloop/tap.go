package netloop

import (
	"log/slog"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/flv"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/core/stream"
)

// tap is a connection of a plugin that takes a stream. Unlike a viewer it gets
// every frame of the ring, numbered, and is told what it missed; it has its own
// merge window, and nobody counts it. Event-loop goroutine only, but for Wake.
type tap struct {
	conn   *conn
	plugin string
	place  *stream.Tap
	want   stream.Cursor // says which frames it wants
	shape  shape
	window int64 // how long frames gather, ns

	// news is set by whoever appends, until the tap has caught up.
	news dirty
	// active: it is among the loop's active taps, to be visited when due.
	active bool
	due    int64 // never: it waits for news, or for its socket
	last   int64 // when it was last visited
	ended  bool
	over   int64 // when it was first found stalled after the stream's end

	// expect is the number that the plugin gives to the next frame; 0: it was
	// not sent anything yet.
	expect uint64
	// inside is the frame that it is in the middle of, with offset bytes sent.
	inside *media.Frame
	offset int

	since        int64
	gaps, missed uint64 // gaps, and frames in them
	told         int64  // when the last gap was logged
}

// Wake is called by the stream, on any goroutine.
func (t *tap) Wake(*stream.Stream) {
	if t.news.mark() {
		t.conn.loop.wakeTap(t)
	}
}

// tapOptions say what a tap gets, and how.
type tapOptions struct {
	plugin string
	from   uint64
	budget *stream.Budget
	window time.Duration
	key    groupKey
}

// tapInto makes c a tap of s.
func (l *loop) tapInto(c *conn, s *stream.Stream, o tapOptions) *tap {
	t := &tap{
		conn: c, plugin: o.plugin, place: stream.NewTap(s, o.from, o.budget),
		shape: shape{form: o.key.form, all: o.key.all}, window: int64(o.window),
		since: l.now(), due: never,
	}
	t.want.Stream = s
	t.want.Want(o.key.video, o.key.audio, o.key.all, o.key.vtrack, o.key.atrack)
	c.tap = t
	t.news.mark() // the first visit is on its way
	s.Subscribe(t)
	l.engine.totals.taps.Add(1)
	l.engine.log.Info("plugin reads stream", t.attrs()...)
	l.visitTap(t)
	return t
}

// untap is what tapInto did, undone.
func (l *loop) untap(t *tap, reason string) {
	if t.ended {
		return
	}
	t.ended = true
	t.conn.tap = nil
	t.place.Stream.Unsubscribe(t)
	t.place.Close()
	l.engine.totals.taps.Add(-1)
	l.engine.log.Info("plugin left stream", t.attrs(
		slog.String(event.Reason, reason),
		slog.Uint64(event.BytesOut, t.conn.bytesOut),
		slog.Uint64(event.Dropped, t.missed),
		slog.String(event.Duration, time.Duration(l.now()-t.since).Round(time.Millisecond).String()))...)
}

func (t *tap) attrs(more ...slog.Attr) []any {
	return t.conn.attrs(append([]slog.Attr{
		slog.String(event.Plugin, t.plugin),
		slog.String(event.Stream, t.place.Stream.Key.String()),
	}, more...)...)
}

// wants reports whether the plugin is to get f. Script data of a publisher
// that has the name of our own is not for it: it would spoil the count.
func (t *tap) wants(f *media.Frame) bool {
	if f.Kind == media.Data && isTapScript(f.Payload()) {
		return false
	}
	return t.want.Wants(f)
}

// fill puts together what t is to be sent: the rest of its frame, bytes of its
// own, then frames.
func (t *tap) fill(b *tapRun) stream.Position {
	b.reset()
	if t.inside != nil {
		b.rest(t)
	}
	if len(t.conn.out) > 0 {
		b.add(piece{kind: pieceOut, own: t.conn.out})
	}
	end, pos := t.place.Next()
	b.next, b.end = t.place.Seq, end
	expect := t.expect
	switch {
	case pos == stream.Sending:
		t.frames(b, end)
	case pos == stream.AtEnd && expect == 0:
		b.tell(t.greet(t.place.Stream.State(), 0, end), end, 0)
	}
	return pos
}

// frames adds frames up to end, as many as one write takes, and what the
// plugin must be told between them.
func (t *tap) frames(b *tapRun, end uint64) {
	s, expect := t.place.Stream, t.expect
	for b.next < end && b.room() {
		f := s.At(b.next)
		if f == nil {
			if !b.whole() {
				return // first what comes before the gap
			}
			if expect = t.gap(b, end); expect == 0 {
				return
			}
			continue
		}
		if !t.wants(f) {
			b.next++
			continue
		}
		switch expect {
		case f.Seq:
		case 0:
			b.tell(t.greet(f.State, f.Timestamp(), f.Seq), f.Seq, 0)
		default: // frames that it does not want are between
			b.tell(appendFramed(nil, t.shape.kind, sequenceTag(s.Session, f.Seq, f.Timestamp())), f.Seq, 0)
		}
		b.frame(t.shape, f)
		b.next++
		expect = b.next
	}
}

// whole reports whether nothing of a frame or of the plugin's own bytes is on
// its way yet, or in the run.
func (b *tapRun) whole() bool { return len(b.pieces) == 0 }

// gap has t go on behind what has fallen off the ring. It returns the number
// that the plugin expects then, 0 if there is nothing to go on with.
func (t *tap) gap(b *tapRun, end uint64) uint64 {
	s, from := t.place.Stream, b.next
	to := t.place.Reentry(end)
	f := s.At(to)
	if f == nil || to == from {
		return 0
	}
	kind, ts := t.shape.kind, f.Timestamp()
	if t.expect == 0 {
		own := t.greet(f.State, ts, from)
		own = appendFramed(own, kind, gapTag(from, to, goneReason, ts))
		b.tell(own, to, to-from)
		b.next = to
		return to
	}
	// Headers that were among them are not lost: the stream knows them.
	at, expect := from, t.expect
	for _, h := range stream.Missed(f, from, to) {
		if !t.wants(h) {
			continue
		}
		switch {
		case h.Seq > at:
			b.tell(appendFramed(nil, kind, gapTag(at, h.Seq, slowReason, ts)), h.Seq, h.Seq-at)
		case expect != at: // it did not want frames before the gap
			b.tell(appendFramed(nil, kind, sequenceTag(s.Session, at, ts)), at, 0)
		}
		b.frame(t.shape, h)
		at = h.Seq + 1
		expect = at
	}
	if to > at {
		b.tell(appendFramed(nil, kind, gapTag(at, to, slowReason, ts)), to, to-at)
	}
	b.next = to
	return to
}

// Reasons of gaps.
const (
	goneReason = "the ring does not hold them any more"
	slowReason = "the plugin is too slow: more waited than its lag allows"
)

// greet is what comes before the first frame: the file header, the newest
// metadata, the sequence headers in force and the number of that frame. Only
// the frames from there on count.
func (t *tap) greet(st *media.State, ts uint32, seq uint64) []byte {
	s := t.place.Stream
	current, kind := s.State(), t.shape.kind
	b := appendFramed(nil, kind, flv.AppendFileHeader(nil, current.HasAudio && t.want.Audio, current.HasVideo && t.want.Video))
	for _, f := range append([]*media.Frame{current.Metadata, st.Video, st.Audio}, st.Others...) {
		if f == nil || !t.wants(f) {
			continue
		}
		at := ts
		if f.Kind == media.Data {
			at = 0 // FFmpeg takes an onMetaData of another time for a track of subtitles
		}
		f = t.shape.of(f)
		tag := append([]byte(nil), f.Tag()...)
		media.PutTagHeader(tag, f.Kind, len(f.Payload()), at)
		b = appendFramed(b, kind, tag)
	}
	return appendFramed(b, kind, sequenceTag(s.Session, seq, ts))
}

// tellGap logs, once an episode, that frames are missing.
func (t *tap) tellGap(l *loop, missed uint64, now int64) {
	t.gaps++
	t.missed += missed
	c := t.place.Stream.Counters()
	c.TapGaps.Add(1)
	c.TapMissed.Add(missed)
	if t.told != 0 && now-t.told < episodeGap {
		t.told = now
		return
	}
	t.told = now
	l.engine.log.Warn("plugin misses frames", t.attrs(
		slog.Uint64("missed_frames", missed),
		slog.String("no_progress_for", time.Duration(now-t.conn.progress).Round(time.Millisecond).String()))...)
}

// describe fills in what the API tells of t.
func (t *tap) describe(s *ClientStatus, now int64) {
	_, age := t.place.Backlog(now)
	s.Role, s.UserAgent = RolePlugin, t.plugin
	s.App, s.Name = t.place.Stream.Key.App, t.place.Stream.Key.Name
	s.LagMS, s.Dropped = age/1e6, t.missed
}
