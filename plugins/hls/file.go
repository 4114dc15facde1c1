package hls

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"golang.org/x/sys/unix"
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
	f, err := os.OpenFile(path, os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the last segment: %w", err)
	}
	s := &file{f: f, size: size, sum: newSum(checksum)}
	err = f.Truncate(size)
	switch {
	case err != nil:
	case s.sum != nil:
		_, err = io.Copy(s.sum, f)
	default:
		_, err = f.Seek(size, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cut the last segment: %w", err), f.Close())
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
		if err := s.writev(pieces); err != nil {
			return fmt.Errorf("write a segment: %w", err)
		}
	}
	s.size += n
	return nil
}

// maxVector is IOV_MAX of Linux.
const maxVector = 1024

func (s *file) writev(pieces [][]byte) error {
	left := append(s.left[:0], pieces...)
	s.left = left
	defer clear(s.left)
	for len(left) > 0 {
		n, err := unix.Writev(int(s.f.Fd()), left[:min(len(left), maxVector)])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		for len(left) > 0 && n >= len(left[0]) {
			n -= len(left[0])
			left = left[1:]
		}
		if n > 0 {
			left[0] = left[0][n:]
		}
	}
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
