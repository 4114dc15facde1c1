// Package manifest is what the server knows of the manifests that recorders
// write: where they stand, their parts, and the log that adds to those while a
// record grows, one JSON object a line. Package plugins/record has the rest.
package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"
)

const (
	// Name is that of the manifest in a record that is a folder; a record X.flv
	// has X.flv.json beside it.
	Name = "manifest.json"
	// LogSuffix is that of a manifest's log, behind its whole name.
	LogSuffix = ".log"
)

// Part is one file of a record.
type Part struct {
	// File is relative to the manifest's folder, with slashes.
	File   string `json:"file"`
	Number int64  `json:"number"`
	// FromSeq is the first frame's number, ToSeq that after the last; 0 both
	// if the part holds no frames of its own (an index, a merged copy).
	FromSeq uint64 `json:"from_seq,omitempty"`
	ToSeq   uint64 `json:"to_seq,omitempty"`
	// FromDTS and ToDTS bound the part on the stream's timeline, in ms; ToDTS
	// is where the next part would begin.
	FromDTS int64 `json:"from_dts"`
	ToDTS   int64 `json:"to_dts"`
	// Size is in bytes; SHA256, in hexadecimal, is "" until it is known.
	Size    int64     `json:"size"`
	SHA256  string    `json:"sha256,omitempty"`
	Started time.Time `json:"started,omitzero"`
	// Keyframe: a decoder can start at this part.
	Keyframe bool `json:"keyframe"`
	// Tracks names what a part of a set holds, such as "video"; "" is all.
	// Parts of different Tracks run beside each other.
	Tracks string `json:"tracks,omitempty"`
	// Own is what the recorder notes of the part for itself and its like.
	Own json.RawMessage `json:"own,omitempty"`
}

// Check refuses what would lead out of the record's folder.
func (p Part) Check() error {
	if !filepath.IsLocal(filepath.FromSlash(p.File)) {
		return fmt.Errorf("part %q is not in the record's folder", p.File)
	}
	return nil
}

// Logged is a line of the log.
type Logged struct {
	Part
	// Again: it takes the place of what is listed under the file's name.
	Again bool `json:"again,omitempty"`
}

// ParseLog returns the lines of a log that are whole and pass Check. It knows
// no error: a line that a crash cut short does not count.
func ParseLog(b []byte) []Logged {
	var all []Logged
	for line := range bytes.SplitSeq(b, []byte{'\n'}) {
		var l Logged
		if json.Unmarshal(line, &l) == nil && l.Check() == nil {
			all = append(all, l)
		}
	}
	return all
}

// Add returns a manifest's parts with what its log lists beside them, or in
// place of them. Of a log that a crash left behind all is in the manifest, and
// changes nothing.
func Add(parts []Part, log []Logged) []Part {
	at := make(map[string]int, len(parts))
	for i, p := range parts {
		at[p.File] = i
	}
	for _, l := range log {
		i, listed := at[l.File]
		switch {
		case !listed:
			at[l.File] = len(parts)
			parts = append(parts, l.Part)
		case l.Again:
			parts[i] = l.Part
		}
	}
	return parts
}
