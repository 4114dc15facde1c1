package hls

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/hls/playlist"
	"github.com/millrace/millrace/plugins/record"
	"github.com/millrace/millrace/plugins/sdk"
)

// journal is what a stream leaves in state_dir for the process after it, in a
// folder of its own:
//
//	stream.json     which session it is, and where its numbers begin
//	tracks.json     what is in the segments
//	segments.jsonl  a line for each segment that is complete
//	open.jsonl      a line for each chunk of the segment that grows
//	lock            keeps it to one writer
//	keys/           AES keys
//
// and, without a name, the lines of the playlist's past. A line that a crash cut
// short does not count.
type journal struct {
	dir      string
	segments *os.File
	open     *os.File
	past     past
}

// header is stream.json.
type header struct {
	App     string          `json:"app"`
	Name    string          `json:"name"`
	Session string          `json:"session"`
	Started time.Time       `json:"started"`
	Place   sdk.RecordPlace `json:"place"`
	// First is the number of the session's first segment, Breaks how many
	// discontinuities were before it, in the stream's whole life.
	First  int64 `json:"first"`
	Breaks int64 `json:"breaks"`
	// Origin is the DTS, in ms, that is time 0 in MP4.
	Origin int64 `json:"origin"`
	// Disk: segments are on disk, whatever Configure says since.
	Disk bool `json:"disk"`
	// Ended: the playlist has its end.
	Ended bool `json:"ended"`
}

// segment is a line of segments.jsonl: a segment that is complete.
type segment struct {
	playlist.Segment
	File    string        `json:"file"`
	FromSeq uint64        `json:"from_seq"`
	ToSeq   uint64        `json:"to_seq"`
	From    time.Duration `json:"from"` // DTS of the leading track
	Size    int64         `json:"size"`
	SHA256  string        `json:"sha256"`
	// Keyframe: the video begins with a keyframe.
	Keyframe bool `json:"keyframe"`
	Target   int  `json:"target"` // of the playlist, s
	// PartTarget is that of the playlist.
	PartTarget time.Duration `json:"part_target,omitempty"`
	Maps       int           `json:"maps"`
	Mux        muxState      `json:"mux"`
}

// chunk is a line of open.jsonl: the open segment as it is behind that chunk.
type chunk struct {
	Segment segment        `json:"segment"` // Size and ToSeq behind the chunk; Duration so far
	Part    *playlist.Part `json:"part,omitempty"`
	Piece   string         `json:"piece,omitempty"` // path of the object that holds the chunk
	Cipher  cipherState    `json:"cipher,omitzero"`
}

// savedTracks is tracks.json.
type savedTracks struct {
	Video, Audio *savedTrack
	TS           bool
}

type savedTrack struct {
	Codec         media.FourCC
	Config, First []byte
}

// saved is a journal as it was found.
type saved struct {
	header   header
	tracks   savedTracks
	segments []segment
	chunks   []chunk // of the segment after the last one
}

// next is the number that the next segment of the stream has.
func (s *saved) next() int64 {
	switch {
	case len(s.chunks) > 0:
		return s.chunks[0].Segment.Number + 1
	case len(s.segments) > 0:
		return s.segments[len(s.segments)-1].Number + 1
	}
	return s.header.First
}

// breaks counts the discontinuities so far.
func (s *saved) breaks() int64 {
	n := s.header.Breaks
	for i := range s.segments {
		if s.segments[i].Break {
			n++
		}
	}
	if len(s.chunks) > 0 && s.chunks[0].Segment.Break {
		n++
	}
	return n
}

// openJournal makes the folder of a stream.
func openJournal(dir string) (*journal, error) {
	if err := os.MkdirAll(filepath.Join(dir, "keys"), 0o700); err != nil {
		return nil, fmt.Errorf("make the stream's folder: %w", err)
	}
	return &journal{dir: dir}, nil
}

func (j *journal) path(name string) string { return filepath.Join(j.dir, name) }

