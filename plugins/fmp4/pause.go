package fmp4

import (
	"github.com/millrace/millrace/core/media"
)

// forget drops what is pending.
func (w *writer) forget() {
	for _, t := range w.tracks {
		t.pending = nil
	}
	w.restart()
}

// diskFull is the reason in a manifest.
const diskFull = "the disk was full"

// pause stops writing where the disk has too little room.
func (w *writer) pause() {
	w.log.Error("recording pauses: the disk is full", "stream", w.sess.App+"/"+w.sess.Name)
	w.paused = true
	w.forget()
}

// pausedAt reports whether recording is paused. It ends at a frame that a
// segment may begin with.
func (w *writer) pausedAt(seq uint64, f *media.Frame) bool {
	if !w.paused {
		return false
	}
	video := w.era != nil && w.era.track(media.Video) != nil
	if video && !f.Is(media.Keyframe) || w.low(w.now()) {
		return true
	}
	w.paused = false
	w.log.Info("recording goes on", "stream", w.sess.App+"/"+w.sess.Name)
	if err := w.gap(w.durable, seq, diskFull); err != nil {
		w.log.Error("gap is not in the manifest", "error", err)
	}
	w.durable = seq
	return false
}
