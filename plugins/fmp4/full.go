package fmp4

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/fmp4/box"
	"github.com/millrace/millrace/plugins/record"
)

// full makes the plain MP4 of a session: it reads the heads of all fragments
// into tables, which lie in files, writes ftyp and moov, and lets the kernel
// copy the media behind them.
type full struct {
	dir  string // the session's
	line *timeline
	// progress is told how many bytes of all are copied, after each file.
	progress func(done, of int64)
	m        *record.Manifest
	checksum bool

	tables [2]*table
	files  []mediaFile
	total  int64 // bytes of media
}

// mediaFile is a segment whose samples go into the MP4, in their order.
type mediaFile struct {
	path   string
	pieces []piece
}

// piece is the payload of one mdat.
type piece struct {
	from int64
	size int64
}

// makeFull writes the session's stream_full.mp4 and lists it in the manifest,
// which is complete then. What a cut leaves is a file with a leading dot, that
// the next try overwrites.
func makeFull(ctx context.Context, dir string, checksum bool, progress func(done, of int64)) (record.Part, error) {
	path := record.ManifestPath(dir, true)
	m, err := record.Load(path)
	if err != nil {
		return record.Part{}, err
	}
	f := &full{dir: dir, progress: progress, m: &m, checksum: checksum, line: &timeline{}}
	if err := f.line.load(&m); err != nil {
		return record.Part{}, err
	}
	part, err := f.make(ctx)
	if err != nil {
		return record.Part{}, fmt.Errorf("merge %s: %w", dir, err)
	}
	file := mergeDir + "/" + fullName
	if old := m.Part(file); old != nil {
		*old = part
	} else {
		m.Parts = append(m.Parts, part)
	}
	m.Complete = true
	return part, m.Save(path)
}

func (f *full) make(ctx context.Context) (part record.Part, err error) {
	out := filepath.Join(f.dir, mergeDir)
	if err := os.MkdirAll(out, 0o755); err != nil {
		return part, err
	}
	defer func() {
		for _, t := range f.tables {
			if t != nil {
				err = errors.Join(err, t.close())
			}
		}
	}()
	if err := f.gather(ctx, out); err != nil {
		return part, err
	}
	temp, final := filepath.Join(out, "."+fullName), filepath.Join(out, fullName)
	if err := f.write(ctx, temp); err != nil {
		return part, errors.Join(err, os.Remove(temp))
	}
	sum := ""
	if f.checksum {
		if sum, err = sumFile(ctx, temp); err != nil {
			return part, err
		}
	}
	info, err := os.Stat(temp)
	if err != nil {
		return part, err
	}
	if err := os.Rename(temp, final); err != nil {
		return part, err
	}
	if err := record.SyncDir(out); err != nil {
		return part, err
	}
	part = record.Part{File: mergeDir + "/" + fullName, Size: info.Size(), SHA256: sum, Started: f.m.Started, Keyframe: true, Tracks: "full"}
	if n := len(f.m.Parts); n > 0 {
		part.FromDTS, part.ToDTS = f.m.Parts[0].FromDTS, f.m.Parts[n-1].ToDTS
	}
	return part, nil
}

// ErrEmpty is returned for a session without media.
var ErrEmpty = errors.New("session without media")

// gather reads the heads of all fragments.
func (f *full) gather(ctx context.Context, dir string) error {
	rows := [][]record.Part{partsOf(f.m, &set{})}
	if len(rows[0]) == 0 {
		rows = [][]record.Part{partsOf(f.m, &set{kind: media.Video}), partsOf(f.m, &set{kind: media.Audio})}
	}
	started := 0
	for i := range f.line.Eras {
		e := &f.line.Eras[i]
		if err := f.describe(dir, e, len(rows) > 1); err != nil {
			return err
		}
		until := int64(math.MaxInt64)
		if i+1 < len(f.line.Eras) {
			until = f.line.Eras[i+1].Segment
		}
		for {
			number := int64(math.MaxInt64)
			for _, parts := range rows {
				if len(parts) > 0 {
					number = min(number, parts[0].Number)
				}
			}
			if number >= until {
				break
			}
			for r, parts := range rows {
				if len(parts) == 0 || parts[0].Number != number {
					continue
				}
				if err := errors.Join(ctx.Err(), f.segment(&parts[0], e)); err != nil {
					return err
				}
				rows[r] = parts[1:]
				started++
			}
		}
	}
	if started == 0 || f.total == 0 {
		return ErrEmpty
	}
	return nil
}

// describe takes the sample descriptions of an era from its init segments.
func (f *full) describe(dir string, e *era, separate bool) error {
	for _, et := range e.Tracks {
		s := set{folder: mergeDir}
		if separate {
			s = set{folder: separateDir, prefix: et.Kind.String() + "_"}
		}
		b, err := os.ReadFile(filepath.Join(f.dir, s.folder, s.initFile(e.Number)))
		if err != nil {
			return err
		}
		traks, err := box.ParseInit(b)
		if err != nil {
			return err
		}
		for _, trak := range traks {
			if trak.Kind != et.Kind {
				continue
			}
			t := &f.tables[slot(et.Kind)]
			if *t == nil {
				if *t, err = newTable(dir, trak); err != nil {
					return err
				}
			}
			(*t).describe(trak.Entries[0])
		}
	}
	return nil
}

