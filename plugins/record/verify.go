package record

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Report is what [Verify] found.
type Report struct {
	Manifest   string // its path
	Record     Manifest
	From, To   uint64 // the first frame, and the number after the last
	FromDTS    int64  // ms
	ToDTS      int64
	Size       int64 // bytes of what is there
	Problems   []string
	Unverified int // parts whose SHA-256 the manifest does not have
}

// Complete: nothing is missing.
func (r *Report) Complete() bool { return r.Whole() && r.Record.Final }

// Whole: nothing is missing up to To. There may be more of the session, of
// which nobody knows.
func (r *Report) Whole() bool {
	return len(r.Problems) == 0 && r.Record.Complete && !r.holes()
}

func (r *Report) holes() bool {
	return slices.ContainsFunc(r.Record.Gaps, func(g Gap) bool { return g.From < g.To })
}

// String is the report for people: "complete from A to B", "whole" if only the
// end is not known, or a line for each thing that is missing.
func (r *Report) String() string {
	m := &r.Record
	var b strings.Builder
	span := fmt.Sprintf("%s, %v, %d parts, %d bytes", r.frames(),
		time.Duration(r.ToDTS-r.FromDTS)*time.Millisecond, len(m.Parts), r.Size)
	if !m.Final && !m.Ended.IsZero() {
		span += "; the session's end is not recorded"
	}
	state := "not complete"
	switch {
	case r.Complete():
		state = "complete"
	case r.Whole():
		state = "whole"
	}
	fmt.Fprintf(&b, "%s/%s %s: %s %s\n", m.App, m.Name, m.Session, state, span)
	if m.Ended.IsZero() {
		b.WriteString("still growing, or its writer crashed and was not started since\n")
	}
	for _, g := range m.Gaps {
		if g.From < g.To {
			fmt.Fprintf(&b, "missing: frames %d to %d (%.3f s) at %s: %s\n", g.From, g.To-1, g.Seconds, g.At.Format(time.RFC3339), g.Reason)
		} else {
			fmt.Fprintf(&b, "note: %.3f s before frame %d at %s: %s\n", g.Seconds, g.From, g.At.Format(time.RFC3339), g.Reason)
		}
	}
	for _, p := range r.Problems {
		fmt.Fprintf(&b, "wrong: %s\n", p)
	}
	if r.Unverified > 0 {
		fmt.Fprintf(&b, "note: %d parts have no SHA-256 yet\n", r.Unverified)
	}
	return b.String()
}

// frames says which there are, as far as that is known: the recorder lists a
// part when it is closed, or when it is started again after a crash.
func (r *Report) frames() string {
	switch {
	case r.To > 0:
		return fmt.Sprintf("from frame %d to %d", r.From, r.To-1)
	case len(r.Record.Parts) == 0:
		return "and empty"
	}
	return "and not counted by frames, which its recorder does when it starts"
}

// Verify reads a record (its folder, a file of it, or its manifest) and
// compares it with its manifest: sizes, SHA-256, and that the parts follow
// each other without a hole but those that the manifest names. An error is
// returned if there is nothing to compare, [ErrNoManifest] among them.
func Verify(path string) (Report, error) {
	at, err := Find(path)
	if err != nil {
		return Report{}, err
	}
	m, err := Load(at)
	if err != nil {
		return Report{}, err
	}
	r := Report{Manifest: at, Record: m}
	for _, p := range m.Parts {
		r.file(filepath.Join(filepath.Dir(at), filepath.FromSlash(p.File)), p)
	}
	r.order()
	return r, nil
}

func (r *Report) wrong(format string, args ...any) {
	r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
}

// file compares one part with its file.
func (r *Report) file(path string, p Part) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		r.wrong("%s is gone", p.File)
		return
	}
	if err != nil {
		r.wrong("%s: %v", p.File, err)
		return
	}
	r.Size += info.Size()
	if !r.Record.Ended.IsZero() && info.Size() != p.Size {
		r.wrong("%s has %d bytes instead of %d", p.File, info.Size(), p.Size)
		return
	}
	if p.SHA256 == "" {
		r.Unverified++
		return
	}
	switch sum, err := SHA256(path); {
	case err != nil:
		r.wrong("%s: %v", p.File, err)
	case sum != p.SHA256:
		r.wrong("%s has other content than was recorded (SHA-256)", p.File)
	}
}

// order looks for holes between the parts of each set of tracks.
func (r *Report) order() {
	sets := map[string][]Part{}
	for _, p := range r.Record.Parts {
		if p.ToSeq > 0 {
			sets[p.Tracks] = append(sets[p.Tracks], p)
		}
	}
	if n := len(r.Record.Parts); n > 0 {
		r.FromDTS, r.ToDTS = r.Record.Parts[0].FromDTS, max(r.Record.Parts[0].FromDTS, r.Record.Parts[n-1].ToDTS)
	}
	first := true
	for _, parts := range sets {
		slices.SortFunc(parts, func(a, b Part) int { return cmp.Compare(a.Number, b.Number) })
		for i, p := range parts[1:] {
			r.between(parts[i], p)
		}
		head, tail := parts[0], parts[len(parts)-1]
		if first || head.FromSeq < r.From {
			r.From, r.FromDTS = head.FromSeq, head.FromDTS
		}
		if first || tail.ToSeq > r.To {
			r.To, r.ToDTS = tail.ToSeq, tail.ToDTS
		}
		first = false
	}
	slices.Sort(r.Problems)
}

func (r *Report) between(a, b Part) {
	switch {
	case b.FromSeq < a.ToSeq:
		r.wrong("%s repeats frames %d to %d of %s", b.File, b.FromSeq, a.ToSeq-1, a.File)
	case !r.explained(a.ToSeq, b.FromSeq):
		r.wrong("frames %d to %d are missing between %s and %s", a.ToSeq, b.FromSeq-1, a.File, b.File)
	}
}

// explained reports whether the manifest's gaps cover the frames from a to b.
func (r *Report) explained(a, b uint64) bool {
	for _, g := range r.Record.Gaps { // in order
		if g.From <= a && a < g.To {
			a = g.To
		}
	}
	return a >= b
}

// SHA256 is the sum of a file's content, in hexadecimal.
func SHA256(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	_, err = io.Copy(h, f)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", fmt.Errorf("sum %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
