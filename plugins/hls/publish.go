package hls

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/millrace/millrace/plugins/hls/playlist"
	"github.com/millrace/millrace/plugins/record"
	"github.com/millrace/millrace/plugins/sdk"
)

const (
	playlistName = "index.m3u8"
	playlistType = "application/vnd.apple.mpegurl"
	// playlistTTL is how long a playlist is served that nobody renews: longer
	// than a publisher's grace.
	playlistTTL = 2 * time.Minute
)

// playlist is the playlist as it is now.
func (s *stream) playlist(ended bool) *playlist.Playlist {
	p := &playlist.Playlist{
		Target: s.target, Event: s.set.window == 0, Ended: ended, Breaks: s.breaks,
		Text: s.j.past.text, Segments: s.list, PartTarget: s.partTarget,
	}
	if s.set.part == 0 {
		p.PartTarget = 0
		return p
	}
	if ended {
		return p
	}
	if s.cur != nil {
		p.Open = &s.cur.segment.Segment
		p.Hint = s.paths.uri(s.pieceName(s.cur, len(s.cur.pieces)))
	} else if s.mux != nil {
		p.Hint = s.paths.uri(fmt.Sprintf("%d.0%s", s.number, s.mux.ext()))
	}
	return p
}

// publish stores the playlist under its two names, or, if a session that began
// later has that of the newest, under its own.
func (s *stream) publish(ended bool) error {
	p := s.playlist(ended)
	if p.Len() == 0 && (p.Open == nil || len(p.Open.Parts) == 0) {
		return nil
	}
	own, alias := s.paths.object(playlistName), s.paths.base+"/"+playlistName
	o := sdk.Object{
		Path: alias, ContentType: playlistType, CacheControl: "no-cache", TTL: playlistTTL,
		Blocking: s.set.part > 0, Hint: strings.TrimPrefix(p.Hint, "/"),
	}
	o.MSN, o.Part = s.reached(p)
	if ended {
		o.TTL = s.endTTL()
	}
	if d, ok := p.AppendDelta(nil); ok {
		o.Delta = d
	}
	if s.older {
		o.Path = own
	}
	stored, err := s.send(o, p)
	if stored && !s.older {
		o.Path, o.Parts = own, []string{alias}
		s.p.put(o)
	}
	return err
}

// sent is what the host has of the playlist.
type sent struct {
	path, tag string // tag: see [sdk.Grower]; "": nothing is known
	head      string
	lines     int64 // of past, in bytes
}

// send stores the playlist at o's path: what is new of it, if the rest is there.
// Sent whole for each segment, a playlist of all of them would cost more than
// the media after some hours.
func (s *stream) send(o sdk.Object, p *playlist.Playlist) (stored bool, err error) {
	last, now := s.sent, sent{path: o.Path, head: string(p.AppendHead(nil)), lines: p.Text.Size()}
	s.sent = sent{}
	if last.tag != "" && last.path == now.path && last.head == now.head {
		lines, err := s.j.past.lines(nil, last.lines)
		if err != nil {
			return false, err
		}
		o.Body = p.AppendTail(lines)
		if now.tag, err = s.p.grow(o, last.tag, int64(len(last.head))+last.lines); err == nil {
			s.sent = now
			return true, nil
		}
		if errors.Is(err, context.DeadlineExceeded) {
			return s.p.stored(o.Path, err), nil // all of it would take longer still
		}
		s.log.Debug("cannot add to the playlist; all of it is sent", "err", err)
	}
	if o.Body, err = s.render(p); err != nil {
		return false, err
	}
	if s.set.window > 0 {
		return s.p.put(o), nil
	}
	now.tag, stored = s.p.putTagged(o)
	s.sent = now
	return stored, nil
}

// render is the whole text of a playlist.
func (s *stream) render(p *playlist.Playlist) ([]byte, error) {
	size := max(s.rendered, int(p.Text.Size()))
	b := p.AppendHead(make([]byte, 0, size+size/16+512))
	b, err := s.j.past.lines(b, 0)
	if err != nil {
		return nil, err
	}
	b = p.AppendTail(b)
	s.rendered = len(b)
	return b, nil
}

// endTTL is how long the last playlist stays as an object: no longer than what
// it lists, which is on disk or goes when players had their time.
func (s *stream) endTTL() time.Duration {
	if s.set.disk {
		return playlistTTL
	}
	return time.Duration((s.set.window+2)*s.target) * time.Second
}

// reached says how far the playlist goes: all segments before msn, and part
// parts of that one.
func (s *stream) reached(p *playlist.Playlist) (msn, part int64) {
	if n := len(p.Segments); n > 0 {
		msn = p.Segments[n-1].Number + 1
	}
	if p.Open != nil {
		msn, part = p.Open.Number, int64(len(p.Open.Parts))
	}
	return msn, part
}

// segmentTTL is how long segments stay as objects: as long as a player may
// want them, or, where they are on disk too, until the live end is far away.
func (s *stream) segmentTTL() time.Duration {
	n := s.set.window + 2
	if s.set.window == 0 {
		n = 5
	}
	return time.Duration(2*n*s.target)*time.Second + 10*time.Second
}

// pieceTTL is how long chunks stay: until their segment is complete and, as
// parts, listed no more.
func (s *stream) pieceTTL() time.Duration {
	return time.Duration(6*s.target)*time.Second + 10*time.Second
}

