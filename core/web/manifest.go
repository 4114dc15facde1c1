package web

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/millrace/millrace/core/manifest"
)

// maxManifest bounds what is read of one, in bytes: ten hours of 2 s segments are
// 4 MiB.
const maxManifest = 64 << 20

// listing is what the recorders' manifests tell us.
type listing struct {
	Started  time.Time         `json:"started"`
	Complete bool              `json:"complete"`
	Parts    []manifest.Part   `json:"parts"`
	Gaps     []json.RawMessage `json:"gaps"`
	Extra    struct {
		FLV struct {
			Heads []liveHead `json:"heads"`
		} `json:"flv"`
	} `json:"extra"`
}

// liveHead is how an FLV file began while it grew: Head, Zeros zero bytes,
// Tail, of Size bytes in all.
type liveHead struct {
	File  string `json:"file"`
	Size  int64  `json:"size"`
	Head  []byte `json:"head"`
	Zeros int    `json:"zeros"`
	Tail  []byte `json:"tail"`
}

// bytes are the head; nil if the manifest contradicts itself.
func (h liveHead) bytes() []byte {
	if h.Zeros < 0 || h.Zeros > 1<<24 || int64(len(h.Head)+h.Zeros+len(h.Tail)) != h.Size {
		return nil
	}
	return bytes.Join([][]byte{h.Head, make([]byte, h.Zeros), h.Tail}, nil)
}

// summary is what is kept of a manifest: that of a long session has megabytes.
type summary struct {
	started  time.Time
	complete bool
	seconds  float64
	gaps     int
	later    []string // the later files of an FLV record
	heads    []liveHead
}

func (m *listing) summary() *summary {
	s := &summary{started: m.Started, complete: m.Complete, gaps: len(m.Gaps), heads: m.Extra.FLV.Heads}
	for _, p := range m.Parts {
		var h liveHead // that a finished FLV file had before
		if json.Unmarshal(p.Own, &h) == nil && h.Size > 0 {
			h.File = p.File
			s.heads = append(s.heads, h)
		}
		s.seconds = max(s.seconds, float64(p.ToDTS-m.Parts[0].FromDTS)/1000)
		if path.Base(p.File) == p.File && laterPart.MatchString(p.File) {
			s.later = append(s.later, p.File)
		}
	}
	return s
}

// manifests keeps what was read. Any goroutine.
type manifests struct {
	mu    sync.Mutex
	known map[string]knownManifest
}

// knownManifest is a summary and the file that it was made from.
type knownManifest struct {
	info, log fs.FileInfo // log is nil if there is none
	summary   *summary
}

// same tells a file from one that was written to, or replaced.
func same(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// maxManifests is how many are kept; which go for others is left to chance.
const maxManifests = 2048

// read returns what the manifest at name says, nil if there is none that makes
// sense. A manifest is replaced as a whole, and its log grows, so they are read
// when they have changed.
func (m *manifests) read(root *os.Root, name string) *summary {
	info, err := root.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	log := statLog(root, name)
	m.mu.Lock()
	last, ok := m.known[name]
	m.mu.Unlock()
	if ok && same(last.info, info) && same(last.log, log) {
		return last.summary
	}
	s := readManifest(root, name)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil {
		m.known = make(map[string]knownManifest)
	}
	for other := range m.known {
		if len(m.known) < maxManifests {
			break
		}
		delete(m.known, other)
	}
	m.known[name] = knownManifest{info, log, s}
	return s
}

func readManifest(root *os.Root, name string) *summary {
	var added []manifest.Logged
	if statLog(root, name) != nil {
		added = readLog(root, name+manifest.LogSuffix) // first: what moves into the manifest meanwhile is in both
	}
	f, err := root.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	var m listing
	if err := json.NewDecoder(io.LimitReader(f, maxManifest)).Decode(&m); err != nil {
		return nil
	}
	m.Parts = manifest.Add(m.Parts, added)
	return m.summary()
}

// statLog looks for the log of an FLV record's manifest: what is in those of
// segments is of no use here, and they grow with each.
func statLog(root *os.Root, name string) fs.FileInfo {
	if !strings.HasSuffix(name, ".flv.json") {
		return nil
	}
	log, err := root.Stat(name + manifest.LogSuffix)
	if err != nil || !log.Mode().IsRegular() {
		return nil
	}
	return log
}

func readLog(root *os.Root, name string) []manifest.Logged {
	f, err := root.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxManifest))
	if err != nil {
		return nil
	}
	return manifest.ParseLog(b)
}

// isSession tells names of sessions: YYYYMMDD_HHMMSS, with _2, _3 when that
// was taken.
var isSession = regexp.MustCompile(`^\d{8}_\d{6}(_\d+)?$`).MatchString

// laterPart is the name of a later file of an FLV record.
var laterPart = regexp.MustCompile(`^(.+)_p\d+\.flv$`)

// manifestOf is where the manifest of the record that name belongs to would
// be; "" if the path names no session, as the alias of the newest does not.
func manifestOf(name string) string {
	dir, base := path.Split(name)
	if strings.HasSuffix(base, ".flv") {
		if m := laterPart.FindStringSubmatch(base); m != nil {
			base = m[1] + ".flv"
		}
		return dir + base + ".json"
	}
	segments := strings.Split(name, "/")
	for i, s := range segments[:len(segments)-1] {
		if i > 1 && isSession(s) {
			return path.Join(path.Join(segments[:i+1]...), manifest.Name)
		}
	}
	return ""
}
