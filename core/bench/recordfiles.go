package bench

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Records are what a server left on disk.
type Records struct {
	Bytes int64 `json:"bytes"`
	// Manifests of records; Incomplete are those that do not say that all is
	// there, Gaps the holes that they name, Lost the frames in these.
	Manifests  int    `json:"manifests"`
	Incomplete int    `json:"incomplete"`
	Gaps       int    `json:"gaps"`
	Lost       uint64 `json:"lost"`
}

// manifest is that of a record, as far as it is of use here.
type manifest struct {
	Plugin   string
	Session  string
	Complete bool
	Gaps     []struct{ From, To uint64 }
}

// readRecords looks at all that is below a folder.
func readRecords(dir string) (Records, error) {
	var r Records
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		r.Bytes += info.Size()
		if filepath.Ext(path) != ".json" || strings.HasPrefix(path, filepath.Join(dir, "state")) {
			return nil
		}
		return r.manifest(path)
	})
	if err != nil {
		return r, fmt.Errorf("read records: %w", err)
	}
	return r, nil
}

func (r *Records) manifest(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var m manifest
	if json.Unmarshal(b, &m) != nil || m.Plugin == "" || m.Session == "" {
		return nil // some other file
	}
	r.Manifests++
	if !m.Complete {
		r.Incomplete++
	}
	for _, g := range m.Gaps {
		r.Gaps++
		r.Lost += g.To - g.From
	}
	return nil
}
