package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/millrace/millrace/core/manifest"
)

// Version is that of the manifests that this package writes.
const Version = 1

// Manifest says what a record consists of.
type Manifest struct {
	Version int    `json:"version"`
	Plugin  string `json:"plugin"` // flv mp4 hls
	App     string `json:"app"`
	Name    string `json:"name"`
	Session string `json:"session"` // the ULID of the publish session
	// Started is the wall clock of the first frame, Ended that of the end;
	// Ended is zero while the record grows, and after a crash until repaired.
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended,omitzero"`
	// Complete: ended, all parts are in their last form, nothing is missing
	// but what Gaps name.
	Complete bool `json:"complete"`
	// Final: it is known that the record should end where it does: the publish
	// session ended there, or somebody stopped the recording. After a crash
	// that nobody could make good it is not.
	Final bool   `json:"final"`
	Parts []Part `json:"parts"`
	Gaps  []Gap  `json:"gaps,omitempty"`
	// Extra is the recorder's own, by a name of its choice.
	Extra map[string]json.RawMessage `json:"extra,omitempty"`
}

// Part is one file of a record.
type Part = manifest.Part

// Gap is a hole: the frames From up to, not including, To were not written.
// From equals To where nothing is missing but time passed, as when a publisher
// was away.
type Gap struct {
	From   uint64    `json:"from"`
	To     uint64    `json:"to"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
	// Seconds is how long it was, as far as that is known.
	Seconds float64 `json:"seconds,omitempty"`
}

// ErrNoManifest is returned where a record has none.
var ErrNoManifest = errors.New("no manifest")

// ManifestPath is where the manifest of a record belongs, a folder or a file.
func ManifestPath(record string, folder bool) string {
	if folder {
		return filepath.Join(record, manifest.Name)
	}
	return record + ".json"
}

// Find returns the path of the manifest of what path names: a manifest, a
// record, or a later part of one in the same folder.
func Find(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if filepath.Ext(path) == ".json" && !info.IsDir() {
		return path, nil
	}
	m := ManifestPath(path, info.IsDir())
	if _, err := os.Stat(m); err == nil {
		return m, nil
	}
	if !info.IsDir() {
		return findListing(path)
	}
	return "", fmt.Errorf("%w in %s", ErrNoManifest, path)
}

// findListing looks for a manifest in the folder of file that lists it.
func findListing(file string) (string, error) {
	dir, name := filepath.Split(file)
	candidates, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return "", fmt.Errorf("look for a manifest: %w", err)
	}
	for _, c := range candidates {
		m, err := Load(c)
		if err == nil && m.Part(name) != nil {
			return c, nil
		}
	}
	return "", fmt.Errorf("%w of %s", ErrNoManifest, file)
}

// Load reads a manifest with the parts that were added to it since.
func Load(path string) (Manifest, error) {
	added, err := readLog(path) // first: a Save meanwhile has it in the manifest
	if err != nil {
		return Manifest{}, err
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Manifest{}, fmt.Errorf("%w: %w", ErrNoManifest, err)
	}
	if err != nil {
		return Manifest{}, fmt.Errorf("read manifest: %w", err)
	}
	m, err := parse(b)
	if err != nil {
		return Manifest{}, fmt.Errorf("read manifest %s: %w", path, err)
	}
	m.Parts = manifest.Add(m.Parts, added)
	return m, nil
}

func parse(b []byte) (Manifest, error) {
	var m Manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return Manifest{}, err
	}
	if m.Version != Version {
		return Manifest{}, fmt.Errorf("version %d is not known", m.Version)
	}
	for _, p := range m.Parts {
		if err := p.Check(); err != nil {
			return Manifest{}, err
		}
	}
	return m, nil
}

// Save writes the manifest so that either it or the one before is there after
// a crash, and folds what [AppendPart] and [PutPart] added into it: m must have
// it.
func (m *Manifest) Save(path string) error {
	m.Version = Version
	b, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	if err := WriteFile(path, append(b, '\n')); err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	if err := os.Remove(path + manifest.LogSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write manifest: %w", err)
	}
	return nil
}

// Part returns the part of a file name, nil if there is none.
func (m *Manifest) Part(file string) *Part {
	for i := len(m.Parts) - 1; i >= 0; i-- { // it is mostly the last
		if m.Parts[i].File == file {
			return &m.Parts[i]
		}
	}
	return nil
}

// NextSeq is where a broken record goes on: the number after the last frame
// listed, 0 if there is none.
func (m *Manifest) NextSeq() uint64 {
	var next uint64
	for _, p := range m.Parts {
		next = max(next, p.ToSeq)
	}
	return next
}

// Size is that of all parts together, in bytes.
func (m *Manifest) Size() int64 {
	var n int64
	for _, p := range m.Parts {
		n += p.Size
	}
	return n
}
