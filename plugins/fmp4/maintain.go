package fmp4

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/plugins/record"
)

// maintainEvery is how often unfinished and old sessions are looked for.
const maintainEvery = time.Minute

// firstLook is how long that waits after the start: the host attaches the live
// streams first.
const firstLook = 2 * time.Second

// maintain finishes what others left, and removes what is old.
func (p *Plugin) maintain() {
	keeper := &record.Keeper{Root: filepath.Join(p.host.DataDir(), "mp4"), Plugin: "mp4", Age: p.opt.KeepAge, Bytes: p.opt.KeepBytes}
	tick := time.NewTimer(firstLook)
	defer tick.Stop()
	for {
		select {
		case <-p.ctx.Done():
			return
		case <-p.quiet:
			return
		case <-tick.C:
			tick.Reset(maintainEvery)
		}
		p.finishOthers()
		removed, err := keeper.Run(time.Now())
		for _, path := range removed {
			p.log.Info("removed an old recording", "dir", filepath.Dir(path))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			p.log.Warn("old recordings stay", "error", err)
		}
	}
}

// finishOthers ends and merges sessions whose writer is gone and whose stream
// is not live: live ones are attached again by the host.
func (p *Plugin) finishOthers() {
	places, err := unfinished(p.todo)
	if err != nil {
		p.log.Warn("unfinished sessions stay", "error", err)
	}
	if len(places) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(p.ctx, openTimeout)
	defer cancel()
	live, err := p.host.Streams(ctx)
	if err != nil {
		p.log.Warn("unfinished sessions stay", "error", err)
		return
	}
	running := map[string]bool{}
	for _, e := range live {
		running[e.Session] = true
	}
	for _, at := range places {
		p.finishOther(at, running[at.Session])
	}
}

// finishOther takes one session if nobody has it; one of a live stream only if
// it is ended.
func (p *Plugin) finishOther(at place, live bool) {
	p.mu.Lock()
	failed := p.failed[at.Dir]
	p.mu.Unlock()
	if failed {
		return
	}
	lock, err := record.TryLock(at.lockPath())
	if errors.Is(err, fs.ErrNotExist) { // its folder was removed
		p.warn("unfinished session stays", at, at.forget(p.todo))
		return
	}
	if err != nil {
		return // its writer, or its merge, is at work
	}
	if _, err := os.Stat(at.file(p.todo)); err != nil {
		// Somebody finished it between the look and the lock.
		p.warn("lock stays", at, lock.Remove())
		return
	}
	if live && !at.ended() {
		p.warn("lock stays", at, lock.Release())
		return
	}
	s := &session{place: at, opt: p.opt, log: p.log, lock: lock, announce: p.announceSegment, sets: setsOf(p.opt)}
	err = s.repair(time.Now())
	if errors.Is(err, record.ErrNoManifest) { // reserved, and never begun
		p.warn("unfinished session stays", at, errors.Join(at.forget(p.todo), lock.Remove()))
		return
	}
	if err != nil {
		p.giveUp(at, err)
		p.warn("lock stays", at, errors.Join(s.closeFiles(), lock.Release()))
		return
	}
	p.log.Info("took up an unfinished recording", "dir", at.Dir)
	p.merge(s)
}

// repair brings a session that was left to its end.
func (s *session) repair(now time.Time) error {
	m, err := record.Load(s.manifest())
	if err != nil {
		return err
	}
	if !m.Ended.IsZero() {
		return s.line.load(&m)
	}
	if err := s.resume(); err != nil {
		return err
	}
	return s.end(now, false)
}

func (p *Plugin) warn(what string, at place, err error) {
	if err != nil {
		p.log.Warn(what, "dir", at.Dir, "error", err)
	}
}

// giveUp leaves a session to the next start.
func (p *Plugin) giveUp(at place, err error) {
	p.log.Error("recording is not finished; it is tried again at the next start", "dir", at.Dir, "error", err)
	p.mu.Lock()
	p.failed[at.Dir] = true
	p.mu.Unlock()
}

// merge makes the plain MP4 of an ended session in the background, and takes
// over its lock.
func (p *Plugin) merge(s *session) {
	p.jobs.Go(func() {
		err := p.finish(s)
		if err != nil && p.ctx.Err() == nil {
			p.giveUp(s.place, err)
		}
		if err != nil {
			p.warn("lock stays", s.place, s.lock.Release())
			return
		}
		p.warn("unfinished session stays", s.place, errors.Join(s.forget(p.todo), s.lock.Remove()))
	})
}

// finish merges, shows what was made and tells of it.
func (p *Plugin) finish(s *session) error {
	part := record.Part{File: s.sets[0].folder + "/index.json"}
	if s.opt.Full {
		made, err := p.full(s)
		if err != nil && !errors.Is(err, ErrEmpty) {
			return err
		}
		if err == nil {
			part = made
		}
	}
	m, err := record.Load(s.manifest())
	if err != nil {
		return err
	}
	e := s.event(event.RecordDone, part.File)
	e.Size, e.SHA256, e.Started = part.Size, part.SHA256, m.Started
	e.Duration = m.Ended.Sub(m.Started).Seconds()
	for _, q := range m.Parts {
		if q.ToSeq > 0 && (e.FromSeq == 0 || q.FromSeq < e.FromSeq) {
			e.FromSeq = q.FromSeq
		}
	}
	e.ToSeq = m.NextSeq()
	return p.announce(e)
}

// full makes the plain MP4, unless an earlier process did and nobody heard of
// it.
func (p *Plugin) full(s *session) (record.Part, error) {
	m, err := record.Load(s.manifest())
	if err != nil {
		return record.Part{}, err
	}
	if made := m.Part(mergeDir + "/" + fullName); made != nil && m.Complete {
		return *made, nil
	}
	select {
	case p.merging <- struct{}{}:
		defer func() { <-p.merging }()
	case <-p.ctx.Done():
		return record.Part{}, p.ctx.Err()
	}
	show := func(ratio float64) {
		p.host.Gauge("merge_done_ratio", ratio, "stream", s.App+"/"+s.Name, "session", s.Session)
	}
	show(0)
	defer show(math.NaN())
	log := logProgress(p.log, s.Dir)
	return makeFull(p.ctx, s.Dir, p.opt.Checksum, func(done, of int64) {
		log(done, of)
		show(float64(done) / float64(of))
	})
}
