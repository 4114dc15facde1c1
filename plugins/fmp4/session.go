package fmp4

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/plugins/fmp4/box"
	"github.com/millrace/millrace/plugins/record"
)

// session is the folder of one publish session while it is written. It is for
// one goroutine.
type session struct {
	place
	opt  Options
	log  *slog.Logger
	lock *record.Lock
	// announce tells of a segment; nil: nobody is told.
	announce func(event.Event)

	sets []*set
	line timeline
	// number is that of the open segment, or of the next if none is open.
	number int64
	open   bool
	part   record.Part // of the open segment, as far as all sets share it
	last   note        // of the last fragment; Number 0: there is none
	// As resume found them: firstNumber is the number of the open segment's
	// first fragment, lastSegment that of the segment that last is in.
	firstNumber uint32
	lastSegment int64
	json        map[string]*jsonIndex // by folder
	synced      time.Time
}

// create makes the folders and the manifest of a new session.
func (s *session) create() error {
	s.number = 1
	for _, set := range s.sets {
		if err := os.MkdirAll(filepath.Join(s.Dir, set.folder), 0o755); err != nil {
			return fmt.Errorf("make folder of session: %w", err)
		}
	}
	if _, err := os.Stat(s.manifest()); err == nil {
		return s.again()
	}
	s.line.URL = s.URL
	m := record.Manifest{Plugin: "mp4", App: s.App, Name: s.Name, Session: s.Session, Started: s.Started}
	return m.Save(s.manifest())
}

// again goes on with a session that was ended too early: the host gives a
// session the same folder until it is over. The plain MP4 is made anew at the
// end.
func (s *session) again() error {
	err := s.update(func(m *record.Manifest) error {
		if m.Session != s.Session {
			return fmt.Errorf("%w: the folder is that of session %s", ErrExists, m.Session)
		}
		m.Ended, m.Complete, m.Final = time.Time{}, false, false
		m.Parts = slices.DeleteFunc(m.Parts, func(p record.Part) bool { return p.Number == 0 })
		return nil
	})
	if err == nil {
		err = s.resume()
	}
	if err == nil {
		err = s.closeSegment()
	}
	return err
}

// update changes the manifest; its parts are not kept in memory.
func (s *session) update(change func(m *record.Manifest) error) error {
	m, err := record.Load(s.manifest())
	if err != nil {
		return err
	}
	if err := change(&m); err != nil {
		return err
	}
	return m.Save(s.manifest())
}

// beginEra writes the init segments of an era that starts with the next
// segment.
func (s *session) beginEra(e era, tracks []box.Track) error {
	e.Number, e.Segment = len(s.line.Eras)+1, s.number
	for _, set := range s.sets {
		var of []box.Track
		for _, t := range tracks {
			if set.takes(t.Codec.Kind) {
				of = append(of, t)
			}
		}
		if len(of) == 0 {
			continue
		}
		if err := record.WriteFile(filepath.Join(s.Dir, set.folder, set.initFile(e.Number)), box.Init(of)); err != nil {
			return fmt.Errorf("write init segment: %w", err)
		}
	}
	s.line.Eras = append(s.line.Eras, e)
	if err := s.update(func(m *record.Manifest) error { return s.line.store(m) }); err != nil {
		return err
	}
	if e.Number == 1 {
		return s.link()
	}
	return nil
}

// write appends a fragment to the open segment; if none is open, it begins
// one.
func (s *session) write(frag *box.Fragment, n *note) error {
	if !s.open {
		s.open = true
		s.part = record.Part{Number: s.number, FromSeq: n.From, FromDTS: n.FromDTS, Started: n.Wall, Keyframe: n.Keyframe}
	}
	for _, set := range s.sets {
		f := *frag
		f.Runs = nil
		for _, r := range frag.Runs {
			if set.takes(r.Kind) && len(r.Samples) > 0 {
				f.Runs = append(f.Runs, r)
			}
		}
		if len(f.Runs) == 0 {
			continue
		}
		if set.f == nil {
			if err := set.open(s.Dir, s.number); err != nil {
				return err
			}
		}
		if err := set.write(&f, n); err != nil {
			return err
		}
	}
	s.last = *n
	return s.syncDue(n.Wall)
}

// syncDue brings the open files to the disk if the policy says so.
func (s *session) syncDue(now time.Time) error {
	if !s.opt.Sync.Due(now, s.synced) {
		return nil
	}
	s.synced = now
	return s.sync()
}

func (s *session) sync() error {
	for _, set := range s.sets {
		if set.f != nil {
			if err := set.f.Sync(); err != nil {
				return fmt.Errorf("sync segment: %w", err)
			}
		}
	}
	return nil
}

// closeSegment lists the open segment, and tells of it.
func (s *session) closeSegment() error {
	if !s.open {
		return nil
	}
	if s.opt.Sync != (record.Sync{}) {
		if err := s.sync(); err != nil {
			return err
		}
	}
	s.part.ToSeq, s.part.ToDTS = s.last.To, s.last.ToDTS
	told := false
	for _, set := range s.sets {
		if set.f == nil {
			continue
		}
		p := s.part
		p.File, p.Tracks = set.folder+"/"+set.segmentFile(s.number), set.tracks()
		p.Size, p.SHA256 = set.size, set.sha()
		if err := set.close(); err != nil {
			return fmt.Errorf("close segment: %w", err)
		}
		if err := record.AppendPart(s.manifest(), p); err != nil {
			return err
		}
		if err := s.addToIndex(set, p); err != nil {
			return err
		}
		if !told {
			told = true
			s.tell(p)
		}
	}
	s.next()
	return nil
}

// next makes room for the next segment.
func (s *session) next() {
	s.open = false
	s.number++
}

// tell announces a segment: that of the muxed set, or of video, or of audio.
func (s *session) tell(p record.Part) {
	if s.announce == nil {
		return
	}
	e := s.event(event.Segment, p.File)
	e.Number, e.Size, e.SHA256, e.Started = p.Number, p.Size, p.SHA256, p.Started
	e.FromSeq, e.ToSeq = p.FromSeq, p.ToSeq
	e.Duration = float64(p.ToDTS-p.FromDTS) / 1000
	s.announce(e)
}

// event is one about a file of the session.
func (p place) event(name, file string) event.Event {
	e := event.Event{
		Event: name, Time: time.Now(), App: p.App, Name: p.Name, StreamID: p.App + "/" + p.Name,
		Session: p.Session, Plugin: "mp4", File: p.Rel + "/" + file, Labels: p.Labels,
	}
	if p.URL != "" {
		e.URL = p.URL + "/" + file
	}
	return e
}

// gap notes frames that are missing.
func (s *session) gap(g record.Gap) error {
	return s.update(func(m *record.Manifest) error {
		m.Gaps = append(m.Gaps, g)
		return nil
	})
}

// end lists what is open and marks the session as ended. It is complete once
// the plain MP4 is there, if one is wanted. final: the session's end is known.
func (s *session) end(now time.Time, final bool) error {
	if err := s.closeSegment(); err != nil {
		return err
	}
	var m record.Manifest
	err := s.update(func(got *record.Manifest) error {
		if got.Ended.IsZero() {
			got.Ended, got.Final = now, final
		}
		got.Complete = !s.opt.Full
		m = *got
		return nil
	})
	if err != nil {
		return err
	}
	return s.writeIndexes(&m, true)
}

// closeFiles lets go of the files, and not of the lock.
func (s *session) closeFiles() error {
	var err error
	for _, set := range s.sets {
		err = errors.Join(err, set.close())
	}
	return err
}
