package hls

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/hls/playlist"
	"github.com/millrace/millrace/plugins/record"
	"github.com/millrace/millrace/plugins/sdk"
)

// immutable is for what has a name of its own and never changes.
const immutable = "public, max-age=31536000, immutable"

// begin opens a segment with the frame f, unless the disk is full.
func (s *stream) begin(f *media.Frame, t time.Duration, seq uint64) error {
	if s.isFull(seq) {
		return nil
	}
	c := &openSegment{empty: true, begin: t}
	c.Number, c.File = s.number, strconv.FormatInt(s.number, 10)+s.mux.ext()
	c.URI, c.Map, c.Maps = s.paths.uri(c.File), s.mapURI, s.maps
	c.Break, c.FromSeq, c.ToSeq = s.broken, seq, seq
	c.From, c.Started = t, s.wall.of(t, s.p.now())
	if err := s.setKey(c); err != nil {
		return err
	}
	name := ""
	if s.set.disk {
		name = filepath.Join(s.paths.dir, c.File)
	}
	var err error
	if c.file, err = createFile(name, s.set.checksum); err != nil {
		return err
	}
	s.cur, s.broken = c, false
	s.number++
	return nil
}

// setKey has a segment encrypted, if that is wanted.
func (s *stream) setKey(c *openSegment) error {
	if !s.set.encrypt {
		return nil
	}
	key, uri, fresh, err := s.keys.next(s.set.rotate)
	if err != nil {
		return err
	}
	if fresh {
		s.p.publishKey(path.Join(s.keys.base, s.keys.id), key)
	}
	c.Segment.Key = uri
	c.enc, err = newEncryptor(key, c.Number)
	return err
}

// isFull reports whether the disk is so full that nothing is to be written
// from the frame seq on, and notes what that leaves out.
func (s *stream) isFull(seq uint64) bool {
	low := s.set.disk && s.p.guard.Low(s.p.now())
	if low {
		s.noteFull(seq)
	}
	if low != s.full {
		s.full = low
		if err := s.saveManifest(); err != nil {
			s.log.Warn("cannot write the manifest", "err", err)
		}
	}
	return low
}

func (s *stream) noteFull(seq uint64) {
	const reason = "the disk is full"
	s.interrupt()
	if n := len(s.manifest.Gaps); n > 0 && s.full && s.manifest.Gaps[n-1].Reason == reason {
		s.manifest.Gaps[n-1].To = seq + 1
		return
	}
	s.noteGap(seq, seq+1, reason)
}

// flush ends the open chunk: to the host, to the disk, into the journal. next
// is where the leading track goes on, seq the number of the first frame that
// is not in it. The playlist follows unless the segment ends.
func (s *stream) flush(next time.Duration, seq uint64, last bool) error {
	c := s.cur
	if s.mux == nil || c.empty {
		return nil
	}
	pieces := s.mux.flush(next, s.set.memory && c.enc == nil)
	if c.enc != nil {
		pieces = [][]byte{c.enc.write(pieces)}
	}
	line := chunk{Part: s.publishChunk(c, pieces, next-c.begin)}
	if n := len(c.pieces); n > 0 {
		line.Piece = c.pieces[n-1]
	}
	if line.Part != nil && !last {
		if err := s.publish(false); err != nil {
			return err
		}
	}
	if err := c.file.write(pieces); err != nil {
		return err
	}
	c.ToSeq, c.Duration, c.Size, c.Mux = seq, max(next-c.From, 0), c.file.size, s.state
	c.Target, c.PartTarget = s.target, s.partTarget
	c.begin, c.empty, c.bytes, c.key = next, true, 0, false
	return s.logChunk(c, line)
}

func (s *stream) logChunk(c *openSegment, line chunk) error {
	if s.set.sync.Due(s.p.now(), s.synced) {
		s.synced = s.p.now()
		if err := c.file.sync(); err != nil {
			return fmt.Errorf("sync a segment: %w", err)
		}
	}
	line.Segment = c.segment
	line.Segment.Parts = nil
	if c.enc != nil {
		line.Cipher = c.enc.state
	}
	if err := s.j.addChunk(&line); err != nil {
		return err
	}
	s.durable = c.ToSeq
	return nil
}

