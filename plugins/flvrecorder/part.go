package flvrecorder

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/millrace/millrace/core/flv"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/record"
)

// part is the file that grows. It belongs to its stream's goroutine.
type part struct {
	state
	dir    folder
	w      tagWriter
	idx    *index
	sync   record.Sync
	synced time.Time
	// noted is the time of the last index entry, in ms.
	noted int64
	// dirty: the state is to be written.
	dirty bool
	// added is the number after the last frame taken; durable that after the
	// last one in the file, and safe what the frames up to there are.
	added, durable uint64
	safe           extent
}

// noteEvery bounds how far apart index entries are, in ms: what a resumption
// reads, and the steps of the seek table where there is no video.
const noteEvery = 5000

// createPart writes the head of a part into its reserved file.
func createPart(dir folder, st state, sync record.Sync) (*part, error) {
	f, err := os.OpenFile(st.file(), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open part: %w", err)
	}
	p := &part{state: st, dir: dir, sync: sync, synced: time.Now(), w: newTagWriter(f, 0)}
	if err := lockFile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := p.begin(); err != nil { // empty again, so that the name can be used
		return nil, errors.Join(err, f.Truncate(0), dir.forget(st.Part.Number), record.CloseLocked(f))
	}
	return p, nil
}

// begin writes state, index and head, in this order: a crash after any of them
// is mended by openPart.
func (p *part) begin() error {
	head := p.head()
	b := head.bytes()
	for _, h := range p.Headers {
		b = appendTag(b, h.Kind, 0, h.Payload)
	}
	p.Body = int64(len(b))
	if err := p.dir.save(&p.state); err != nil {
		return err
	}
	idx, err := createIndex(p.dir.indexPath(p.Part.Number))
	if err != nil {
		return err
	}
	p.idx = idx
	p.noted = -noteEvery
	if _, err := p.w.f.WriteAt(b, 0); err != nil {
		return errors.Join(fmt.Errorf("write head: %w", err), idx.close())
	}
	p.w.size, p.w.end = p.Body, p.Body
	p.added, p.durable = p.First, p.First
	return nil
}

