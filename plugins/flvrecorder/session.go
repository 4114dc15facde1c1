package flvrecorder

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/plugins/record"
	"github.com/millrace/millrace/plugins/sdk"
)

// session is what this process holds of a recording of a publish session: its
// lock, its manifest, and the parts that are being finished. Any goroutine may
// use it.
type session struct {
	r    *Recorder
	id   string // see nameOf
	dir  folder
	lock *record.Lock
	// next is the number of the frame that comes next, for notes in the
	// manifest.
	next atomic.Uint64
	// over: its stream was detached, and it is being finished.
	over atomic.Bool

	mu       sync.Mutex
	manifest record.Manifest
	path     string // of the manifest, "" before the first part
	// fresh: the file is not there yet, or says that the record has ended.
	fresh bool

	undone []state // parts whose finishing failed; see finishRest
	final  bool    // as an earlier process found it

	jobs   sync.WaitGroup // of finish
	ctx    context.Context
	cancel context.CancelFunc // ends jobs
}

// openSession takes the lock of a session and reads what an earlier process
// left of it.
func (r *Recorder) openSession(ctx context.Context, id string, acquire func(context.Context, string) (*record.Lock, error)) (*session, []*state, error) {
	if id == "" || filepath.Base(id) != id || id[0] == '.' {
		return nil, nil, fmt.Errorf("open session %q: not a name", id)
	}
	dir := filepath.Join(r.stateDir, id)
	lock, err := acquire(ctx, dir+lockSuffix)
	if err != nil {
		return nil, nil, fmt.Errorf("open session: %w", err)
	}
	s := &session{r: r, id: id, dir: folder(dir), lock: lock}
	s.ctx, s.cancel = context.WithCancel(r.ctx)
	states, err := s.load()
	if err != nil {
		s.cancel()
		return nil, nil, errors.Join(err, lock.Release())
	}
	return s, states, nil
}

const lockSuffix = ".lock"

func (s *session) load() ([]*state, error) {
	if err := os.MkdirAll(string(s.dir), 0o700); err != nil {
		return nil, fmt.Errorf("open session: %w", err)
	}
	states, err := s.dir.load()
	if err != nil || len(states) == 0 {
		return nil, err
	}
	err = s.use(states[len(states)-1].Manifest)
	if err != nil && !errors.Is(err, record.ErrNoManifest) {
		return nil, err
	}
	for _, st := range states {
		if err := s.begin(st); err != nil {
			return nil, err
		}
	}
	return states, nil
}

// use reads the manifest of an earlier process's.
func (s *session) use(path string) error {
	m, err := record.Load(path)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.manifest, s.path, s.final = m, path, m.Final
	s.fresh = m.Complete || !m.Ended.IsZero()
	s.manifest.Ended, s.manifest.Complete, s.manifest.Final = time.Time{}, false, false
	return nil
}

// change changes the manifest, if there is one, and writes it.
func (s *session) change(f func(m *record.Manifest) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.path == "" {
		return nil
	}
	if err := f(&s.manifest); err != nil {
		return err
	}
	return s.save()
}

// save writes the manifest. The session is locked.
func (s *session) save() error {
	err := s.manifest.Save(s.path)
	s.fresh = s.fresh && err != nil
	return err
}

// put lists a part, or what has become of it. That is a line in the manifest's
// log, however many parts there are. The head that the part had first stays.
func (s *session) put(p *record.Part) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.path == "" {
		return nil
	}
	if listed := s.manifest.Part(p.File); listed == nil {
		s.manifest.Parts = append(s.manifest.Parts, *p)
	} else {
		if listed.Own != nil {
			p.Own = listed.Own
		}
		*listed = *p
	}
	if s.fresh {
		return s.save()
	}
	return record.PutPart(s.path, *p)
}

// begin sees to it that the manifest lists a part; the first makes it.
func (s *session) begin(st *state) error {
	s.mu.Lock()
	if s.path == "" {
		s.path, s.fresh = st.Manifest, true
		s.manifest = record.Manifest{
			Plugin: pluginName, App: st.App, Name: st.Name, Session: st.Session, Started: st.Part.Started,
		}
	}
	listed := s.manifest.Part(st.Part.File) != nil
	s.mu.Unlock()
	if listed {
		return nil
	}
	return s.put(&st.Part)
}

// gap notes a hole.
func (s *session) gap(g record.Gap) error {
	return s.change(func(m *record.Manifest) error {
		m.Gaps = append(m.Gaps, g)
		return nil
	})
}

// number is that of the next part, and the manifest's path if there is one.
func (s *session) number() (int64, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := int64(1)
	for _, p := range s.manifest.Parts {
		n = max(n, p.Number+1)
	}
	return n, s.path
}

// place asks the host for the file of the next part. A file that has content
// is one that was finished before, and that this process knows nothing of.
func (s *session) place(ctx context.Context, q sdk.RecordRequest) (sdk.RecordPlace, string, int64, error) {
	for {
		n, manifest := s.number()
		q.Part = int(n)
		at, err := s.r.host.OpenRecord(ctx, q)
		if err != nil || at.Skip {
			return at, "", n, err
		}
		path := filepath.Join(at.Dir, at.Name)
		if manifest == "" {
			manifest = record.ManifestPath(path, false)
		}
		info, err := os.Stat(path)
		switch {
		case err != nil:
			return at, "", n, err
		case info.Size() == 0:
			return at, manifest, n, nil
		}
		if err := s.use(manifest); err != nil {
			return at, "", n, fmt.Errorf("%s was written before: %w", path, err)
		}
		if again, _ := s.number(); again <= n {
			return at, "", n, fmt.Errorf("%s was written before, and its manifest does not list it", path)
		}
	}
}

// retire waits for the jobs and lets the session go; ended: for good.
func (s *session) retire(ended bool) error {
	s.jobs.Wait()
	s.cancel()
	s.mu.Lock()
	whole := len(s.undone) == 0
	s.mu.Unlock()
	if !ended || !whole {
		return s.lock.Release() // what is left is done by the next process
	}
	err := s.change(func(m *record.Manifest) error {
		m.Complete = true
		return nil
	})
	if err != nil {
		return errors.Join(err, s.lock.Release())
	}
	return errors.Join(s.dir.tidy(math.MaxInt64), gone(os.Remove(string(s.dir))), s.lock.Remove())
}

// end notes when the session ended; final: that its end is known.
func (s *session) end(now time.Time, final bool) error {
	return s.change(func(m *record.Manifest) error {
		m.Ended, m.Final = now, final
		return nil
	})
}
