package record

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"github.com/oklog/ulid/v2"
)

// IsNewest reports whether a publish session is none that began before the one
// whose record the link at path leads into. Records do not always come in the
// order of their sessions: a plugin that was down gets those that it missed
// when others are live. Sessions are ULIDs, which sort by time; one from the
// future says that the clock was set back, and does not count.
func IsNewest(path, session string, now time.Time) bool {
	to, err := os.Readlink(path)
	if err != nil {
		return true
	}
	if !filepath.IsAbs(to) {
		to = filepath.Join(filepath.Dir(path), to)
	}
	b, err := os.ReadFile(ManifestPath(filepath.Dir(to), true))
	if err != nil {
		return true
	}
	var linked struct{ Session string }
	if json.Unmarshal(b, &linked) != nil || linked.Session <= session {
		return true
	}
	id, err := ulid.ParseStrict(linked.Session)
	return err != nil || ulid.Time(id.Time()).After(now)
}

// LinkNewest is [Link] to a file or folder in the folder of a session's record,
// unless what the link leads to is of a session that began later.
func LinkNewest(path, target, session string, now time.Time) error {
	if !IsNewest(path, session, now) {
		return nil
	}
	return Link(path, target)
}