// publishChunk stores a chunk as an object; with low latency it is a part.
func (s *stream) publishChunk(c *openSegment, pieces [][]byte, long time.Duration) *playlist.Part {
	if !s.set.memory {
		return nil
	}
	name := s.pieceName(c, len(c.pieces))
	s.putPiece(c, name, pieces)
	if s.set.part == 0 {
		return nil
	}
	long = max(long, time.Millisecond)
	s.partTarget = max(s.partTarget, long)
	p := playlist.Part{URI: s.paths.uri(name), Duration: long, Independent: c.key}
	c.Parts = append(c.Parts, p)
	return &p
}

// pieceName is that of the n-th chunk of a segment.
func (s *stream) pieceName(c *openSegment, n int) string {
	return fmt.Sprintf("%d.%d%s", c.Number, n, filepath.Ext(c.File))
}

func (s *stream) putPiece(c *openSegment, name string, pieces [][]byte) {
	body := pieces[0]
	if len(pieces) > 1 {
		body = join(pieces)
	}
	s.p.put(sdk.Object{
		Path: s.paths.object(name), ContentType: contentType(name), CacheControl: immutable, TTL: s.pieceTTL(), Body: body,
	})
	c.pieces = append(c.pieces, s.paths.object(name))
}

func contentType(name string) string {
	if filepath.Ext(name) == ".ts" {
		return "video/mp2t"
	}
	return "video/mp4"
}

// endSegment completes the open segment. next and seq are as in flush.
func (s *stream) endSegment(next time.Duration, seq uint64) error {
	if s.cur == nil {
		return nil
	}
	if err := s.flush(next, seq, true); err != nil {
		return err
	}
	c := s.cur
	if err := s.pad(c); err != nil {
		return err
	}
	sum, err := c.file.close()
	s.cur = nil
	if err != nil {
		return fmt.Errorf("close a segment: %w", err)
	}
	c.SHA256, c.Size = sum, c.file.size
	c.Duration = max(c.Duration, time.Millisecond)
	s.target = max(s.target, playlist.Round(c.Duration))
	c.Target = s.target
	return s.complete(c)
}

// pad ends the encryption of a segment.
func (s *stream) pad(c *openSegment) error {
	if c.enc == nil {
		return nil
	}
	last := [][]byte{c.enc.finish()}
	if s.set.memory {
		s.putPiece(c, s.pieceName(c, len(c.pieces)), last)
	}
	return c.file.write(last)
}

// complete lists a segment.
func (s *stream) complete(c *openSegment) error {
	s.list = append(s.list, c.segment.Segment)
	if s.set.memory {
		s.p.put(sdk.Object{
			Path: s.paths.object(c.File), ContentType: contentType(c.File), CacheControl: immutable, TTL: s.segmentTTL(), Parts: c.pieces,
		})
	}
	s.slide()
	if err := errors.Join(s.settle(), s.publish(false)); err != nil {
		return err
	}
	line := c.segment
	line.Parts = nil
	if err := s.j.addSegment(&line); err != nil {
		return err
	}
	if err := s.listPart(&line); err != nil {
		return err
	}
	if err := s.writePlaylist(false); err != nil {
		return err
	}
	s.p.host.Count("segments_total", 1)
	s.p.announce(s.event(event.Segment, &line))
	return nil
}

// part is a segment as the manifest has it.
func (s *stream) part(seg *segment) record.Part {
	return record.Part{
		File: seg.File, Number: seg.Number, FromSeq: seg.FromSeq, ToSeq: seg.ToSeq,
		FromDTS: seg.From.Milliseconds(), ToDTS: (seg.From + seg.Duration).Milliseconds(),
		Size: seg.Size, SHA256: seg.SHA256, Started: seg.Started, Keyframe: seg.Keyframe,
	}
}

// saveEvery is after how many segments that left the playlist the manifest is
// written anew: before the first of them is removed.
const saveEvery = 3

