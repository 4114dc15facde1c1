package certificate

import (
	"path/filepath"
	"time"
)

// settle is how long files must have been left alone before they are read: a
// renewal writes the certificate and the key one after the other.
const settle = 300 * time.Millisecond

// watchFolders watches the folders of the files: who renews a file, or edits
// it, puts another in its place. Under s.mu.
func (s *Store) watchFolders() {
	want := make(map[string]bool)
	for _, p := range s.pairs {
		for _, file := range []string{p.Cert, p.Key} {
			want[filepath.Dir(file)] = true
			// What certbot changes is a link, or what it leads to.
			if real, err := filepath.EvalSymlinks(file); err == nil {
				want[filepath.Dir(real)] = true
			}
		}
	}
	for dir := range want {
		if s.dirs[dir] {
			continue
		}
		if err := s.watcher.Add(dir); err != nil {
			s.log.Warn("certificates here are read again at a reload only", "folder", dir, "reason", err.Error())
			delete(want, dir)
		}
	}
	for dir := range s.dirs {
		if !want[dir] {
			_ = s.watcher.Remove(dir) // the folder may have gone
		}
	}
	s.dirs = want
}

// watch reads the files again when something has changed in their folders.
func (s *Store) watch() {
	quiet := time.NewTimer(time.Hour)
	defer quiet.Stop()
	for {
		select {
		case _, ok := <-s.watcher.Events:
			if !ok {
				return
			}
			quiet.Reset(settle)
		case err, ok := <-s.watcher.Errors:
			if !ok {
				return
			}
			s.log.Warn("watch certificates", "reason", err.Error())
			quiet.Reset(settle) // events may be lost
		case <-quiet.C:
			s.refresh()
		}
	}
}

// refresh reads the files again, if they are others. Each pair that cannot be
// used keeps its old certificate.
func (s *Store) refresh() {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := *s.current.Load()
	next := append(old[:0:0], old...)
	changed := false
	for i, p := range s.pairs {
		c, err := Load(p)
		if err != nil {
			s.log.Error("a changed certificate cannot be used, the old one stays", "reason", err.Error())
			continue
		}
		if !c.Leaf.Equal(old[i].Leaf) || len(c.Certificate) != len(old[i].Certificate) {
			changed, next[i] = true, c
			s.log.Info("certificate changed", "cert", p.Cert, "not_after", c.Leaf.NotAfter.UTC().Format(time.RFC3339))
		}
	}
	if changed {
		s.current.Store(&next)
	}
	s.watchFolders() // links may lead elsewhere
}
