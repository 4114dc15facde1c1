package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// logPath is where parts are added.
func logPath(manifest string) string { return manifest + ".log" }

// AppendPart adds a part to the manifest at path without writing it anew: one
// line at the end of its log. It is durable as far as the page cache is; a
// line that a crash cut short does not count. One writer at a time.
func AppendPart(path string, p Part) error {
	b, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("add to manifest: %w", err)
	}
	f, err := os.OpenFile(logPath(path), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("add to manifest: %w", err)
	}
	// The line feed comes first: it ends a line that was cut short.
	_, err = f.Write(append([]byte{'\n'}, b...))
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("add to manifest: %w", err)
	}
	return nil
}

// loadLog takes the parts of the log that the manifest does not list.
func (m *Manifest) loadLog(path string) error {
	b, err := os.ReadFile(logPath(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the manifest's log: %w", err)
	}
	listed := make(map[string]bool, len(m.Parts))
	for _, p := range m.Parts {
		listed[p.File] = true
	}
	for line := range bytes.SplitSeq(b, []byte{'\n'}) {
		var p Part
		if json.Unmarshal(line, &p) != nil || p.check() != nil || listed[p.File] {
			continue
		}
		listed[p.File] = true
		m.Parts = append(m.Parts, p)
	}
	return nil
}
