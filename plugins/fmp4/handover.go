package fmp4

import (
	"encoding/json"
	"errors"
	"fmt"
)

// handOver writes what is left, so that another process can go on from what is
// on disk, and says where.
func (w *writer) handOver() ([]byte, error) {
	if err := w.flush(true); err != nil {
		return nil, err
	}
	if w.sess == nil {
		return []byte("{}"), nil
	}
	err := w.sess.sync()
	err = errors.Join(err, w.sess.closeFiles())
	b, jsonErr := json.Marshal(w.sess.place)
	if err = errors.Join(err, jsonErr); err != nil {
		return nil, fmt.Errorf("hand session over: %w", err)
	}
	return b, nil
}

// goOn continues a session that resume found on disk.
func (w *writer) goOn(sess *session) {
	w.sess = sess
	n := &sess.last
	w.next, w.durable = n.To, n.To
	if len(sess.line.Eras) == 0 {
		return
	}
	e := &sess.line.Eras[len(sess.line.Eras)-1]
	w.era = e
	w.cutter.Begin(sess.part.FromDTS)
	for i := range e.Tracks {
		et := &e.Tracks[i]
		t := w.tracks[slot(et.Kind)]
		codec := et.Codec
		t.fourCC, t.config, t.codec, t.bitrate, t.running = et.FourCC, et.Config, &codec, et.Bitrate, true
		t.clock = sess.line.clock(&codec)
		s := slot(et.Kind)
		t.doneNext, t.doneTime = n.Next[s], n.Time[s]
		if n.Number > 0 && e.Segment <= sess.lastSegment {
			t.clock.Next, t.clock.Last, t.clock.Started = n.Next[s], n.Time[s], n.Next[s] > 0
		}
	}
	for i, t := range w.tracks {
		t.lastSeq = n.Last[i]
	}
}

// readHandover reads what handOver made.
func readHandover(b []byte) (place, error) {
	var p place
	if err := json.Unmarshal(b, &p); err != nil {
		return place{}, fmt.Errorf("read hand-over: %w", err)
	}
	return p, nil
}
