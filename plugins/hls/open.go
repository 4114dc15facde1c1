package hls

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/plugins/hls/playlist"
	"github.com/millrace/millrace/plugins/record"
	"github.com/millrace/millrace/plugins/sdk"
)

// paths say where a session is.
type paths struct {
	dir   string // its folder
	alias string // the folder in which the link to the newest session is
	url   string // of the folder, such as "/hls/live/cam/20260102_030405"
	base  string // the same of the alias, without the slash before it: prefix of objects
}

func pathsOf(dataDir string, place sdk.RecordPlace, app, name string) paths {
	p := paths{
		dir:   filepath.Join(place.Dir, place.Name),
		alias: place.Alias,
		url:   place.URL,
		base:  path.Join(kind, folder(app), name),
	}
	if rel, err := filepath.Rel(dataDir, place.Alias); err == nil && filepath.IsLocal(rel) && strings.HasPrefix(filepath.ToSlash(rel), kind+"/") {
		p.base = filepath.ToSlash(rel)
	}
	if !strings.HasPrefix(p.url, "/"+kind+"/") {
		p.url = "/" + path.Join(p.base, place.SessionName)
	}
	return p
}

// object is the path of an object of the session.
func (p *paths) object(name string) string { return strings.TrimPrefix(p.url, "/") + "/" + name }

// link is where the alias of the newest session's playlist is on disk.
func (p *paths) link() string { return filepath.Join(p.alias, playlistName) }

func (p *paths) uri(name string) string { return p.url + "/" + name }

// openStream takes the stream's lock and begins its session, or goes on with
// it. What another session left open is ended first.
func (p *Plugin) openStream(ctx context.Context, a sdk.Attach, place sdk.RecordPlace) (*stream, error) {
	j, err := openJournal(p.streamDir(a.App, a.Name))
	if err != nil {
		return nil, err
	}
	lock, err := record.AcquireLock(ctx, j.path("lock"))
	if err != nil {
		return nil, fmt.Errorf("lock %s/%s: %w", a.App, a.Name, err)
	}
	s, err := p.openLocked(j, a, place)
	if err != nil {
		return nil, errors.Join(err, j.close(), lock.Release())
	}
	s.lock = lock
	return s, nil
}

func (p *Plugin) openLocked(j *journal, a sdk.Attach, place sdk.RecordPlace) (*stream, error) {
	old, found, err := j.load()
	if err != nil {
		// Numbers begin anew; refusing the stream would be worse.
		p.log.Error("the stream's journal is not usable", "stream", a.App+"/"+a.Name, "err", err)
		found = false
	}
	if found && old.header.Session == a.Session && old.header.Place.Rel == place.Rel {
		return p.resume(j, old)
	}
	if found && !old.header.Ended {
		if err := p.finishSaved(j, old); err != nil {
			p.log.Error("cannot finish the session before", "stream", a.App+"/"+a.Name, "err", err)
		}
	}
	return p.fresh(j, old, a, place)
}

// usualInterval is that of frames until there are two.
const usualInterval = 40 * time.Millisecond

// newStream is a stream before its first frame.
func (p *Plugin) newStream(j *journal, h header) *stream {
	s := &stream{
		p: p, set: p.settings, j: j, head: h,
		log:    p.log.With("stream", h.App+"/"+h.Name, "session", h.Session),
		paths:  pathsOf(p.host.DataDir(), h.Place, h.App, h.Name),
		target: playlist.Round(p.settings.target), partTarget: p.settings.part,
		number: h.First, breaks: h.Breaks, interval: usualInterval,
	}
	s.set.disk = h.Disk
	s.older = !record.IsNewest(s.paths.link(), h.Session, p.now())
	s.keys = keyring{dir: j.path("keys"), base: path.Join(kind, folder(h.App), h.Name, "keys")}
	s.manifest = record.Manifest{
		Plugin: kind, App: h.App, Name: h.Name, Session: h.Session, Started: h.Started,
	}
	return s
}

// fresh begins a session; its numbers follow those of the one before.
func (p *Plugin) fresh(j *journal, old saved, a sdk.Attach, place sdk.RecordPlace) (*stream, error) {
	h := header{
		App: a.App, Name: a.Name, Session: a.Session, Started: a.Started, Place: place,
		First: old.next(), Breaks: old.breaks(), Disk: p.settings.disk,
	}
	s := p.newStream(j, h)
	s.broken = h.First > 0 // another session was before
	if !old.header.Disk {
		p.dropKeys(&old, s.endTTL())
	}
	if a.Next <= 1 {
		s.wall.Anchor = a.Started
	}
	if err := os.Remove(j.path("tracks.json")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("forget the tracks before: %w", err)
	}
	if err := j.begin(h, true); err != nil {
		return nil, err
	}
	return s, s.saveManifest()
}

// dropKeys removes the keys of a session that was in memory only, when its last
// playlist is not served any more.
func (p *Plugin) dropKeys(old *saved, after time.Duration) {
	last := ""
	for i := range old.segments {
		if uri := old.segments[i].Key; uri != "" && uri != last {
			last = uri
			p.reaper.add(p.now().Add(after), func() { p.removeKey(uri) })
		}
	}
}

// resume goes on with a session behind the last chunk that is there.
func (p *Plugin) resume(j *journal, old saved) (*stream, error) {
	s := p.newStream(j, old.header)
	s.head.Ended = false
	// One that was given up before it had a segment has no folder any more.
	if err := os.MkdirAll(s.paths.dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the session's folder again: %w", err)
	}
	if err := j.begin(s.head, false); err != nil {
		return nil, err
	}
	if err := s.restore(&old); err != nil {
		return nil, err
	}
	s.manifest.Final = false
	s.durable = s.next
	if err := s.restoreTracks(&old.tracks); err != nil {
		return nil, err
	}
	s.sweep()
	s.log.Info("session goes on", "from_seq", s.next, "number", s.number)
	return s, nil
}