func appendTag(b []byte, kind media.Kind, time uint32, payload []byte) []byte {
	at := len(b)
	b = append(b, make([]byte, tagHeader)...)
	media.PutTagHeader(b[at:], kind, len(payload), time)
	b = append(b, payload...)
	n := tagHeader + len(payload)
	return append(b, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

// openPart goes on with a part: a tail that is not whole is cut off. It
// returns the sequence number after the last frame in it.
func openPart(dir folder, st state, sync record.Sync) (*part, uint64, error) {
	f, err := os.OpenFile(st.file(), os.O_RDWR, 0)
	if err != nil {
		return nil, 0, fmt.Errorf("open part: %w", err)
	}
	p := &part{state: st, dir: dir, sync: sync, synced: time.Now(), w: newTagWriter(f, 0)}
	next := uint64(0)
	if err = lockFile(f); err == nil {
		next, err = p.recover()
	}
	if err != nil {
		return nil, 0, errors.Join(err, record.CloseLocked(f))
	}
	return p, next, nil
}

func (p *part) recover() (uint64, error) {
	info, err := p.w.f.Stat()
	if err != nil {
		return 0, fmt.Errorf("look at part: %w", err)
	}
	if info.Size() < p.Body {
		return p.First, p.begin()
	}
	idx, last, err := openIndex(p.dir.indexPath(p.Part.Number), info.Size())
	if err != nil {
		return 0, err
	}
	p.idx = idx
	noted := last.at
	if last.at < p.Body {
		last = entry{at: p.Body, seq: p.First, time: -noteEvery}
	}
	p.Extent.Last, p.Extent.End = max(p.Extent.Last, last.time), max(p.Extent.End, last.time)
	next, err := p.recount(last, noted)
	if err != nil {
		return 0, errors.Join(err, idx.close())
	}
	return next, nil
}

// recount counts the tags from an entry on, cuts off what is not whole, and
// adds what the index lacks behind noted.
func (p *part) recount(from entry, noted int64) (uint64, error) {
	next := from.seq
	p.noted = from.time
	end, err := scan(p.w.f, from.at, func(t *tag) bool {
		if t.isMedia() {
			if t.at > noted {
				p.note(t.at, next, t.time, t.kind, t.key())
			}
			p.Extent.add(t.kind, t.time)
		}
		next++
		return true
	})
	if err == nil {
		err = p.w.f.Truncate(end)
	}
	if err != nil {
		return 0, fmt.Errorf("recount part: %w", err)
	}
	p.w.size, p.w.end = end, end
	p.added, p.durable, p.safe = next, next, p.Extent
	return next, p.idx.flush()
}

// time is where a DTS is in the part, in ms. What is before its beginning, by
// less than a frame's duration if at all, is at its beginning.
func (p *part) time(dts int64) int64 { return max(dts-p.Part.FromDTS, 0) }

// add takes a frame. It is in the file after the next flush.
func (p *part) add(f *media.Frame, seq uint64, dts int64) error {
	if p.w.full() {
		if err := p.flush(time.Time{}); err != nil {
			return err
		}
	}
	alt, body := wire(f)
	t := p.time(dts)
	if f.IsMedia() {
		p.note(p.w.end, seq, t, f.Kind, isKey(f))
		had := p.Extent.Audio && p.Extent.Video
		before := p.Extent
		p.Extent.add(f.Kind, t)
		p.dirty = p.dirty || !had && (before.Audio != p.Extent.Audio || before.Video != p.Extent.Video)
	}
	p.w.add(f.Kind, t, alt, body)
	p.added = seq + 1
	return nil
}

// note makes an index entry for a coded frame if there is to be one.
func (p *part) note(at int64, seq uint64, t int64, kind media.Kind, isKey bool) {
	late := t >= p.noted+noteEvery
	switch {
	case isKey, late && kind == media.Audio && !p.Extent.Video:
		p.idx.add(entry{at: at, seq: seq, time: t, kind: keyframe})
	case late:
		p.idx.add(entry{at: at, seq: seq, time: t, kind: mark})
	default:
		return
	}
	p.noted = t
}

// skip notes that the next tag's number is seq, whatever the count says.
func (p *part) skip(seq uint64) error {
	if err := p.flush(time.Time{}); err != nil {
		return err
	}
	p.idx.add(entry{at: p.w.end, seq: seq, time: p.Extent.Last, kind: mark})
	p.added, p.durable = seq, seq
	return p.idx.flush()
}

// flush writes what waits. now is for the fsync policy; zero: not now.
func (p *part) flush(now time.Time) error {
	if err := p.w.flush(); err != nil {
		p.idx.wait = p.idx.wait[:0]
		p.Extent, p.added = p.safe, p.durable
		return err
	}
	p.safe, p.durable = p.Extent, p.added
	if err := p.idx.flush(); err != nil {
		return err
	}
	if p.dirty {
		p.dirty = false
		if err := p.dir.save(&p.state); err != nil {
			return err
		}
	}
	if now.IsZero() || !p.sync.Due(now, p.synced) {
		return nil
	}
	p.synced = now
	if err := errors.Join(p.w.f.Sync(), p.idx.f.Sync()); err != nil {
		return fmt.Errorf("sync part: %w", err)
	}
	return nil
}

// close ends the part before the frame next, and makes that known to the
// state: from then on it is only to be finished.
func (p *part) close(next uint64) error {
	err := p.flush(time.Time{})
	p.Closed = true
	p.Part.ToSeq = next
	p.Part.Size = p.w.size
	p.Part.ToDTS = p.Part.FromDTS + p.Extent.End
	return errors.Join(err, p.dir.save(&p.state), p.release())
}

// release lets the files go as they are.
func (p *part) release() error { return errors.Join(record.CloseLocked(p.w.f), p.idx.close()) }

// isKey: a decoder can start at the frame, for the track that players show.
func isKey(f *media.Frame) bool {
	return f.Kind == media.Video && f.IsMedia() && f.Flags&(media.Keyframe|media.Other) == media.Keyframe
}

// wire is the tag data of a frame as viewers of all tracks get it: alt, if it
// is not nil, stands before the body in place of the header that it has.
func wire(f *media.Frame) (alt, body []byte) {
	b := f.Payload()
	if f.Kind == media.Data || f.Track == 0 && f.Nano == 0 || isFull(f.Kind, b) {
		return nil, b
	}
	if alt = flv.AllHeader(f); alt == nil {
		return nil, b
	}
	return alt, f.Body()
}

// isFull: the payload's header is already one that names its track or has
// nanoseconds (Enhanced RTMP v2: ModEx, Multitrack).
func isFull(kind media.Kind, b []byte) bool {
	if len(b) == 0 {
		return true
	}
	packet := b[0] & 15
	if kind == media.Video {
		return b[0]&0x80 != 0 && (packet == 6 || packet == 7)
	}
	return b[0]>>4 == 9 && (packet == 5 || packet == 7)
}