// segment adds the fragments of one file.
func (f *full) segment(p *record.Part, e *era) error {
	path := filepath.Join(f.dir, filepath.FromSlash(p.File))
	file := mediaFile{path: path}
	_, err := scanFile(path, func(frag *fragmentAt) error {
		for i := range frag.runs {
			r := &frag.runs[i]
			kind := media.Video
			if r.Track == trackID(media.Audio) {
				kind = media.Audio
			}
			t, et := f.tables[slot(kind)], e.track(kind)
			if t == nil || et == nil {
				return fmt.Errorf("%w: %s has a track that no init segment has", box.ErrBroken, p.File)
			}
			t.add(r, et.Codec.Timescale(), f.total+frag.moof+r.Offset-frag.from)
		}
		size := frag.end - frag.from
		file.pieces = append(file.pieces, piece{frag.from, size})
		f.total += size
		return nil
	})
	f.files = append(f.files, file)
	return err
}

// write makes the file.
func (f *full) write(ctx context.Context, path string) error {
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	err = f.writeHead(out)
	if err == nil {
		err = f.copyMedia(ctx, out)
	}
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}

// writeHead writes ftyp, moov and the header of mdat.
func (f *full) writeHead(out *os.File) error {
	var tables []*table
	for _, t := range f.tables {
		if t == nil || t.samples == 0 {
			continue
		}
		if err := t.finish(); err != nil {
			return err
		}
		t.edit(f.line.start(t.trak.Kind))
		tables = append(tables, t)
	}
	head := box.AppendFileType(nil, false)
	moov, heads, size := f.layout(tables, false)
	mdat := 8
	if int64(len(head))+size+int64(mdat)+f.total > math.MaxUint32 {
		moov, heads, size = f.layout(tables, true)
		mdat = 16
	}
	base := int64(len(head)) + size + int64(mdat)
	w := bufio.NewWriterSize(out, 64<<10)
	_, err := w.Write(append(head, moov...))
	for i, t := range tables {
		if err == nil {
			_, err = w.Write(heads[i])
		}
		for _, b := range t.boxes(mdat == 16) {
			if err == nil {
				err = b.write(w, base)
			}
		}
	}
	if err == nil {
		_, err = w.Write(mediaHeader(f.total, mdat))
	}
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		return fmt.Errorf("write moov: %w", err)
	}
	return nil
}

// layout makes the heads of moov and of its tracks, and says how large moov is
// with its tables.
func (f *full) layout(tables []*table, wide bool) (moov []byte, heads [][]byte, size int64) {
	body, next := 0, uint32(1)
	var duration uint64
	for _, t := range tables {
		own := 0
		for _, b := range t.boxes(wide) {
			own += b.size()
		}
		head := t.trak.Append(nil, own)
		heads = append(heads, head)
		body += len(head) + own
		next = max(next, t.trak.ID+1)
		duration = max(duration, t.trak.MovieDuration)
	}
	moov = box.AppendMovieHead(nil, duration, next, body)
	return moov, heads, int64(len(moov) + body)
}

func mediaHeader(total int64, size int) []byte {
	if size == 8 {
		return append(binary.BigEndian.AppendUint32(nil, uint32(total+8)), "mdat"...)
	}
	return binary.BigEndian.AppendUint64([]byte("\x00\x00\x00\x01mdat"), uint64(total+16))
}

// copyMedia has the kernel copy all samples behind the head.
func (f *full) copyMedia(ctx context.Context, out *os.File) error {
	var done int64
	for _, file := range f.files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := file.copy(out); err != nil {
			return fmt.Errorf("copy media: %w", err)
		}
		for _, p := range file.pieces {
			done += p.size
		}
		f.progress(done, f.total)
	}
	return nil
}

// copy appends the file's samples to out. Between two files io.CopyN is
// copy_file_range.
func (m *mediaFile) copy(out *os.File) error {
	in, err := os.Open(m.path)
	if err != nil {
		return err
	}
	for _, p := range m.pieces {
		if _, err = in.Seek(p.from, io.SeekStart); err != nil {
			break
		}
		if _, err = io.CopyN(out, in, p.size); err != nil {
			break
		}
	}
	return errors.Join(err, in.Close())
}

// sumFile is the SHA-256 of a file, which may be large: ctx ends it.
func sumFile(ctx context.Context, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	const stretch = 64 << 20
	for err == nil {
		if err = ctx.Err(); err == nil {
			_, err = io.CopyN(h, f, stretch)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", fmt.Errorf("sum %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
