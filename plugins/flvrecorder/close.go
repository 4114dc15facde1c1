package flvrecorder

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/record"
	"github.com/millrace/millrace/plugins/sdk"
)

// pause is a recording that waits for room on the disk.
type pause struct {
	on    bool
	room  bool      // there is room again: a keyframe may come
	until time.Time // not before then
}

// guard stops the recording before the disk is full, and lets it go on when
// there is room again.
func (s *stream) guard(now time.Time) {
	low := s.r.guard.Low(now)
	s.pause.room = !low && now.After(s.pause.until)
	if !low || s.pause.on {
		return
	}
	s.log.Warn("recording paused: less than min_free is free", "min_free", s.r.config.minFree)
	s.hold("less than min_free was free")
}

// full ends the part because a write found no space.
func (s *stream) full(cause error) {
	s.log.Error("recording paused: no space", "error", cause)
	if s.cur != nil {
		s.next = s.cur.durable
	}
	s.hold("no space was left")
	s.pause.until = time.Now().Add(retryFull)
}

// retryFull is how long a recorder that found no space waits, since asking
// for free space may say otherwise (quotas).
const retryFull = 10 * time.Second

// hold ends the part at the next frame, and notes that nothing is written from
// there on.
func (s *stream) hold(reason string) {
	s.pause.on = true
	s.r.host.Count("recordings_paused_total", 1)
	at := s.next
	if s.cur == nil && s.from > 0 {
		at = s.from
	}
	if s.cur != nil {
		s.endPart(s.cur.durable)
	}
	s.from = 0
	if s.gap == nil && at > 0 {
		s.gap = &record.Gap{From: at, To: at, Reason: reason, At: time.Now()}
	}
}

// endPart ends the part; if that cannot be written it is done later.
func (s *stream) endPart(next uint64) {
	p := s.cur
	s.cur = nil
	if err := p.close(next); err != nil {
		s.log.Warn("end of a part not written yet", "file", p.Rel, "error", err)
		p.Closed = false
		s.session.later(p.state)
		return
	}
	s.session.finish(p.state)
}

// resume ends the pause at a frame where a part may begin.
func (s *stream) resume(f *media.Frame, seq uint64) bool {
	if !s.pause.room || !f.IsMedia() || !isKey(f) && s.begun[1] {
		if s.gap != nil {
			s.gap.To = s.next
		}
		return false
	}
	if s.gap != nil {
		s.gap.To = seq
	}
	s.pause.on = false
	s.session.finishRest()
	s.log.Info("recording goes on")
	return true
}

// closePart ends the part before a frame, which belongs to the next one.
func (s *stream) closePart(next uint64) error {
	if err := s.cur.flush(time.Time{}); err != nil {
		return err
	}
	s.from = next
	s.endPart(next)
	return nil
}

// abandon lets everything go after an error, as it is on disk: the next attach
// goes on with it.
func (s *stream) abandon() {
	s.broken = true
	var err error
	if s.cur != nil {
		err = s.cur.release()
		s.cur = nil
	}
	s.session.cancel()
	if err = errors.Join(err, s.session.retire(false)); err != nil {
		s.log.Warn("recording not closed cleanly", "error", err)
	}
	s.r.forget(s.session)
}

// Detach ends the stream. A session that is over is finished: when Detach
// returns its files have their last form; sums and announcements follow in the
// background.
func (s *stream) Detach(ctx context.Context, d sdk.Detach) (sdk.Detached, error) {
	if s.broken {
		return sdk.Detached{Durable: s.durable()}, nil
	}
	err := s.lastGap(d.At)
	if d.Why == sdk.Handover {
		return s.handOver(err)
	}
	out := sdk.Detached{Durable: s.durable()}
	var patched <-chan struct{}
	if p := s.cur; p != nil {
		s.cur = nil
		if failed := p.close(s.next); failed != nil {
			err = errors.Join(err, failed)
			p.Closed = false // recount it
		}
		patched = s.session.finish(p.state)
	}
	s.session.finishRest()
	err = errors.Join(err, s.session.end(time.Now(), d.Final))
	if patched != nil {
		select {
		case <-patched:
		case <-ctx.Done():
			err = errors.Join(err, fmt.Errorf("finish recording: %w", ctx.Err()))
		}
	}
	s.r.retire(s.session)
	return out, err
}

// lastGap notes a hole at the end, up to at.
func (s *stream) lastGap(at uint64) error {
	if s.gap == nil {
		return nil
	}
	if s.pause.on {
		s.gap.To = max(s.gap.To, at)
		s.pause.on = false
	}
	return s.closeGap(nil, s.gap.To)
}

// handOver leaves the part for another process.
func (s *stream) handOver(err error) (sdk.Detached, error) {
	out := sdk.Detached{Durable: s.durable(), Handover: []byte(s.session.id)}
	if s.cur != nil {
		err = errors.Join(err, s.cur.flush(time.Time{}), s.cur.release())
		s.cur = nil
	}
	s.session.cancel()
	err = errors.Join(err, s.session.retire(false))
	s.r.forget(s.session)
	return out, err
}

// durable is the number after the last frame on disk.
func (s *stream) durable() uint64 {
	switch {
	case s.cur != nil:
		return s.cur.durable
	case s.from > 0:
		return s.from
	}
	return s.next
}