// restore takes the lists from a journal, and reopens the open segment.
func (s *stream) restore(old *saved) error {
	m, err := record.Load(s.manifestPath())
	switch {
	case err == nil:
		s.manifest = m
		s.manifest.Complete, s.manifest.Ended = false, time.Time{}
	case !errors.Is(err, record.ErrNoManifest):
		return err
	}
	for i := range old.segments {
		seg := &old.segments[i]
		s.restoreState(seg)
		s.list = append(s.list, seg.Segment)
		s.number, s.next, s.end = seg.Number+1, seg.ToSeq, seg.From+seg.Duration
		s.linked = true
	}
	if err := s.listMissing(old.segments); err != nil {
		return err
	}
	if s.set.window > 0 {
		for len(s.list) > s.set.window {
			s.drop()
		}
	}
	if err := s.settle(); err != nil {
		return err
	}
	return s.reopen(old.chunks)
}

// listMissing adds to the manifest what only the journal has: the crash came
// between the two.
func (s *stream) listMissing(segments []segment) error {
	if !s.set.disk {
		return nil
	}
	last := int64(-1)
	if n := len(s.manifest.Parts); n > 0 {
		last = s.manifest.Parts[n-1].Number
	}
	missing := false
	for i := range segments {
		if segments[i].Number > last {
			s.manifest.Parts = append(s.manifest.Parts, s.part(&segments[i]))
			missing = true
		}
	}
	if s.set.window > 0 {
		return nil
	}
	m := s.manifest
	s.manifest.Parts = nil // they are read when they are wanted; see listPart
	if !missing {
		return nil
	}
	return m.Save(s.manifestPath())
}

func (s *stream) restoreState(seg *segment) {
	s.target = max(s.target, seg.Target)
	if s.set.part > 0 {
		s.partTarget = max(s.partTarget, seg.PartTarget)
	}
	s.state, s.maps, s.mapURI = seg.Mux, seg.Maps, seg.Map
	s.sticky = s.sticky || seg.Map != ""
	s.wall = wallclock{Anchor: seg.Started, At: seg.From}
}

// reopen goes on with the open segment: behind the last chunk that the file
// has whole.
func (s *stream) reopen(chunks []chunk) error {
	if len(chunks) == 0 {
		return s.discard()
	}
	size := int64(1<<63 - 1)
	name := s.paths.dir + "/" + chunks[0].Segment.File
	if s.set.disk {
		info, err := os.Stat(name)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("look for the last segment: %w", err)
		}
		size = info.Size()
	}
	whole := 0
	for whole < len(chunks) && chunks[whole].Segment.Size <= size {
		whole++
	}
	if whole == 0 {
		return s.discard()
	}
	return s.reopenAt(name, chunks[:whole])
}

// discard removes a segment that has no whole chunk.
func (s *stream) discard() error {
	stubs, err := filepath.Glob(filepath.Join(s.paths.dir, strconv.FormatInt(s.number, 10)+".*"))
	for _, f := range stubs {
		err = errors.Join(err, os.Remove(f))
	}
	if err != nil {
		return fmt.Errorf("remove a segment without a whole chunk: %w", err)
	}
	return nil
}

func (s *stream) reopenAt(name string, chunks []chunk) error {
	last := &chunks[len(chunks)-1]
	c := &openSegment{segment: last.Segment, empty: true, led: true, seen: true}
	c.Parts = nil
	for i := range chunks {
		if chunks[i].Part != nil {
			c.Parts = append(c.Parts, *chunks[i].Part)
		}
		if chunks[i].Piece != "" {
			c.pieces = append(c.pieces, chunks[i].Piece)
		}
	}
	var err error
	if s.set.disk {
		c.file, err = reopenFile(name, last.Segment.Size, s.set.checksum)
	} else {
		c.file, err = createFile("", s.set.checksum)
		c.file.size = last.Segment.Size
	}
	if err != nil {
		return err
	}
	if c.Segment.Key != "" {
		key, err := s.keys.load(c.Segment.Key)
		if err != nil {
			return err
		}
		if c.enc, err = goOnEncrypting(key, last.Cipher); err != nil {
			return err
		}
	}
	s.restoreState(&c.segment)
	s.cur, s.number = c, c.Number+1
	s.next, s.end = c.ToSeq, c.From+c.Duration
	c.begin = s.end
	return nil
}

// restoreTracks has the muxer go on with the tracks that were in the segments.
func (s *stream) restoreTracks(saved *savedTracks) error {
	s.restoreTrack(&s.tracks.video, saved.Video)
	s.restoreTrack(&s.tracks.audio, saved.Audio)
	if saved.Video == nil && saved.Audio == nil {
		err := s.endSegment(s.end, s.next)
		s.interrupt()
		return err
	}
	return s.reuseMuxer(saved)
}

func (s *stream) restoreTrack(t *track, saved *savedTrack) {
	if saved != nil {
		*t = track{codec: saved.Codec, config: saved.Config, first: saved.First, seen: true}
	}
}

// finishSaved ends a session that a crash left open.
func (p *Plugin) finishSaved(j *journal, old saved) error {
	s := p.newStream(j, old.header)
	if _, err := os.Stat(s.paths.dir); errors.Is(err, os.ErrNotExist) {
		s.head.Ended = true // it was removed
		return j.saveHeader(s.head)
	}
	if err := j.begin(old.header, false); err != nil {
		return err
	}
	if err := s.restore(&old); err != nil {
		return errors.Join(err, j.close())
	}
	err := errors.Join(s.finish(s.manifest.Final), j.close())
	s.sweep()
	return err
}
