package fmp4

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/millrace/millrace/plugins/record"
	"github.com/millrace/millrace/plugins/sdk"
)

// place is where a session's files are. It is kept in the state folder until
// the session is done, so that a next process finds what is left to do.
type place struct {
	App     string    `json:"app"`
	Name    string    `json:"name"`
	Session string    `json:"session"`
	Started time.Time `json:"started"`
	Dir     string    `json:"dir"` // absolute
	Rel     string    `json:"rel"`
	URL     string    `json:"url"`
	Alias   string    `json:"alias"`

	Labels map[string]string `json:"labels,omitempty"`
}

func newPlace(a sdk.Attach, p sdk.RecordPlace, started time.Time) place {
	return place{
		App: a.App, Name: a.Name, Session: a.Session, Started: started,
		Dir: filepath.Join(p.Dir, p.Name), Rel: p.Rel, URL: p.URL, Alias: p.Alias, Labels: p.Labels,
	}
}

func (p place) manifest() string { return record.ManifestPath(p.Dir, true) }

// file is the place's own file below the folder of unfinished sessions.
func (p place) file(todo string) string {
	return filepath.Join(todo, p.Session+"_"+filepath.Base(p.Dir)+".json")
}

// save notes the session as unfinished.
func (p place) save(todo string) error {
	b, err := json.Marshal(p)
	if err == nil {
		err = os.MkdirAll(todo, 0o700)
	}
	if err == nil {
		err = record.WriteFile(p.file(todo), b)
	}
	if err != nil {
		return fmt.Errorf("note unfinished session: %w", err)
	}
	return nil
}

// forget notes that there is nothing left to do.
func (p place) forget(todo string) error {
	if err := os.Remove(p.file(todo)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("note finished session: %w", err)
	}
	return nil
}

// lockPath is the lock that the session's one writer holds. It is in the
// session's folder, so that [Repair] sees it, which knows of no state folder.
func (p place) lockPath() string { return filepath.Join(p.Dir, ".lock") }

// unfinished lists what save noted; what cannot be read is left out.
func unfinished(todo string) ([]place, error) {
	paths, err := filepath.Glob(filepath.Join(todo, "*.json"))
	if err != nil {
		return nil, fmt.Errorf("list unfinished sessions: %w", err)
	}
	var places []place
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		var p place
		if json.Unmarshal(b, &p) == nil && p.file(todo) == path {
			places = append(places, p)
		}
	}
	return places, nil
}
