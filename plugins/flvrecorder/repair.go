package flvrecorder

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/flv"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/record"
)

// ErrNotFLV is returned for a file that does not begin like FLV.
var ErrNotFLV = errors.New("not an FLV file")

// survey is what a scan of a whole file found.
type survey struct {
	size     int64 // of the file
	end      int64 // of the last whole tag
	first    tag   // the first tag
	meta     []byte
	extent   extent
	tags     int
	keys     []key
	keyTimes map[int64]int64 // by position; only for Verify
}

// examine scans an FLV file. The seek table that it gathers is bounded by
// limit.
func examine(f *os.File, limit int) (*survey, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var head [flv.FileHeaderSize]byte
	if _, err := f.ReadAt(head[:], 0); err != nil || string(head[:3]) != "FLV" {
		return nil, ErrNotFLV
	}
	s := &survey{size: info.Size(), keyTimes: map[int64]int64{}}
	t := thinner{limit: limit, stride: 1}
	s.end, err = scan(f, flv.FileHeaderSize, func(g *tag) bool {
		if s.tags == 0 {
			s.first = *g
		}
		s.tags++
		if g.isMedia() {
			s.extent.add(g.kind, g.time)
		}
		if g.key() {
			t.add(key{g.at, g.time})
			s.keyTimes[g.at] = g.time
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	s.keys = t.all()
	s.meta, err = s.readMeta(f)
	return s, err
}

// readMeta reads the first tag's data if it is an onMetaData.
func (s *survey) readMeta(f *os.File) ([]byte, error) {
	if s.tags == 0 || s.first.kind != media.Data {
		return nil, nil
	}
	b := make([]byte, s.first.size)
	if _, err := f.ReadAt(b, s.first.at+tagHeader); err != nil {
		return nil, fmt.Errorf("read metadata: %w", err)
	}
	if _, err := flv.ParseMetadata(b, amf.Limits{}); err != nil {
		return nil, nil
	}
	return b, nil
}

// headSize is that of the FLV header and the onMetaData after it.
func (s *survey) headSize() int64 {
	if s.meta == nil {
		return flv.FileHeaderSize
	}
	return s.first.end()
}

func (s *survey) summary(size, body, shift int64) summary {
	sum := summary{
		audio: s.extent.Audio, video: s.extent.Video, meta: s.meta,
		duration: s.extent.End, last: s.extent.Last, size: size, body: body,
	}
	for _, k := range s.keys {
		sum.keys = append(sum.keys, key{k.at + shift, k.time})
	}
	return sum
}

// repairRoom is how much of a seek table a repaired file of others gets, in
// entries.
const repairRoom = 4096

// Repaired is what [Repair] did.
type Repaired struct {
	// Cut is how many bytes at the end were no whole tag.
	Cut      int64
	Tags     int
	Duration time.Duration
	// Rewritten: there was no room for the seek table, and the file was
	// written anew.
	Rewritten bool
}

// String says it for people.
func (r Repaired) String() string {
	s := fmt.Sprintf("%d tags, %v, %d bytes cut off the end", r.Tags, r.Duration, r.Cut)
	if r.Rewritten {
		s += ", written anew with a seek table"
	}
	return s
}

// Repair mends an FLV file, ours or not: it cuts off a torn tail, and writes
// flags, duration, filesize and the seek table afresh. A file that no manifest
// lists and that has no room for them is written anew into one that takes its
// place; otherwise they are written in place, and the manifest is brought up to
// date. A file that is being recorded gives [record.ErrLocked].
func Repair(path string) (Repaired, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return Repaired{}, fmt.Errorf("repair: %w", err)
	}
	out, err := repairFile(f, path)
	if err = errors.Join(err, record.CloseLocked(f)); err != nil {
		return out, fmt.Errorf("repair %s: %w", path, err)
	}
	return out, nil
}

func repairFile(f *os.File, path string) (Repaired, error) {
	if err := lockFile(f); err != nil {
		return Repaired{}, err
	}
	s, err := examine(f, repairRoom)
	if err != nil {
		return Repaired{}, err
	}
	m, err := findManifest(path)
	if err != nil {
		return Repaired{}, err
	}
	out := Repaired{Cut: s.size - s.end, Tags: s.tags, Duration: time.Duration(s.extent.End) * time.Millisecond}
	head, err := finalHead(s.summary(s.end, s.headSize(), 0), nil, s.headSize())
	switch {
	case m != nil && err == nil:
		return out, s.listed(f, path, m, head)
	case err == nil && s.fits(head):
		return out, s.inPlace(f, head)
	}
	out.Rewritten = true
	return out, s.anew(f, path)
}

// lockFile keeps a growing file to its recorder.
func lockFile(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("%w: %s", record.ErrLocked, f.Name())
	}
	return err
}

// listing is a manifest that lists a file.
type listing struct {
	record.Manifest
	path string
	part *record.Part
}

// findManifest returns nil if no manifest lists the file.
func findManifest(path string) (*listing, error) {
	at, err := record.Find(path)
	if errors.Is(err, record.ErrNoManifest) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m, err := record.Load(at)
	if err != nil {
		return nil, err
	}
	l := &listing{Manifest: m, path: at}
	if l.part = l.Part(filepath.Base(path)); l.part == nil {
		return nil, nil
	}
	return l, nil
}

// listed repairs a file of ours. The old head is in the manifest before it is
// overwritten.
func (s *survey) listed(f *os.File, path string, m *listing, head []byte) error {
	old := make([]byte, s.headSize())
	if _, err := f.ReadAt(old, 0); err != nil {
		return err
	}
	if err := errors.Join(keepHead(m.part, old), m.Save(m.path)); err != nil {
		return err
	}
	ended, err := f.Stat()
	if err != nil {
		return err
	}
	if err := s.inPlace(f, head); err != nil {
		return err
	}
	if m.part.SHA256, err = record.SHA256(path); err != nil {
		return err
	}
	m.noteLoss(s)
	m.part.Size, m.part.ToDTS = s.end, m.part.FromDTS+s.extent.End
	if m.Ended.IsZero() {
		m.Ended = ended.ModTime()
	}
	return m.Save(m.path)
}

// noteLoss has the manifest say that a finished part has lost its end: the
// repaired file is whole, the recording is not. How many frames were lost is
// not in the file.
func (m *listing) noteLoss(s *survey) {
	lost := m.part.Size - s.end
	if !m.Complete || lost <= 0 {
		return
	}
	m.Complete = false
	m.Gaps = append(m.Gaps, record.Gap{
		From: m.part.ToSeq, To: m.part.ToSeq, At: time.Now(),
		Reason:  fmt.Sprintf("%d bytes at the end of %s were lost", lost, m.part.File),
		Seconds: seconds(max(m.part.ToDTS-m.part.FromDTS-s.extent.End, 0)),
	})
}

// fits reports whether a head made in the old one's length has a seek table
// worth the name, and the publisher's properties.
func (s *survey) fits(head []byte) bool {
	if s.meta == nil {
		return false
	}
	m, err := flv.ParseMetadata(head[flv.FileHeaderSize+tagHeader:], amf.Limits{})
	if err != nil {
		return false
	}
	v, _ := amf.Lookup(m.Props, "keyframes")
	times, _ := amf.Lookup(v, "times")
	n, _ := times.(amf.StrictArray)
	old, err := flv.ParseMetadata(s.meta, amf.Limits{})
	return err == nil && len(n) > min(len(s.keys), 16) && m.Number("width") == old.Number("width")
}

func (s *survey) inPlace(f *os.File, head []byte) error {
	if err := f.Truncate(s.end); err != nil {
		return err
	}
	if _, err := f.WriteAt(head, 0); err != nil {
		return err
	}
	return f.Sync()
}

// anew writes the file with a head that has room.
func (s *survey) anew(f *os.File, path string) error {
	live := newLiveHead(s.meta, s.extent.Audio, s.extent.Video, int64(len(s.keys)*entrySize))
	shift := live.size() - s.headSize()
	head, err := finalHead(s.summary(s.end+shift, live.size(), shift), nil, live.size())
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".repair-*")
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(tmp, 256<<10)
	_, err = w.Write(head)
	if err == nil {
		_, err = io.Copy(w, io.NewSectionReader(f, s.headSize(), s.end-s.headSize()))
	}
	err = errors.Join(err, w.Flush(), tmp.Chmod(0o644), tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return record.SyncDir(filepath.Dir(path))
}

// Verify is [record.Verify] of an FLV record, and looks into the files: whole
// tags to the end, a seek table that leads to keyframes, and a duration and
// size that are true. A file without a manifest is looked into alone.
func Verify(path string) (record.Report, error) {
	r, err := record.Verify(path)
	if errors.Is(err, record.ErrNoManifest) {
		problems, err := inspect(path, true)
		return record.Report{Problems: problems}, err
	}
	if err != nil {
		return r, err
	}
	for _, p := range r.Record.Parts {
		problems, err := inspect(filepath.Join(filepath.Dir(r.Manifest), filepath.FromSlash(p.File)), p.ToSeq > 0)
		if err != nil {
			r.Problems = append(r.Problems, fmt.Sprintf("%s: %v", p.File, err))
		}
		for _, w := range problems {
			r.Problems = append(r.Problems, p.File+" "+w)
		}
	}
	return r, nil
}

// inspect returns what is wrong with an FLV file.
func inspect(path string, finished bool) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	s, err := examine(f, repairRoom)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	var wrong []string
	if s.end != s.size {
		wrong = append(wrong, fmt.Sprintf("ends in %d bytes that are no whole tag", s.size-s.end))
	}
	if finished {
		wrong = append(wrong, s.checkHead()...)
	}
	return wrong, nil
}

