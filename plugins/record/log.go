package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/millrace/millrace/core/manifest"
)

// AppendPart adds a part to the manifest at path without writing it anew: one
// line at the end of its log. It is durable as far as the page cache is; a
// line that a crash cut short does not count. One writer at a time.
func AppendPart(path string, p Part) error { return appendLine(path, manifest.Logged{Part: p}, false) }

// PutPart is AppendPart for a part that may be listed already, and is listed so
// from now on, after a crash of the machine too.
func PutPart(path string, p Part) error {
	return appendLine(path, manifest.Logged{Part: p, Again: true}, true)
}

func appendLine(path string, line manifest.Logged, durable bool) error {
	b, err := json.Marshal(line)
	if err != nil {
		return fmt.Errorf("add to manifest: %w", err)
	}
	f, err := os.OpenFile(path+manifest.LogSuffix, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
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

// readLog reads what was added to the manifest at path.
func readLog(path string) ([]manifest.Logged, error) {
	b, err := os.ReadFile(path + manifest.LogSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the manifest's log: %w", err)
	}
	return manifest.ParseLog(b), nil
}
