package fmp4

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/millrace/millrace/plugins/record"
)

// link leads the alias of the newest session here.
func (s *session) link() error {
	if s.Alias == "" {
		return nil
	}
	for _, folder := range []string{mergeDir, separateDir} {
		target := filepath.Join(s.Dir, folder)
		if _, err := os.Stat(target); err != nil {
			continue
		}
		alias := filepath.Join(s.Alias, folder)
		if folder == mergeDir && s.opt.Full {
			if err := lendFull(alias, target); err != nil {
				return err
			}
		}
		if err := symlink(alias, target); err != nil {
			return err
		}
	}
	return nil
}

// lendFull shows the newest finished MP4, that of the session before, as long
// as this one has none: who asks the alias gets it.
func lendFull(alias, target string) error {
	before, err := filepath.EvalSymlinks(filepath.Join(alias, fullName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find the newest finished recording: %w", err)
	}
	at := filepath.Join(target, fullName)
	if before == at {
		return nil
	}
	return symlink(at, before)
}

// symlink makes a relative link, in place of one that may be there.
func symlink(at, target string) error {
	to, err := filepath.Rel(filepath.Dir(at), target)
	if err != nil {
		return fmt.Errorf("link %s: %w", at, err)
	}
	if info, err := os.Lstat(at); err == nil && info.Mode()&fs.ModeSymlink == 0 {
		return fmt.Errorf("link %s: %w: not a link", at, fs.ErrExist)
	}
	temp := filepath.Join(filepath.Dir(at), "."+filepath.Base(at)+".link")
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("link %s: %w", at, err)
	}
	if err := os.Symlink(to, temp); err != nil {
		return fmt.Errorf("link %s: %w", at, err)
	}
	if err := os.Rename(temp, at); err != nil {
		return fmt.Errorf("link %s: %w", at, err)
	}
	return nil
}

// lend shows a finished MP4 in the newest session of its stream, as long as
// that has none and shows none that is newer.
func lend(p place) error {
	if p.Alias == "" {
		return nil
	}
	newest, err := filepath.EvalSymlinks(filepath.Join(p.Alias, mergeDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find the newest session: %w", err)
	}
	at := filepath.Join(newest, fullName)
	info, err := os.Lstat(at)
	if err == nil && info.Mode()&fs.ModeSymlink == 0 {
		return nil
	}
	if shown, err := filepath.EvalSymlinks(at); err == nil {
		m, err := record.Load(record.ManifestPath(filepath.Dir(filepath.Dir(shown)), true))
		if err == nil && !m.Started.Before(p.Started) {
			return nil
		}
	}
	return symlink(at, filepath.Join(p.Dir, mergeDir, fullName))
}
