package conf

import (
	"path/filepath"
	"strconv"
	"strings"
)

// checkFolders keeps what is not to be served out of what is.
func (l *loader) checkFolders() {
	state := l.config.Server.StateDir
	served := map[string]string{dataDir: l.config.Server.DataDir, wwwDir: l.config.HTTP.WWWDir}
	for _, key := range []string{dataDir, wwwDir} {
		if served[key] == "" || l.bad[key] || l.bad[stateDir] || !inside(served[key], state) {
			continue
		}
		at := stateDir
		if !l.isSet(stateDir) {
			at = key
		}
		l.addAt(at, -1, strconv.Quote(l.bindings[at].field.text()), "folders of which "+stateDir+" does not lie in "+key)
		return
	}
}

// inside reports whether path is folder or lies in it, by their names.
func inside(folder, path string) bool {
	f, err := filepath.Abs(folder)
	if err != nil {
		return false
	}
	p, err := filepath.Abs(path)
	if err != nil {
		return false
	}
	rel, err := filepath.Rel(f, p)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}
