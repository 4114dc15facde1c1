package fmp4

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"strconv"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/fmp4/box"
	"github.com/millrace/millrace/plugins/record"
)

// The folders of a session.
const (
	mergeDir    = "output_merge"
	separateDir = "output_separate"
	fullName    = "stream_full.mp4"
)

// set is one row of segments: all tracks, or one of them.
type set struct {
	folder string     // below the session's
	prefix string     // "", "video_", "audio_"
	kind   media.Kind // 0: all
	// checksum: sum is wanted.
	checksum bool

	// The open segment; f is nil if there is none.
	f    *os.File
	size int64
	sum  hash.Hash // nil: it is not wanted

	head []byte   // reused
	bufs [][]byte // reused
}

// setsOf are the rows that the options ask for.
func setsOf(o Options) []*set {
	var sets []*set
	if o.Merge {
		sets = append(sets, &set{folder: mergeDir})
	}
	if o.Separate {
		sets = append(sets, &set{folder: separateDir, prefix: "video_", kind: media.Video},
			&set{folder: separateDir, prefix: "audio_", kind: media.Audio})
	}
	for _, s := range sets {
		s.checksum = o.Checksum
	}
	return sets
}

// takes reports whether the row has that track.
func (s *set) takes(k media.Kind) bool { return s.kind == 0 || s.kind == k }

// tracks is the row's name in a manifest.
func (s *set) tracks() string {
	if s.kind == 0 {
		return ""
	}
	return s.kind.String()
}

// initFile and segmentFile are relative to the row's folder.
func (s *set) initFile(era int) string {
	if era == 1 {
		return s.prefix + "init.mp4"
	}
	return s.prefix + "init_" + strconv.Itoa(era) + ".mp4"
}

func (s *set) segmentFile(number int64) string {
	prefix := s.prefix
	if prefix == "" {
		prefix = "segment_"
	}
	return prefix + strconv.FormatInt(number, 10) + ".m4s"
}

// open begins a segment.
func (s *set) open(dir string, number int64) error {
	f, err := os.OpenFile(filepath.Join(dir, s.folder, s.segmentFile(number)), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return fmt.Errorf("begin segment: %w", err)
	}
	s.f, s.size, s.sum = f, 0, s.newSum()
	return nil
}

func (s *set) newSum() hash.Hash {
	if !s.checksum {
		return nil
	}
	return sha256.New()
}

// reopen goes on with a segment of size bytes.
func (s *set) reopen(dir string, number, size int64) (err error) {
	s.size, s.sum = size, s.newSum()
	s.f, err = record.Reopen(filepath.Join(dir, s.folder, s.segmentFile(number)), size, s.sum)
	return err
}

// write appends a fragment to the open segment, all of it or nothing.
func (s *set) write(frag *box.Fragment, n *note) error {
	s.head = s.head[:0]
	if s.size == 0 {
		s.head = box.AppendSegmentType(s.head)
	}
	s.head = frag.AppendHead(n.append(s.head))
	s.bufs = frag.Buffers(s.bufs[:0], s.head)
	size := int64(0)
	for _, b := range s.bufs {
		if s.sum != nil {
			s.sum.Write(b)
		}
		size += int64(len(b))
	}
	err := record.Writev(s.f, s.bufs)
	clear(s.bufs) // the frames belong to others
	if err != nil {
		// What is there has to stay whole fragments. The sum is spoiled: an
		// error ends the recorder, the next one sums anew.
		return errors.Join(err, s.f.Truncate(s.size))
	}
	s.size += size
	return nil
}

// sha is "" if it is not wanted.
func (s *set) sha() string {
	if s.sum == nil {
		return ""
	}
	return hex.EncodeToString(s.sum.Sum(nil))
}

func (s *set) close() error {
	if s.f == nil {
		return nil
	}
	err := s.f.Close()
	s.f, s.sum = nil, nil
	return err
}
