package flvrecorder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/plugins/record"
)

// finish completes a closed part in the background: head, SHA-256, manifest,
// announcement. Each step can be repeated, so that the next process does what
// this one did not get done. patched is closed when the file has its last
// form, or when that failed.
func (s *session) finish(st state) (patched <-chan struct{}) {
	done := make(chan struct{})
	s.jobs.Go(func() {
		err := s.finishPart(&st, done)
		if errors.Is(err, fs.ErrNotExist) {
			s.r.log.Warn("recording removed before it was finished", "stream", st.App+"/"+st.Name, "file", st.Rel)
			err = s.dir.forget(st.Part.Number)
		}
		if err == nil {
			return
		}
		s.later(st)
		if s.ctx.Err() == nil {
			s.r.log.Error("recording not finished; that is tried again at the end or at the next start",
				"stream", st.App+"/"+st.Name, "file", st.Rel, "error", err)
		}
	})
	return done
}

// later leaves a part for finishRest, or for the next process.
func (s *session) later(st state) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.undone = append(s.undone, st)
}

// finishRest tries once more what failed, as for lack of space.
func (s *session) finishRest() {
	s.mu.Lock()
	rest := s.undone
	s.undone = nil
	s.mu.Unlock()
	for _, st := range rest {
		s.finish(st)
	}
}

func (s *session) finishPart(st *state, patched chan<- struct{}) error {
	if st.Finished {
		close(patched)
		return nil
	}
	err := s.patch(st)
	close(patched)
	if err != nil {
		return err
	}
	if s.r.config.checksum {
		if st.Part.SHA256, err = s.r.checksum(s.ctx, st.file()); err != nil {
			return err
		}
	}
	if err := s.put(&st.Part); err != nil {
		return err
	}
	if err := s.r.host.Announce(s.ctx, st.done()); err != nil {
		return fmt.Errorf("announce record: %w", err)
	}
	return s.dir.finish(st)
}

// patch gives the file its final head. The old one is in the manifest before
// anything of it is overwritten.
func (s *session) patch(st *state) error {
	if err := s.mend(st); err != nil {
		return err
	}
	old := st.head()
	b, err := final(st, s.dir.indexPath(st.Part.Number))
	if err != nil {
		return err
	}
	if err := errors.Join(keepHead(&st.Part, old.bytes()), s.put(&st.Part)); err != nil {
		return err
	}
	return patchFile(st.file(), b)
}

// mend recounts a part whose file has not the size that its state says: after
// a power cut, or because it was never closed.
func (s *session) mend(st *state) error {
	info, err := os.Stat(st.file())
	if err != nil {
		return fmt.Errorf("look at part: %w", err)
	}
	if st.Closed && info.Size() == st.Part.Size {
		return nil
	}
	p, next, err := openPart(s.dir, *st, record.Sync{})
	if err != nil {
		return err
	}
	err = p.close(next)
	*st = p.state
	return err
}

// final makes the head of a closed part.
func final(st *state, index string) ([]byte, error) {
	head := st.head()
	keys, err := readKeys(index, head.zeros/entrySize+1)
	if err != nil {
		return nil, err
	}
	return finalHead(summary{
		audio: st.Extent.Audio, video: st.Extent.Video, meta: st.Publisher,
		duration: st.Extent.End, last: st.Extent.Last, size: st.Part.Size, body: head.size(), keys: keys,
	}, st.Meta, head.size())
}

func patchFile(path string, head []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("patch head: %w", err)
	}
	_, err = f.WriteAt(head, 0)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("patch head: %w", err)
	}
	return nil
}

// done is the event of a finished part.
func (st *state) done() event.Event {
	p := &st.Part
	return event.Event{
		Event: event.RecordDone, App: st.App, Name: st.Name, StreamID: st.App + "/" + st.Name, Session: st.Session,
		Plugin: pluginName, File: st.Rel, URL: st.URL, Part: int(p.Number), Number: p.Number,
		Size: p.Size, SHA256: p.SHA256, Started: p.Started, FromSeq: p.FromSeq, ToSeq: p.ToSeq,
		Duration: seconds(st.Extent.End), Labels: st.Labels,
	}
}

// checksum sums a file, one at a time for the whole process.
func (r *Recorder) checksum(ctx context.Context, path string) (string, error) {
	select {
	case r.summing <- struct{}{}:
		defer func() { <-r.summing }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("sum part: %w", err)
	}
	h := sha256.New()
	_, err = io.CopyBuffer(h, contextReader{ctx, f}, make([]byte, 256<<10))
	if err = errors.Join(err, f.Close()); err != nil {
		return "", fmt.Errorf("sum part: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// contextReader stops reading when its context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(b)
}
