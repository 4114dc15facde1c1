package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// logPath is where parts are added.
func logPath(manifest string) string { return manifest + ".log" }

// logged is a line of it.
type logged struct {
	Part
	// Again: it takes the place of what is listed under the file's name.
	Again bool `json:"again,omitempty"`
}

// AppendPart adds a part to the manifest at path without writing it anew: one
// line at the end of its log. It is durable as far as the page cache is; a
// line that a crash cut short does not count. One writer at a time.
func AppendPart(path string, p Part) error { return appendLine(path, logged{Part: p}, false) }

// PutPart is AppendPart for a part that may be listed already, and is listed so
// from now on, after a crash of the machine too.
func PutPart(path string, p Part) error { return appendLine(path, logged{Part: p, Again: true}, true) }

func appendLine(path string, line logged, durable bool) error {
	b, err := json.Marshal(line)
	if err != nil {
		return fmt.Errorf("add to manifest: %w", err)
	}
	f, err := os.OpenFile(logPath(path), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("add to manifest: %w", err)
	}
	// The line feed comes first: it ends a line that was cut short.
	_, err = f.Write(append([]byte{'\n'}, b...))
	if err == nil && durable {
		err = f.Sync()
	}
	if err == nil && durable {
		err = SyncDir(filepath.Dir(path)) // next to nothing unless it is a new file
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("add to manifest: %w", err)
	}
	return nil
}

// readLog reads the lines of a log that are whole.
func readLog(path string) ([]logged, error) {
	b, err := os.ReadFile(logPath(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the manifest's log: %w", err)
	}
	var all []logged
	for line := range bytes.SplitSeq(b, []byte{'\n'}) {
		var l logged
		if json.Unmarshal(line, &l) == nil && l.check() == nil {
			all = append(all, l)
		}
	}
	return all, nil
}

// addLog takes what the manifest does not list yet, or otherwise. Of a log that
// a crash left behind a Save all is in the manifest, and changes nothing.
func (m *Manifest) addLog(all []logged) {
	at := make(map[string]int, len(m.Parts))
	for i, p := range m.Parts {
		at[p.File] = i
	}
	for _, l := range all {
		i, listed := at[l.File]
		switch {
		case !listed:
			at[l.File] = len(m.Parts)
			m.Parts = append(m.Parts, l.Part)
		case l.Again:
			m.Parts[i] = l.Part
		}
	}
}
