package fmp4

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/millrace/millrace/plugins/record"
)

// link leads the alias of the newest session here, unless one that began later
// has it: a session that the plugin missed may come after it. While the newest
// has no MP4 of the whole, who asks the alias for one gets that of an earlier
// session: core/web sees to it, since a link in this folder would show it under
// this session's URL as well.
func (s *session) link() error {
	if s.Alias == "" {
		return nil
	}
	for _, folder := range []string{mergeDir, separateDir} {
		target := filepath.Join(s.Dir, folder)
		if _, err := os.Stat(target); err != nil {
			continue
		}
		if err := symlink(filepath.Join(s.Alias, folder), target, s.Session); err != nil {
			return err
		}
	}
	return nil
}

// symlink makes a relative link, in place of one that may be there.
func symlink(at, target, session string) error {
	if info, err := os.Lstat(at); err == nil && info.Mode()&fs.ModeSymlink == 0 {
		return fmt.Errorf("link %s: %w: not a link", at, fs.ErrExist)
	}
	return record.LinkNewest(at, target, session, time.Now())
}
