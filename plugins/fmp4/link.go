package fmp4

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// link leads the alias of the newest session here. While that has no MP4 of the
// whole, who asks the alias for one gets that of an earlier session: core/web
// sees to it, since a link in this folder would show it under this session's
// URL as well.
func (s *session) link() error {
	if s.Alias == "" {
		return nil
	}
	for _, folder := range []string{mergeDir, separateDir} {
		target := filepath.Join(s.Dir, folder)
		if _, err := os.Stat(target); err != nil {
			continue
		}
		if err := symlink(filepath.Join(s.Alias, folder), target); err != nil {
			return err
		}
	}
	return nil
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
