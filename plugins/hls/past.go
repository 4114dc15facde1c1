package hls

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/millrace/millrace/plugins/hls/playlist"
)

// past has the lines of the segments that a playlist of all segments lists
// before those in memory, in a file: what a stream takes of the memory does
// not grow with its playlist. The file has no name: whoever goes on with the
// stream makes it anew, of the journal. The zero value has no lines.
type past struct {
	text playlist.Text
	file *os.File // nil: none is needed yet
}

// add takes segments. dir is where the file is made. After an error nothing is
// to be added any more.
func (p *past) add(dir string, segments []playlist.Segment) error {
	if len(segments) == 0 {
		return nil
	}
	if err := p.create(dir); err != nil {
		return err
	}
	at := p.text.Size()
	var lines []byte
	for i := range segments {
		lines = append(lines, p.text.Add(&segments[i])...)
	}
	if _, err := p.file.WriteAt(lines, at); err != nil {
		return fmt.Errorf("put lines of the playlist by: %w", err)
	}
	return nil
}

func (p *past) create(dir string) error {
	if p.file != nil {
		return nil
	}
	f, err := os.CreateTemp(dir, "lines-")
	if err != nil {
		return fmt.Errorf("put lines of the playlist by: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return errors.Join(fmt.Errorf("put lines of the playlist by: %w", err), f.Close())
	}
	p.file = f
	return nil
}

// lines appends the text from a place on, in bytes, up to its end.
func (p *past) lines(dst []byte, from int64) ([]byte, error) {
	n := p.text.Size() - from
	if n == 0 {
		return dst, nil
	}
	at := len(dst)
	dst = append(dst, make([]byte, n)...)
	if _, err := p.file.ReadAt(dst[at:], from); err != nil {
		return dst[:at], fmt.Errorf("read the lines of the playlist: %w", err)
	}
	return dst, nil
}

func (p *past) close() error {
	if p.file == nil {
		return nil
	}
	err := p.file.Close()
	*p = past{}
	return err
}

// settle puts by what a playlist of all segments lists first: all but the newest
// and, with low latency, what has parts or may be in a delta update.
func (s *stream) settle() error {
	if s.set.window > 0 || len(s.list) == 0 {
		return nil
	}
	stay := time.Duration(0)
	if s.set.part > 0 {
		// A delta update lists what is younger than six target durations of the
		// playlist, which may become twice what is set, as segments may.
		stay = 7 * max(2*s.set.target, time.Duration(s.target)*time.Second)
	}
	first := len(s.list) - 1
	stay -= s.list[first].Duration
	for first > 0 && (stay > 0 || s.list[first-1].Parts != nil) {
		first--
		stay -= s.list[first].Duration
	}
	if err := s.j.past.add(s.j.dir, s.list[:first]); err != nil {
		return err
	}
	s.list = append([]playlist.Segment(nil), s.list[first:]...) // lets go of the others
	return nil
}
