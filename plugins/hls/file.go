package hls

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"os"

	"github.com/millrace/millrace/plugins/record"
)

// file is the segment that grows: on disk, or only its size and sum.
type file struct {
	f    *os.File // nil without disk
	size int64
	sum  hash.Hash // nil: it is not wanted
	left [][]byte  // scratch
}

// newSum returns nil if no sum is wanted.
func newSum(wanted bool) hash.Hash {
	if !wanted {
		return nil
	}
	return sha256.New()
}

// createFile begins a segment; path is "" without disk.
func createFile(path string, checksum bool) (*file, error) {
	s := &file{sum: newSum(checksum)}
	if path == "" {
		return s, nil
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return nil, fmt.Errorf("create a segment: %w", err)
	}
	s.f = f
	return s, nil
}

// reopenFile goes on with a segment behind its first size bytes.
func reopenFile(path string, size int64, checksum bool) (*file, error) {
	s := &file{size: size, sum: newSum(checksum)}
	var err error
	s.f, err = record.Reopen(path, size, s.sum)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// write appends pieces, in one call of the system where it takes them all.
func (s *file) write(pieces [][]byte) error {
	n := int64(0)
	for _, p := range pieces {
		if s.sum != nil {
			s.sum.Write(p)
		}
		n += int64(len(p))
	}
	if s.f != nil {
		s.left = append(s.left[:0], pieces...)
		err := record.Writev(s.f, s.left)
		clear(s.left)
		if err != nil {
			return fmt.Errorf("write a segment: %w", err)
		}
	}
	s.size += n
	return nil
}

func (s *file) sync() error {
	if s.f == nil {
		return nil
	}
	return s.f.Sync()
}

// close returns the sum of all that was written, "" if it is not wanted.
func (s *file) close() (sum string, err error) {
	if s.f != nil {
		err = s.f.Close()
	}
	if s.sum == nil {
		return "", err
	}
	return hex.EncodeToString(s.sum.Sum(nil)), err
}
