package fmp4

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/millrace/millrace/plugins/fmp4/box"
)

// maxBox bounds the boxes that are read into memory; a moof of a second is far
// smaller.
const maxBox = 4 << 20

// fragmentAt is a whole fragment in a file, without its samples' bytes.
type fragmentAt struct {
	note note
	runs []box.RunInfo
	// moof is where the moof begins; offsets of runs count from there. The
	// payload of the mdat is from to end.
	moof, from, end int64
}

// scanFragments calls f for the whole fragments of a segment, in order, and
// returns where the last one ends: what is behind it is a torn tail. Only
// errors of reading, and f's, are returned.
func scanFragments(r io.ReaderAt, size int64, f func(*fragmentAt) error) (int64, error) {
	var at, good int64
	var frag fragmentAt
	for {
		h, body, err := readBox(r, at, size)
		if errors.Is(err, box.ErrShort) || errors.Is(err, box.ErrBroken) {
			return good, nil
		}
		if err != nil {
			return good, err
		}
		switch h.Kind {
		case "uuid":
			frag.note, _ = parseNote(body)
		case "moof":
			frag.moof = at
			if frag.runs, err = box.ParseMoof(body); err != nil {
				return good, nil
			}
		case "mdat":
			frag.from, frag.end = at+h.Head, at+h.Size
			if !frag.whole() {
				return good, nil
			}
			if err := f(&frag); err != nil {
				return good, err
			}
			good, frag = frag.end, fragmentAt{}
		}
		at += h.Size
	}
}

// whole reports whether the runs fill the mdat.
func (f *fragmentAt) whole() bool {
	at := f.from
	for i := range f.runs {
		if f.moof+f.runs[i].Offset != at {
			return false
		}
		at += f.runs[i].Bytes()
	}
	return len(f.runs) > 0 && at == f.end && f.note.Number > 0
}

// readBox reads the header of the box at a place and, unless it is mdat, what
// is in it.
func readBox(r io.ReaderAt, at, size int64) (box.Header, []byte, error) {
	var head [16]byte
	n, err := r.ReadAt(head[:min(16, max(size-at, 0))], at)
	if err != nil && !errors.Is(err, io.EOF) {
		return box.Header{}, nil, fmt.Errorf("read box: %w", err)
	}
	h, err := box.ReadHeader(head[:n])
	if err != nil {
		return h, nil, err
	}
	if h.Size > size-at {
		return h, nil, box.ErrShort
	}
	if h.Kind == "mdat" {
		return h, nil, nil
	}
	if h.Size > maxBox {
		return h, nil, box.ErrBroken
	}
	body := make([]byte, h.Size-h.Head)
	// Some readers say EOF with what they read up to their end.
	if n, err := r.ReadAt(body, at+h.Head); n < len(body) {
		return h, nil, fmt.Errorf("read box: %w", err)
	}
	return h, body, nil
}

// scanFile scans a segment's file.
func scanFile(path string, f func(*fragmentAt) error) (int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("scan segment: %w", err)
	}
	info, err := file.Stat()
	var good int64
	if err == nil {
		good, err = scanFragments(file, info.Size(), f)
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return 0, fmt.Errorf("scan segment: %w", err)
	}
	return good, nil
}
