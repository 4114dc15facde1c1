package fmp4

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/millrace/millrace/plugins/record"
)

// tail is the end of a row's segment as it was found.
type tail struct {
	set   *set
	notes []note
	ends  []int64
}

// has reports whether the fragment of that number is there.
func (t *tail) has(number uint32) bool {
	return len(t.notes) > 0 && t.notes[len(t.notes)-1].Number == number
}

func (t *tail) pop() {
	t.notes, t.ends = t.notes[:len(t.notes)-1], t.ends[:len(t.ends)-1]
}

// resume finds how far a session got, whose writer went without a word or
// handed it over: it cuts torn fragments off, lists segments that are not in
// the manifest, and leaves the last of them open.
func (s *session) resume() error {
	m, err := record.Load(s.manifest())
	if err != nil {
		return err
	}
	if err := s.line.load(&m); err != nil {
		return err
	}
	s.keepRows()
	s.number = 1
	for _, p := range m.Parts {
		s.number = max(s.number, p.Number)
	}
	for {
		found, err := s.reopen()
		switch {
		case err != nil:
			return err
		case !found && s.last.Number == 0 && s.number > 1:
			// All of the newest segment is gone: go on from the one before.
			if err := s.unlist(&m); err != nil {
				return err
			}
			s.number--
			continue
		case !found:
			return s.settle()
		}
		if s.allListed(&m) {
			err = s.closeFiles()
			s.next()
		} else if err = s.unlist(&m); err == nil {
			if !s.exists(s.number + 1) {
				return s.settle()
			}
			err = s.closeSegment()
		}
		if err != nil {
			return err
		}
	}
}

// unlist takes the segment s.number off the manifest: its files are not what
// they were when it was listed.
func (s *session) unlist(m *record.Manifest) error {
	own := func(p record.Part) bool { return p.Number == s.number }
	if !slices.ContainsFunc(m.Parts, own) {
		return nil
	}
	return s.update(func(now *record.Manifest) error {
		now.Parts = slices.DeleteFunc(now.Parts, own)
		*m = *now
		return nil
	})
}

// keepRows goes on with the folders that the session began with, whatever the
// options are now.
func (s *session) keepRows() {
	if len(s.line.Eras) == 0 {
		return
	}
	s.sets = slices.DeleteFunc(setsOf(Options{Merge: true, Separate: true}), func(set *set) bool {
		inits, err := filepath.Glob(filepath.Join(s.Dir, set.folder, "*init*.mp4"))
		return err == nil && len(inits) == 0
	})
}

// settle makes the indexes anew: they may be behind the manifest, or ahead.
func (s *session) settle() error {
	m, err := record.Load(s.manifest())
	if err != nil {
		return err
	}
	return s.writeIndexes(&m, false)
}

// exists reports whether any row has that segment.
func (s *session) exists(number int64) bool {
	return slices.ContainsFunc(s.sets, func(set *set) bool {
		_, err := os.Stat(s.segmentPath(set, number))
		return err == nil
	})
}

func (s *session) segmentPath(set *set, number int64) string {
	return filepath.Join(s.Dir, set.folder, set.segmentFile(number))
}

// allListed reports whether the manifest has all files of the open segment,
// as they are.
func (s *session) allListed(m *record.Manifest) bool {
	for _, set := range s.sets {
		if set.f == nil {
			continue
		}
		p := m.Part(set.folder + "/" + set.segmentFile(s.number))
		if p == nil || p.Size != set.size {
			return false
		}
	}
	return true
}

// reopen opens the files of segment s.number, cut to what all rows have; false:
// there is nothing in them.
func (s *session) reopen() (bool, error) {
	tails, err := s.tails()
	if err != nil {
		return false, err
	}
	level(tails)
	found := false
	for _, t := range tails {
		if len(t.notes) == 0 {
			if err := os.Remove(s.segmentPath(t.set, s.number)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return false, fmt.Errorf("remove empty segment: %w", err)
			}
			continue
		}
		first, last := t.notes[0], t.notes[len(t.notes)-1]
		if !found || first.Number < s.firstNumber {
			s.firstNumber = first.Number
			s.part = record.Part{Number: s.number, FromSeq: first.From, FromDTS: first.FromDTS, Started: first.Wall, Keyframe: first.Keyframe}
		}
		if last.Number > s.last.Number {
			s.last, s.lastSegment = last, s.number
		}
		found = true
		if err := t.set.reopen(s.Dir, s.number, t.ends[len(t.ends)-1]); err != nil {
			return false, err
		}
	}
	s.open = found
	return found, nil
}

// tails reads what each row has of the segment.
func (s *session) tails() ([]*tail, error) {
	var tails []*tail
	for _, set := range s.sets {
		t := &tail{set: set}
		_, err := scanFile(s.segmentPath(set, s.number), func(f *fragmentAt) error {
			t.notes, t.ends = append(t.notes, f.note), append(t.ends, f.end)
			return nil
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		tails = append(tails, t)
	}
	return tails, nil
}

// level cuts the rows to the last fragment that all have that should: a crash
// may have come after one row's write and before another's.
func level(tails []*tail) {
	for {
		newest := newestOf(tails)
		if newest.Number == 0 {
			return
		}
		whole := true
		for _, t := range tails {
			expected := t.set.kind == 0 || newest.Has[slot(t.set.kind)]
			whole = whole && t.has(newest.Number) == expected
		}
		if whole {
			return
		}
		for _, t := range tails {
			if t.has(newest.Number) {
				t.pop()
			}
		}
	}
}

func newestOf(tails []*tail) note {
	var newest note
	for _, t := range tails {
		if n := len(t.notes); n > 0 && t.notes[n-1].Number > newest.Number {
			newest = t.notes[n-1]
		}
	}
	return newest
}
