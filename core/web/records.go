package web

import (
	"cmp"
	"encoding/json"
	"io/fs"
	"math"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/millrace/millrace/core/manifest"
)

const (
	// recordsAge is how long a list of records is used again: making one reads
	// a manifest for each.
	recordsAge = 2 * time.Second
	// maxRecords is how many sessions are listed, the newest.
	maxRecords = 500
)

// records keeps the newest list of records.
type records struct {
	mu   sync.Mutex
	dir  string
	made time.Time
	all  []*recordJSON // they do not change
	json []byte        // of all
}

// recordJSON is one recording session of a stream, as /records.json shows it:
// an array of these, the newest first.
type recordJSON struct {
	App      string           `json:"app"`
	Name     string           `json:"name"`
	Session  string           `json:"session"` // YYYYMMDD_HHMMSS
	Started  string           `json:"started"` // RFC 3339, in UTC
	Complete bool             `json:"complete"`
	Seconds  float64          `json:"seconds"`
	Gaps     int              `json:"gaps"`
	Files    []recordFileJSON `json:"files"`
}

// recordFileJSON is something that a page can play, or a person download.
type recordFileJSON struct {
	// Kind is flv, hls, mp4 (progressive) or fmp4 (a playlist of fragments).
	Kind  string `json:"kind"`
	URL   string `json:"url"`
	Bytes int64  `json:"bytes"`

	path string // of the URL, decoded
}

func (s *Server) serveRecords(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	settings := s.settings.Load()
	if !settings.List {
		fail(w, http.StatusNotFound, "the list of records is switched off (http.list)")
		return
	}
	all, body, err := s.records.list(settings.DataDir, &s.manifests)
	if err == nil && settings.Gate != nil && settings.Gate.Active() {
		body, err = encodeRecords(forClient(all, settings.Gate, r))
	}
	if err != nil {
		s.log.Error("list the records", "err", err)
		fail(w, http.StatusInternalServerError, "the records cannot be listed")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // a client that has gone needs no answer
}

// forClient is what the gate lets the client of r know of.
func forClient(all []*recordJSON, gate Gate, r *http.Request) []*recordJSON {
	var paths []string
	for _, one := range all {
		for _, f := range one.Files {
			paths = append(paths, f.path)
		}
	}
	may := gate.Lists(r, paths)
	mine := make([]*recordJSON, 0, len(all))
	for _, one := range all {
		copied := *one
		copied.Files = nil
		for i, f := range one.Files {
			if may[i] {
				copied.Files = append(copied.Files, f)
			}
		}
		if may = may[len(one.Files):]; len(copied.Files) > 0 {
			mine = append(mine, &copied)
		}
	}
	return mine
}

func encodeRecords(all []*recordJSON) ([]byte, error) {
	body, err := json.Marshal(all)
	return append(body, '\n'), err
}

// list is the list of dir, and as JSON. One request at a time makes it.
func (l *records) list(dir string, known *manifests) ([]*recordJSON, []byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dir == dir && time.Since(l.made) < recordsAge {
		return l.all, l.json, nil
	}
	all := []*recordJSON{} // never nil: none is [], not null
	if dir != "" {
		root, err := os.OpenRoot(dir)
		if err == nil {
			all = listRecords(root, known)
			root.Close()
		}
	}
	body, err := encodeRecords(all)
	if err != nil {
		return nil, nil, err
	}
	l.dir, l.made, l.all, l.json = dir, time.Now(), all, body
	return l.all, l.json, nil
}

// place is a record on disk: KIND/APP/NAME/SESSION, with .flv if it is a file.
type place struct{ kind, app, name, session, path string }

// listRecords lists the newest sessions below root.
func listRecords(root *os.Root, known *manifests) []*recordJSON {
	places := findRecords(root.FS())
	// By session's name, which is its time; all kinds of one beside each other.
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(-cmp.Compare(a.session, b.session), cmp.Compare(a.app, b.app),
			cmp.Compare(a.name, b.name), cmp.Compare(a.kind, b.kind))
	})
	all := []*recordJSON{}
	var last place
	for _, p := range places {
		if p.app != last.app || p.name != last.name || p.session != last.session {
			if len(all) == maxRecords {
				break
			}
			all = append(all, &recordJSON{App: strings.ReplaceAll(p.app, "~", "/"), Name: p.name, Session: p.session, Files: []recordFileJSON{}})
			last = p
		}
		all[len(all)-1].add(root, known, p)
	}
	return slices.DeleteFunc(all, func(r *recordJSON) bool { return len(r.Files) == 0 })
}

// findRecords walks three levels down; what cannot be read is left out.
func findRecords(files fs.FS) (found []place) {
	for _, kind := range dataFolders {
		for _, app := range folders(files, kind) {
			for _, name := range folders(files, path.Join(kind, app)) {
				dir := path.Join(kind, app, name)
				entries, _ := fs.ReadDir(files, dir)
				for _, e := range entries {
					session, isFLV := strings.CutSuffix(e.Name(), ".flv")
					if isSession(session) && (isFLV && e.Type().IsRegular() || !isFLV && e.IsDir()) {
						found = append(found, place{kind, app, name, session, path.Join(dir, e.Name())})
					}
				}
			}
		}
	}
	return found
}

func folders(files fs.FS, dir string) (names []string) {
	entries, _ := fs.ReadDir(files, dir)
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names
}

// playable are the files of a record that is a folder, by its kind.
var playable = map[string][]struct{ kind, file string }{
	"hls": {{"hls", "index.m3u8"}},
	"mp4": {{"mp4", "output_merge/stream_full.mp4"}, {"fmp4", "output_merge/index.m3u8"}},
}

// add puts what lies at p into the session.
func (r *recordJSON) add(root *os.Root, known *manifests, p place) {
	manifestPath := path.Join(p.path, manifest.Name)
	if p.kind == "flv" {
		manifestPath = p.path + ".json"
	}
	m := known.read(root, manifestPath)
	if m != nil {
		r.describe(m)
	}
	if p.kind != "flv" {
		for _, f := range playable[p.kind] {
			r.addFile(root, f.kind, path.Join(p.path, f.file))
		}
		return
	}
	r.addFile(root, "flv", p.path)
	if m == nil {
		return
	}
	for _, file := range m.later {
		r.addFile(root, "flv", path.Join(path.Dir(p.path), file))
	}
}

// describe takes over what a manifest says. Several recorders' agree, up to
// what each of them missed.
func (r *recordJSON) describe(m *summary) {
	if r.Started == "" {
		r.Started, r.Complete = sinceText(m.started), true
	}
	r.Complete = r.Complete && m.complete
	r.Gaps = max(r.Gaps, m.gaps)
	r.Seconds = max(r.Seconds, math.Round(m.seconds*10)/10)
}

func (r *recordJSON) addFile(root *os.Root, kind, name string) {
	info, err := root.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return
	}
	r.Files = append(r.Files, recordFileJSON{Kind: kind, URL: escapePath(name), Bytes: info.Size(), path: "/" + name})
}

// escapePath makes a URL's path of a file's name.
func escapePath(name string) string {
	return (&url.URL{Path: "/" + name}).EscapedPath()
}
