package record

import (
	"bytes"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
)

// Reopen opens a file that grows, to go on behind its first size bytes: what
// there is more is cut off. sum, unless it is nil, takes what stays.
func Reopen(path string, size int64, sum hash.Hash) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("go on with file: %w", err)
	}
	err = f.Truncate(size)
	switch {
	case err != nil:
	case sum != nil:
		_, err = io.Copy(sum, f)
	default:
		_, err = f.Seek(size, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("go on with file: %w", err), f.Close())
	}
	return f, nil
}

// page is the unit in which a file system shows what is appended: a reader
// sees all of a write within one page, or nothing.
const page = 4096

// AppendLines appends an entry to a playlist without writing it anew, which
// would cost more than the media after some hours. A comment fills the page if
// the entry does not fit into it, so that no reader sees half of an entry.
func AppendLines(path string, entry []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return fmt.Errorf("add to playlist: %w", err)
	}
	info, err := f.Stat()
	if err == nil {
		if room := page - int(info.Size()%page); room < len(entry) {
			_, err = f.Write(append(bytes.Repeat([]byte("#"), room-1), '\n'))
		}
	}
	if err == nil {
		_, err = f.Write(entry)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("add to playlist: %w", err)
	}
	return nil
}
