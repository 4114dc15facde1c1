package record

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace/core/manifest"
)

// Keeper removes old records: of those that have ended the oldest first, never
// one that grows. It is for one goroutine.
type Keeper struct {
	// Root is the folder below which the records of Plugin are.
	Root, Plugin string
	// Age is how long a record stays after its end, Bytes how many all of
	// them may have, Free how many have to be free on the file system; 0: no
	// such rule.
	Age         time.Duration
	Bytes, Free int64
	// Ask is [Free] unless a test has it otherwise.
	Ask func(path string) (int64, error)
	// Removing, if not nil, is told of the manifest of each record that is
	// about to go.
	Removing func(manifest string)

	known map[string]kept // by the manifest's path
}

// kept is what is remembered of a manifest, so that it is read once.
type kept struct {
	changed time.Time
	path    string
	ours    bool
	ended   time.Time
	size    int64
	files   []string
}

// Run removes what the rules say and returns the manifests of what it removed.
func (k *Keeper) Run(now time.Time) ([]string, error) {
	if k.Age <= 0 && k.Bytes <= 0 && k.Free <= 0 {
		return nil, nil
	}
	records, total, err := k.list()
	if err != nil {
		return nil, err
	}
	missing, err := k.missing()
	if err != nil {
		return nil, err
	}
	var removed []string
	for _, r := range records {
		old := k.Age > 0 && now.Sub(r.ended) > k.Age
		if r.ended.IsZero() || !old && !(k.Bytes > 0 && total > k.Bytes) && missing <= 0 {
			continue
		}
		if k.Removing != nil {
			k.Removing(r.path)
		}
		if err := r.remove(); err != nil {
			return removed, fmt.Errorf("remove record: %w", err)
		}
		delete(k.known, r.path)
		total -= r.size
		missing -= r.size
		removed = append(removed, r.path)
	}
	return removed, nil
}

// missing is how many bytes have to go so that enough is free.
func (k *Keeper) missing() (int64, error) {
	if k.Free <= 0 {
		return 0, nil
	}
	ask := k.Ask
	if ask == nil {
		ask = Free
	}
	free, err := ask(k.Root)
	return k.Free - free, err
}

// list returns our records, the oldest end first, and their size in all.
func (k *Keeper) list() ([]kept, int64, error) {
	known := map[string]kept{}
	var total int64
	err := filepath.WalkDir(k.Root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return ignoreMissing(err)
		}
		if d.IsDir() || filepath.Ext(path) != ".json" || strings.HasPrefix(d.Name(), ".") {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return ignoreMissing(err)
		}
		r := k.look(path, info.ModTime())
		known[path] = r
		if r.ours {
			total += r.size
		}
		return nil
	})
	if err != nil {
		return nil, 0, fmt.Errorf("look for records: %w", err)
	}
	k.known = known
	var records []kept
	for _, r := range known {
		if r.ours {
			records = append(records, r)
		}
	}
	slices.SortFunc(records, func(a, b kept) int {
		return cmp.Or(a.ended.Compare(b.ended), cmp.Compare(a.path, b.path))
	})
	return records, total, nil
}

// ignoreMissing forgives what went while it was looked at.
func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// look reads a manifest unless it is as it was at the last look.
func (k *Keeper) look(path string, changed time.Time) kept {
	if r, ok := k.known[path]; ok && r.changed.Equal(changed) {
		return r
	}
	r := kept{path: path, changed: changed}
	m, err := Load(path)
	if err != nil || m.Plugin != k.Plugin {
		return r
	}
	r.ours, r.ended, r.size = true, m.Ended, m.Size()
	if filepath.Base(path) != manifest.Name {
		for _, p := range m.Parts {
			r.files = append(r.files, p.File)
		}
	}
	return r
}

// remove takes the manifest last: a removal that a crash cut short is taken up
// by the next.
func (r kept) remove() error {
	dir := filepath.Dir(r.path)
	if filepath.Base(r.path) == manifest.Name {
		return removeFolder(dir)
	}
	for _, f := range r.files {
		if err := ignoreMissing(os.Remove(filepath.Join(dir, filepath.FromSlash(f)))); err != nil {
			return err
		}
	}
	return errors.Join(ignoreMissing(os.Remove(r.path+manifest.LogSuffix)), os.Remove(r.path))
}

func removeFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == manifest.Name {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return os.RemoveAll(dir)
}
