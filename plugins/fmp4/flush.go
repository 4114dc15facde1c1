package fmp4

import (
	"github.com/millrace/millrace/plugins/fmp4/box"
)

// flush writes a fragment of what is pending: all of it if final, otherwise
// all but the last frame of each track, whose durations are not known yet.
func (w *writer) flush(final bool) error {
	if !w.begun {
		return nil
	}
	if w.era == nil {
		if ok, err := w.begin(final); !ok || err != nil {
			return err
		}
	}
	if !w.sess.open && w.low(w.now()) {
		w.pause()
		return nil
	}
	frag := box.Fragment{Number: w.sess.last.Number + 1, Wall: w.first.wall}
	n := note{Number: frag.Number, From: w.durable, Wall: w.first.wall, FromDTS: w.first.f.DTS, Keyframe: true}
	taken := [2]int{}
	for i, t := range w.tracks {
		if samples := t.take(final); len(samples) > 0 {
			frag.Runs = append(frag.Runs, box.Run{Track: trackID(t.kind), Kind: t.kind, Samples: samples})
			taken[i], n.Has[i] = len(samples), true
			n.Keyframe = n.Keyframe && samples[0].Sync
		}
	}
	if len(frag.Runs) == 0 {
		return nil
	}
	if taken[0] > 0 {
		n.FromDTS = w.tracks[0].pending[0].f.DTS
	}
	w.describe(&n, taken)
	opens := !w.sess.open
	if err := w.sess.write(&frag, &n); err != nil {
		return err
	}
	if opens {
		w.cutter.Begin(n.FromDTS)
	}
	for i, t := range w.tracks {
		t.drop(taken[i])
	}
	w.durable = n.To
	w.restart()
	return nil
}

// describe completes the note of a fragment that takes so many pending frames.
func (w *writer) describe(n *note, taken [2]int) {
	n.To, n.ToDTS = w.next, n.FromDTS
	for i, t := range w.tracks {
		n.Last[i] = t.lastSeq
		if k := taken[i]; k > 0 {
			n.Last[i] = t.pending[k-1].seq
			t.doneTime = t.samples[k-1].Time
			t.doneNext = t.doneTime + int64(t.samples[k-1].Duration)
			end := t.doneNext
			if i == 0 || !n.Has[0] {
				n.ToDTS = max(n.ToDTS, t.clock.Origin+end*1000/t.clock.Scale)
			}
		}
		n.Next[i], n.Time[i] = t.doneNext, t.doneTime
		if taken[i] < len(t.pending) {
			n.To = min(n.To, t.pending[taken[i]].seq)
		}
	}
}

// restart finds the frame that the next fragment begins with.
func (w *writer) restart() {
	w.begun, w.size = false, 0
	for _, t := range w.tracks {
		for i := range t.pending {
			w.size += len(t.pending[i].f.Body())
		}
		if len(t.pending) > 0 && (!w.begun || t.pending[0].f.DTS < w.first.f.DTS) {
			w.begun, w.first = true, t.pending[0]
		}
	}
	if !w.begun {
		w.first = pending{}
	}
}