// slide takes segments off the playlist that are more than its window.
func (s *stream) slide() {
	s.trimParts()
	if s.set.window == 0 {
		return
	}
	for len(s.list) > s.set.window {
		// "…remain available for a period of time equal to the duration of
		// the segment plus the duration of the longest Playlist that
		// contained it" (RFC 8216, 6.2.2).
		wait := s.list[0].Duration
		for i := range s.list {
			wait += s.list[i].Duration
		}
		old := s.drop()
		s.slid++
		s.p.reaper.add(s.p.now().Add(wait), s.remover(filepath.Base(old.URI)))
		if old.Key != "" && old.Key != s.list[0].Key {
			s.p.reaper.add(s.p.now().Add(wait), func() { s.p.removeKey(old.Key) })
		}
	}
}

// drop takes the oldest segment off the list.
func (s *stream) drop() playlist.Segment {
	old := s.list[0]
	if old.Break {
		s.breaks++
	}
	s.list = append(s.list[:0], s.list[1:]...)
	return old
}

// trimParts forgets parts that are not listed any more.
func (s *stream) trimParts() {
	if s.set.part == 0 {
		return
	}
	left := 4 * time.Duration(s.target) * time.Second
	for i := len(s.list) - 1; i >= 0 && (left > 0 || s.list[i].Parts != nil); i-- {
		if left <= 0 {
			s.list[i].Parts = nil
		}
		left -= s.list[i].Duration
	}
}

// remover removes a segment from disk and memory.
func (s *stream) remover(name string) func() {
	p, log := s.p, s.log
	object, file := s.paths.object(name), ""
	if s.set.disk {
		file = filepath.Join(s.paths.dir, name)
	}
	memory := s.set.memory
	return func() {
		if memory {
			p.deleteObject(object)
		}
		if file == "" {
			return
		}
		if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
			log.Warn("cannot remove an old segment", "err", err)
		}
	}
}

// sweep removes, later, what left the playlist before a process ended.
func (s *stream) sweep() {
	if s.set.window == 0 || !s.set.disk || len(s.list) == 0 {
		return
	}
	listed := map[string]bool{}
	wait := time.Duration(0)
	for i := range s.list {
		listed[filepath.Base(s.list[i].URI)] = true
		wait += s.list[i].Duration
	}
	if s.cur != nil {
		listed[s.cur.File] = true
	}
	entries, err := os.ReadDir(s.paths.dir)
	if err != nil {
		s.log.Warn("cannot look for old segments", "err", err)
		return
	}
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); (ext == ".ts" || ext == ".m4s") && !listed[e.Name()] {
			s.p.reaper.add(s.p.now().Add(wait), s.remover(e.Name()))
		}
	}
}

// sweep does the same for a session that has ended.
func (p *Plugin) sweep(j *journal, old *saved) {
	s := p.newStream(j, old.header)
	for i := range old.segments {
		s.list = append(s.list, old.segments[i].Segment)
	}
	for s.set.window > 0 && len(s.list) > s.set.window {
		s.drop()
	}
	s.sweep()
}

// writePlaylist brings the playlist on disk up to date, and has the alias lead
// to it.
func (s *stream) writePlaylist(ended bool) error {
	if !s.set.disk {
		return nil
	}
	p := s.playlist(ended)
	p.PartTarget = 0 // parts are in memory only
	var err error
	if added, failed := s.addToPlaylist(p); !added {
		err = s.rewritePlaylist(p)
	} else {
		err = failed
	}
	if err != nil {
		return fmt.Errorf("write the playlist: %w", err)
	}
	if s.linked {
		return nil
	}
	s.linked = true
	return s.link()
}

// written is what the playlist on disk has.
type written struct {
	head string // "": nothing is known
	text playlist.Text
}

// addToPlaylist adds the newest segment to the playlist on disk, if all else in
// it stays; see send.
func (s *stream) addToPlaylist(p *playlist.Playlist) (added bool, err error) {
	if s.set.window > 0 || p.Ended || s.written.text.Len() != p.Len()-1 || s.written.head != string(p.AppendHead(nil)) {
		return false, nil
	}
	err = record.AppendLines(s.playlistPath(), s.written.text.Add(&p.Segments[len(p.Segments)-1]))
	return !errors.Is(err, fs.ErrNotExist), err
}

func (s *stream) rewritePlaylist(p *playlist.Playlist) error {
	s.written = written{}
	b, err := s.render(p)
	if err != nil {
		return err
	}
	write := record.Replace
	if p.Ended {
		write = record.WriteFile
	}
	if err := write(s.playlistPath(), b); err != nil || s.set.window > 0 {
		return err
	}
	text := p.Text
	for i := range p.Segments {
		text.Add(&p.Segments[i])
	}
	s.written = written{head: string(p.AppendHead(nil)), text: text}
	return nil
}

func (s *stream) playlistPath() string { return filepath.Join(s.paths.dir, playlistName) }

// link has the alias lead to this session if it is the newest.
func (s *stream) link() error {
	err := os.MkdirAll(s.paths.alias, 0o755)
	if err == nil {
		err = record.LinkNewest(s.paths.link(), s.playlistPath(), s.head.Session, s.p.now())
	}
	if err != nil {
		return fmt.Errorf("link the newest session: %w", err)
	}
	return nil
}