// listPart adds a segment to the manifest. Without a window its parts are on
// disk only, until it is written whole: in memory they would grow for as long
// as the session lasts.
func (s *stream) listPart(seg *segment) error {
	if !s.set.disk {
		return nil
	}
	part := s.part(seg)
	if s.set.window > 0 {
		s.manifest.Parts = append(s.manifest.Parts, part)
		if s.slid >= saveEvery {
			return errors.Join(s.saveManifest(), s.compact())
		}
	}
	return record.AppendPart(s.manifestPath(), part)
}

// compactEvery is after how many segments the journal forgets those that left
// the playlist.
const compactEvery = 300

func (s *stream) compact() error {
	if s.list[0].Number-s.head.First < compactEvery {
		return nil
	}
	s.head.First, s.head.Breaks = s.list[0].Number, s.breaks
	return s.j.compact(s.head)
}

func (s *stream) manifestPath() string { return record.ManifestPath(s.paths.dir, true) }

// saveManifest writes the manifest with what is still there.
func (s *stream) saveManifest() error {
	if !s.set.disk {
		return nil
	}
	m, err := s.whole()
	if err != nil {
		return err
	}
	s.slid = 0
	return m.Save(s.manifestPath())
}

// whole is the manifest with all its parts.
func (s *stream) whole() (record.Manifest, error) {
	if s.set.window > 0 {
		if n := len(s.manifest.Parts) - len(s.list); n > 0 && len(s.list) > 0 {
			s.manifest.Parts = slices.Clone(s.manifest.Parts[n:])
		}
		return s.manifest, nil
	}
	m := s.manifest
	listed, err := record.Load(s.manifestPath())
	if err != nil && !errors.Is(err, record.ErrNoManifest) {
		return m, err
	}
	m.Parts = listed.Parts
	return m, nil
}

func (s *stream) event(name string, seg *segment) event.Event {
	e := event.Event{
		Event: name, App: s.head.App, Name: s.head.Name, StreamID: s.head.App + "/" + s.head.Name,
		Session: s.head.Session, Plugin: kind, Labels: s.head.Place.Labels,
	}
	if seg != nil {
		e.File, e.URL = path.Join(s.head.Place.Rel, seg.File), seg.URI
		e.Number, e.Size, e.SHA256, e.Started = seg.Number, seg.Size, seg.SHA256, seg.Started
		e.Duration, e.FromSeq, e.ToSeq = seg.Duration.Seconds(), seg.FromSeq, seg.ToSeq
	}
	return e
}

// finish ends the session: the playlist gets its end, the manifest is
// complete; final: the session's end is known.
func (s *stream) finish(final bool) error {
	if err := errors.Join(s.release(), s.endSegment(s.end, s.next)); err != nil {
		return err
	}
	s.head.Ended = true
	if len(s.list) == 0 {
		return errors.Join(s.j.saveHeader(s.head), s.forget())
	}
	if err := errors.Join(s.publish(true), s.writePlaylist(true)); err != nil {
		return err
	}
	s.manifest.Ended, s.manifest.Complete, s.manifest.Final = s.p.now(), true, final
	if err := s.saveManifest(); err != nil {
		return err
	}
	if err := s.j.saveHeader(s.head); err != nil {
		return err
	}
	if !s.set.disk {
		return s.forget()
	}
	m, err := s.whole()
	if err != nil {
		return err
	}
	s.p.announce(s.done(&m))
	return nil
}

// forget removes the folder of a session that left nothing in it.
func (s *stream) forget() error {
	if err := os.RemoveAll(s.paths.dir); err != nil {
		return fmt.Errorf("remove an empty session: %w", err)
	}
	return nil
}

// done is the event of a record that is complete.
func (s *stream) done(m *record.Manifest) event.Event {
	e := s.event(event.RecordDone, nil)
	parts := m.Parts
	if len(parts) == 0 {
		return e
	}
	e.File, e.URL = path.Join(s.head.Place.Rel, playlistName), s.paths.uri(playlistName)
	e.Size, e.Started = m.Size(), parts[0].Started
	e.FromSeq, e.ToSeq = parts[0].FromSeq, parts[len(parts)-1].ToSeq
	for _, p := range parts {
		e.Duration += float64(p.ToDTS-p.FromDTS) / 1000
	}
	return e
}
