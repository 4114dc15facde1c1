package fmp4

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/plugins/record"
	"github.com/millrace/millrace/plugins/sdk"
)

// stream is the plugin's end of one stream.
type stream struct {
	p       *Plugin
	a       sdk.Attach
	w       *writer
	resumed bool
	// broken: a write failed, and the files are let go.
	broken bool
	// back is that the publisher came back, until it is in the manifest.
	back atomic.Pointer[event.Event]
}

var errBroken = errors.New("stream ended with an error before")

// open asks the host where the record goes.
func (s *stream) open(started time.Time) (*session, error) {
	ctx, cancel := context.WithTimeout(s.p.ctx, openTimeout)
	defer cancel()
	at, err := s.p.host.OpenRecord(ctx, sdk.RecordRequest{
		App: s.a.App, Name: s.a.Name, Session: s.a.Session, Kind: "mp4", Started: started,
	})
	if err != nil {
		return nil, err
	}
	if at.Skip {
		return nil, errSkip
	}
	p := newPlace(s.a, at, started)
	if err := p.save(s.p.todo); err != nil {
		return nil, err
	}
	sess, err := s.p.session(ctx, p, s.w.log)
	if err != nil {
		return nil, err
	}
	if err := sess.create(); err != nil {
		return nil, errors.Join(err, sess.lock.Release())
	}
	return sess, nil
}

// ResumeAt is the first frame that is not on disk.
func (s *stream) ResumeAt() uint64 {
	if !s.resumed {
		return 0
	}
	return s.w.durable
}

// Write takes frames.
func (s *stream) Write(items []sdk.Item) error {
	if s.broken {
		return errBroken
	}
	err := s.w.Write(items)
	if e := s.back.Load(); e != nil && err == nil && s.w.sess != nil {
		s.back.Store(nil)
		err = s.w.sess.gap(record.Gap{From: s.w.next, To: s.w.next, Reason: "the publisher was away", At: e.Time, Seconds: e.Gap})
	}
	if err != nil {
		err = errors.Join(err, s.letGo())
	}
	return err
}

// letGo leaves the session to the next one who attaches.
func (s *stream) letGo() error {
	s.broken = true
	if s.w.sess == nil {
		return nil
	}
	return errors.Join(s.w.sess.closeFiles(), s.w.sess.lock.Release())
}

// Detach ends the stream, or hands it over.
func (s *stream) Detach(_ context.Context, d sdk.Detach) (sdk.Detached, error) {
	s.p.forget(s)
	if s.broken {
		return sdk.Detached{Durable: s.w.durable}, nil
	}
	if d.Why == sdk.Handover {
		b, err := s.w.handOver()
		return sdk.Detached{Durable: s.w.durable, Handover: b}, errors.Join(err, s.letGo())
	}
	if d.Why == sdk.Lost {
		// Whoever attaches next goes on with it; if nobody does, the next start
		// ends and merges it.
		err := s.w.leave()
		return sdk.Detached{Durable: s.w.durable}, errors.Join(err, s.letGo())
	}
	if err := s.w.finish(d.Final); err != nil {
		return sdk.Detached{Durable: s.w.durable}, errors.Join(err, s.letGo())
	}
	done := sdk.Detached{Durable: s.w.durable}
	if s.w.sess == nil {
		return done, nil
	}
	s.p.merge(s.w.sess)
	return done, nil
}
