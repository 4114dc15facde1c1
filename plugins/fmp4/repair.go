package fmp4

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/millrace/millrace/plugins/record"
	"github.com/millrace/millrace/plugins/sdk"
	"github.com/millrace/millrace/plugins/sdk/demux"
)

// Repaired is what [Repair] did.
type Repaired struct {
	// MP4 is the plain MP4 that was made.
	MP4 string
	// Frames is how many the recording has, and Duration how long it is.
	Frames   uint64
	Duration time.Duration
}

// String says it for people.
func (r Repaired) String() string {
	return fmt.Sprintf("%s: %d frames, %v", r.MP4, r.Frames, r.Duration)
}

// Errors of Repair.
var (
	// ErrLive: another process writes the recording, or merges it.
	ErrLive = errors.New("recording is being written")
	// ErrExists: the MP4 to be made from an FLV is there already.
	ErrExists = errors.New("file is there already")
)

// Repair ends a recording that nobody is writing and makes its plain MP4 anew:
// of a session's folder, whose torn tail it cuts and lists, or of an FLV file,
// whole or truncated, beside which it puts a file with the extension mp4.
func Repair(ctx context.Context, path string, log *slog.Logger) (Repaired, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Repaired{}, fmt.Errorf("repair: %w", err)
	}
	var r Repaired
	if info.IsDir() {
		r, err = repairFolder(ctx, path, log)
	} else {
		r, err = repairFLV(ctx, path, log)
	}
	if err != nil {
		return r, fmt.Errorf("repair %s: %w", path, err)
	}
	return r, nil
}

// logProgress tells of a merge in the log: now and then, and of its end.
func logProgress(log *slog.Logger, dir string) func(done, of int64) {
	began := time.Now()
	told := began
	return func(done, of int64) {
		switch now := time.Now(); {
		case done == of:
			log.Info("merged", "dir", dir, "bytes", of, "took", now.Sub(began).Round(time.Millisecond).String())
		case now.Sub(told) >= progressEvery:
			told = now
			log.Info("merging", "dir", dir, "done", done, "of", of, "percent", done*100/of)
		}
	}
}

// progressEvery is how often a merge says in the log how far it is.
const progressEvery = 5 * time.Second

func repairFolder(ctx context.Context, dir string, log *slog.Logger) (Repaired, error) {
	m, err := record.Load(record.ManifestPath(dir, true))
	if err != nil {
		return Repaired{}, err
	}
	s := &session{
		place: place{App: m.App, Name: m.Name, Session: m.Session, Started: m.Started, Dir: dir},
		opt:   DefaultOptions(), log: log, sets: setsOf(DefaultOptions()),
	}
	s.lock, err = record.TryLock(s.lockPath())
	if errors.Is(err, record.ErrLocked) {
		return Repaired{}, ErrLive
	}
	if err != nil {
		return Repaired{}, err
	}
	if err := s.repair(time.Now()); err != nil {
		return Repaired{}, errors.Join(err, s.closeFiles(), s.lock.Release())
	}
	r, err := s.merged(ctx)
	return r, errors.Join(err, s.lock.Remove())
}

// merged makes the plain MP4 of an ended session.
func (s *session) merged(ctx context.Context) (Repaired, error) {
	part, err := makeFull(ctx, s.Dir, true, logProgress(s.log, s.Dir))
	if err != nil {
		return Repaired{}, err
	}
	m, err := record.Load(s.manifest())
	if err != nil {
		return Repaired{}, err
	}
	r := Repaired{MP4: filepath.Join(s.Dir, filepath.FromSlash(part.File))}
	r.Frames = m.NextSeq() - m.Parts[0].FromSeq
	r.Duration = time.Duration(part.ToDTS-part.FromDTS) * time.Millisecond
	return r, nil
}

// repairFLV records the file as if it were a stream, in a folder that goes
// when the MP4 is there.
func repairFLV(ctx context.Context, path string, log *slog.Logger) (r Repaired, err error) {
	final := strings.TrimSuffix(path, filepath.Ext(path)) + ".mp4"
	if _, err := os.Lstat(final); err == nil {
		return r, fmt.Errorf("%w: %s", ErrExists, final)
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".repair.*")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	opt := DefaultOptions()
	opt.Separate, opt.Sync = false, record.Sync{}
	w := newWriter(opt, log, func(started time.Time) (*session, error) {
		s := &session{place: place{Started: started, Dir: dir}, opt: opt, log: log, sets: setsOf(opt)}
		return s, s.create()
	})
	if err := readFLV(ctx, path, w); err != nil {
		return r, err
	}
	if w.sess == nil {
		return r, ErrEmpty
	}
	if err := w.finish(false); err != nil {
		return r, err
	}
	if r, err = w.sess.merged(ctx); err != nil {
		return r, err
	}
	if err := os.Rename(r.MP4, final); err != nil {
		return r, err
	}
	r.MP4 = final
	return r, record.SyncDir(filepath.Dir(final))
}

// readFLV gives a file's frames to w. What is behind the last whole tag is
// passed over.
func readFLV(ctx context.Context, path string, w *writer) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(feedFLV(ctx, f, w), f.Close())
}

// readSize is how much is read at once, in bytes; a larger tag takes more.
const readSize = 256 << 10

func feedFLV(ctx context.Context, f io.Reader, w *writer) error {
	d := demux.NewFile()
	b := make([]byte, 0, readSize)
	for {
		for {
			u, n, err := d.Next(b)
			if errors.Is(err, demux.ErrShort) {
				break
			}
			if err != nil {
				return err
			}
			b = b[n:]
			if err := w.unit(&u); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		// A tag says its own size, which is at most 16 MiB.
		next := make([]byte, len(b), max(readSize, d.Need(b))+len(b))
		copy(next, b)
		n, err := f.Read(next[len(next):cap(next)])
		b = next[:len(next)+n]
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// unit takes a piece of a file.
func (w *writer) unit(u *demux.Unit) error {
	it := sdk.Item{Seq: u.Seq, Frame: u.Frame}
	switch u.Type {
	case demux.Header:
		it.Type = sdk.Header
	case demux.Frame:
		it.Type = sdk.Frame
	default:
		return nil
	}
	// Skipped tags count one, but are no loss: nobody could read them.
	if w.next > 0 && u.Seq > w.next {
		w.next = u.Seq
	}
	return w.item(&it)
}
