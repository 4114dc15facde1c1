package web

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path"
	"regexp"
	"strings"
	"time"
)

const (
	// manifestName is that of the manifest in a record that is a folder; a
	// record X.flv has X.flv.json beside it.
	manifestName = "manifest.json"
	// maxManifest bounds what is read of one, in bytes: ten hours of 2 s
	// segments are 4 MiB.
	maxManifest = 64 << 20
)

// manifest is what the recorders' manifests tell us.
type manifest struct {
	App      string    `json:"app"`
	Name     string    `json:"name"`
	Started  time.Time `json:"started"`
	Ended    time.Time `json:"ended"`
	Complete bool      `json:"complete"`
	Parts    []struct {
		File    string `json:"file"`
		FromDTS int64  `json:"from_dts"` // ms
		ToDTS   int64  `json:"to_dts"`
		Size    int64  `json:"size"`
		Tracks  string `json:"tracks"`
	} `json:"parts"`
	Gaps  []json.RawMessage `json:"gaps"`
	Extra struct {
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

// readManifest reads one; ok is false if there is none that makes sense.
func readManifest(root *os.Root, name string) (m manifest, ok bool) {
	f, err := root.Open(name)
	if err != nil {
		return m, false
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxManifest))
	if err != nil || json.Unmarshal(b, &m) != nil {
		return m, false
	}
	return m, true
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
			return path.Join(path.Join(segments[:i+1]...), manifestName)
		}
	}
	return ""
}