func (s *survey) checkHead() []string {
	m, err := flv.ParseMetadata(s.meta, amf.Limits{})
	if err != nil {
		return []string{"has no onMetaData"}
	}
	var wrong []string
	if got := int64(m.Number("filesize")); got != s.size {
		wrong = append(wrong, fmt.Sprintf("says that it has %d bytes instead of %d", got, s.size))
	}
	if got, want := m.Number("duration"), seconds(s.extent.End); got < want-1 || got > want+1 {
		wrong = append(wrong, fmt.Sprintf("says that it lasts %.3f s instead of %.3f s", got, want))
	}
	v, _ := amf.Lookup(m.Props, "keyframes")
	positions, _ := amf.Lookup(v, "filepositions")
	list, _ := positions.(amf.StrictArray)
	if len(list) < 2 && len(s.keyTimes) > 0 {
		wrong = append(wrong, "has no seek table")
	}
	for _, at := range list[min(1, len(list)):] {
		n, _ := at.(float64)
		if len(s.keys) == 0 || int64(n) < s.keys[0].at {
			continue // audio that came before video
		}
		if _, ok := s.keyTimes[int64(n)]; !ok && s.extent.Video {
			return append(wrong, fmt.Sprintf("has a seek table that leads to %d, which is no keyframe", int64(n)))
		}
	}
	return wrong
}