// load reads what is there; found is false when there was no stream before.
func (j *journal) load() (s saved, found bool, err error) {
	b, err := os.ReadFile(j.path("stream.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return s, false, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &s.header)
	}
	if err != nil {
		return s, false, fmt.Errorf("read the stream's journal: %w", err)
	}
	if b, err := os.ReadFile(j.path("tracks.json")); err == nil {
		// Without it the tracks show themselves anew.
		_ = json.Unmarshal(b, &s.tracks)
	}
	if s.segments, err = readLines[segment](j.path("segments.jsonl")); err != nil {
		return s, false, err
	}
	s.segments = ascending(s.segments, s.header.First)
	chunks, err := readLines[chunk](j.path("open.jsonl"))
	if err != nil {
		return s, false, err
	}
	next := s.header.First
	if len(s.segments) > 0 {
		next = s.segments[len(s.segments)-1].Number + 1
	}
	for _, c := range chunks {
		if c.Segment.Number == next {
			s.chunks = append(s.chunks, c)
		}
	}
	return s, true, nil
}

// ascending leaves out lines of an earlier session and repeated ones.
func ascending(lines []segment, first int64) []segment {
	kept := lines[:0]
	for _, l := range lines {
		if l.Number >= first && (len(kept) == 0 || l.Number > kept[len(kept)-1].Number) {
			kept = append(kept, l)
		}
	}
	return kept
}

// readLines reads JSON values, one a line, and leaves out what is none.
func readLines[T any](path string) ([]T, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the stream's journal: %w", err)
	}
	var all []T
	for line := range bytes.SplitSeq(b, []byte{'\n'}) {
		var v T
		if len(line) > 0 && json.Unmarshal(line, &v) == nil {
			all = append(all, v)
		}
	}
	return all, nil
}

// begin opens the files; fresh drops what an earlier session left.
func (j *journal) begin(h header, fresh bool) error {
	if err := j.saveHeader(h); err != nil {
		return err
	}
	flags := os.O_WRONLY | os.O_APPEND | os.O_CREATE
	if fresh {
		flags |= os.O_TRUNC
	}
	var err error
	if j.segments, err = os.OpenFile(j.path("segments.jsonl"), flags, 0o600); err != nil {
		return fmt.Errorf("open the stream's journal: %w", err)
	}
	if j.open, err = os.OpenFile(j.path("open.jsonl"), flags, 0o600); err != nil {
		return fmt.Errorf("open the stream's journal: %w", err)
	}
	return nil
}

func (j *journal) saveHeader(h header) error { return j.save("stream.json", h) }

func (j *journal) save(name string, v any) error {
	b, err := json.Marshal(v)
	if err == nil {
		err = record.WriteFile(j.path(name), b)
	}
	if err != nil {
		return fmt.Errorf("write the stream's journal: %w", err)
	}
	return nil
}

// addSegment notes a segment that is complete; the open one begins anew.
func (j *journal) addSegment(s *segment) error {
	if err := addLine(j.segments, s); err != nil {
		return err
	}
	if err := j.open.Truncate(0); err != nil {
		return fmt.Errorf("write the stream's journal: %w", err)
	}
	return nil
}

// compact forgets the segments before the first one of h.
func (j *journal) compact(h header) error {
	lines, err := readLines[segment](j.path("segments.jsonl"))
	if err != nil {
		return err
	}
	// From here on they do not count, whether they are gone or not.
	if err := j.saveHeader(h); err != nil {
		return err
	}
	var b []byte
	for _, l := range ascending(lines, h.First) {
		line, err := json.Marshal(&l)
		if err != nil {
			return fmt.Errorf("write the stream's journal: %w", err)
		}
		b = append(append(b, line...), '\n')
	}
	if err := record.WriteFile(j.segments.Name(), b); err != nil {
		return fmt.Errorf("write the stream's journal: %w", err)
	}
	f, err := os.OpenFile(j.segments.Name(), os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the stream's journal: %w", err)
	}
	err = j.segments.Close()
	j.segments = f
	return err
}

func (j *journal) addChunk(c *chunk) error { return addLine(j.open, c) }

// addLine writes a line at once. The line feed before it ends one that was cut
// short.
func addLine(f *os.File, v any) error {
	b, err := json.Marshal(v)
	if err == nil {
		_, err = f.Write(append(append(make([]byte, 0, len(b)+1), '\n'), b...))
	}
	if err != nil {
		return fmt.Errorf("write the stream's journal: %w", err)
	}
	return nil
}

func (j *journal) close() error {
	err := j.past.close()
	for _, f := range []*os.File{j.segments, j.open} {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	return err
}
