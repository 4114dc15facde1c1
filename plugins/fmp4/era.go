package fmp4

import (
	"errors"

	"github.com/millrace/millrace/plugins/fmp4/box"
)

// maxWait is how long the first fragment waits for a track that has a
// sequence header and no frame yet, in ms.
const maxWait = 1000

// begin starts an era with the tracks that have frames; false: it waits for
// more of them, or there are none.
func (w *writer) begin(final bool) (bool, error) {
	var e era
	var tracks []box.Track
	waiting := false
	for _, t := range w.tracks {
		if len(t.pending) == 0 || t.codec == nil {
			waiting = waiting || t.config != nil && !t.bad
			continue
		}
		t.measure()
		e.Tracks = append(e.Tracks, eraTrack{Kind: t.kind, FourCC: t.fourCC, Config: t.config, Codec: *t.codec, Bitrate: t.bitrate})
		tracks = append(tracks, box.Track{ID: trackID(t.kind), Codec: t.codec, Bitrate: t.bitrate})
	}
	if len(tracks) == 0 || waiting && !final && w.span() < maxWait && w.size < maxPending {
		return false, nil
	}
	if w.sess == nil {
		if ok, err := w.openSession(); !ok {
			return false, err
		}
	}
	line := &w.sess.line
	for i, t := range tracks {
		tracks[i].Start = line.start(t.Codec.Kind)
		// A track that only goes on keeps its count of samples.
		if c := &w.tracks[slot(t.Codec.Kind)].clock; !c.Started || c.Scale != int64(t.Codec.Timescale()) {
			*c = line.clock(t.Codec)
		}
	}
	if err := w.sess.beginEra(e, tracks); err != nil {
		return false, err
	}
	w.era = &line.Eras[len(line.Eras)-1]
	return true, nil
}

// span is how much time is pending, in ms.
func (w *writer) span() int64 {
	newest := w.first.f.DTS
	for _, t := range w.tracks {
		if n := len(t.pending); n > 0 {
			newest = max(newest, t.pending[n-1].f.DTS)
		}
	}
	return newest - w.first.f.DTS
}

// openSession opens the record and fixes its timeline.
func (w *writer) openSession() (bool, error) {
	sess, err := w.open(w.first.wall)
	if errors.Is(err, errSkip) {
		w.skip = true
		w.forget()
		return false, nil
	}
	if err != nil {
		return false, err
	}
	w.sess = sess
	w.fixOrigin(&sess.line)
	// What came before the first frame was never to be recorded.
	w.durable = w.first.seq
	for _, t := range w.tracks {
		if len(t.pending) > 0 {
			w.durable = min(w.durable, t.pending[0].seq)
		}
	}
	if last := sess.last.To; last > 0 {
		return true, w.gap(last, w.durable, "the recording was interrupted")
	}
	return true, nil
}

// fixOrigin begins the timeline, unless the session goes on with one.
func (w *writer) fixOrigin(line *timeline) {
	if len(line.Eras) > 0 {
		return
	}
	first := true
	for _, t := range w.tracks {
		if len(t.pending) > 0 && t.codec != nil && (first || t.firstPTS() < line.Origin) {
			line.Origin, first = t.firstPTS(), false
		}
	}
	line.Base = line.Origin
	if v := w.tracks[0]; len(v.pending) > 0 {
		line.Base = min(line.Origin, v.pending[0].f.DTS)
	}
}

// endEra writes what is there of an era that t is part of.
func (w *writer) endEra(t *track) error {
	if t.codec == nil || w.era == nil && len(t.pending) == 0 || w.era != nil && w.era.track(t.kind) == nil {
		return nil
	}
	if err := w.flush(true); err != nil || w.sess == nil {
		return err
	}
	w.era = nil
	return w.sess.closeSegment()
}

// newTrack ends an era that a track was not part of.
func (w *writer) newTrack() error {
	if err := w.flush(true); err != nil {
		return err
	}
	w.era = nil
	return w.sess.closeSegment()
}
