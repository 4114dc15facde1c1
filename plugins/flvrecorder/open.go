package flvrecorder

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/record"
	"github.com/millrace/millrace/plugins/sdk"
)

// openTimeout is how long the host may take to name a file: on_record runs.
const openTimeout = 10 * time.Second

// openPart begins a part with the first of rest.
func (s *stream) openPart(rest []sdk.Item) error {
	f := rest[0].Frame
	ctx, cancel := context.WithTimeout(s.session.ctx, openTimeout)
	defer cancel()
	started := s.started(rest[0].Seq)
	at, manifest, number, err := s.session.place(ctx, sdk.RecordRequest{
		App: s.attach.App, Name: s.attach.Name, Session: s.attach.Session, Kind: pluginName, Ext: ".flv",
		Started: s.attach.Started, // the session's, of which its name is made
	})
	if err != nil {
		return fmt.Errorf("open record: %w", err)
	}
	if at.Skip {
		s.skipped = true
		return nil
	}
	st := state{
		App: s.attach.App, Name: s.attach.Name, Session: s.attach.Session,
		Manifest: manifest, Rel: at.Rel, URL: at.URL, Labels: at.Labels,
		Publisher: s.publisher, Headers: slices.Clone(s.headers), First: rest[0].Seq,
		Part: record.Part{File: at.Name, Number: number, FromSeq: s.from, FromDTS: s.base(rest), Started: started, Keyframe: isKey(f)},
	}
	audio, video := s.expected(rest)
	h := newLiveHead(s.publisher, audio, video, s.r.config.room)
	st.Audio, st.Video, st.Meta, st.Zeros = h.audio, h.video, h.meta, h.zeros
	// The state comes before the manifest, which it can mend.
	p, err := createPart(s.session.dir, st, s.r.config.sync)
	if err != nil {
		return err
	}
	s.cur = p
	if err := errors.Join(s.session.begin(&st), s.session.dir.tidy(number)); err != nil {
		return err
	}
	s.from, s.stale = 0, false
	s.cutter.Begin(st.Part.FromDTS)
	s.log.Info("recording", "file", at.Rel, "part", number)
	return nil
}

// started is the wall clock of a frame: that of the session for its first.
func (s *stream) started(seq uint64) time.Time {
	if n, _ := s.session.number(); n == 1 && s.attach.Next <= 1 && s.from <= 1 && seq < 16 && !s.attach.Started.IsZero() {
		return s.attach.Started
	}
	return time.Now()
}

// near bounds what counts as beside each other, in ms.
const near = 1000

// base is the time at which a part begins that the first of rest opens: the
// least DTS of what is to come. Of a medium that is not in rest the next frame
// comes after its last.
func (s *stream) base(rest []sdk.Item) int64 {
	first := s.dts(rest[0].Frame)
	base := first
	var here [2]bool
	for _, it := range rest {
		if it.Type != sdk.Frame || !it.Frame.IsMedia() {
			continue
		}
		here[it.Frame.Kind-media.Audio] = true
		if d := s.dts(it.Frame); d > first-near {
			base = min(base, d)
		}
	}
	for i, begun := range s.begun {
		if begun && !here[i] && s.last[i] > first-near {
			base = min(base, s.last[i])
		}
	}
	return base
}

// expected says which media the part will have: those of rest, those that the
// server told of, and those that were there until now.
func (s *stream) expected(rest []sdk.Item) (audio, video bool) {
	audio, video = told(s.publisher)
	for _, it := range rest {
		if it.Type == sdk.Frame && it.Frame.IsMedia() {
			audio = audio || it.Frame.Kind == media.Audio
			video = video || it.Frame.Kind == media.Video
		}
	}
	now := s.dts(rest[0].Frame)
	audio = audio || s.begun[0] && s.last[0] > now-near
	video = video || s.begun[1] && s.last[1] > now-near
	return audio, video
}
