package playlist

import (
	"strconv"
	"time"
)

// Parts are listed while they are less than partsKept target durations from
// the end (RFC 8216bis, 6.2.2: at least three); segments older than skipAfter
// may be skipped (6.2.5.1: at least six).
const (
	partsKept = 3
	skipAfter = 6
)

// holdBack is how many part targets players stay behind the end (RFC 8216bis,
// 4.4.3.8: at least two, three recommended).
const holdBack = 3

// Append appends the playlist, but for the lines of its Text, if that has some.
func (p *Playlist) Append(dst []byte) []byte { return p.AppendTail(p.AppendHead(dst)) }

// AppendTail appends what stands behind the lines of Text.
func (p *Playlist) AppendTail(dst []byte) []byte { return p.tail(dst, 0) }

// AppendDelta appends a delta update (RFC 8216bis, 6.2.5.1). ok is false, and
// dst as it was, if there is nothing to skip, or not all of Text.
func (p *Playlist) AppendDelta(dst []byte) (_ []byte, ok bool) {
	n := p.skippable()
	if n == 0 {
		return dst, false
	}
	dst = tag(p.AppendHead(dst), "#EXT-X-SKIP:SKIPPED-SEGMENTS=", strconv.AppendInt(nil, int64(n), 10))
	return p.tail(dst, n-p.Text.n), true
}

// skippable is how many segments lie before the skip boundary.
func (p *Playlist) skippable() int {
	left := p.Duration() - p.skipBoundary() - p.Text.long
	if p.PartTarget == 0 || p.Ended || left < 0 {
		return 0
	}
	n := 0
	for n < len(p.Segments) && p.Segments[n].Duration <= left {
		left -= p.Segments[n].Duration
		n++
	}
	return p.Text.n + n
}

func (p *Playlist) target() time.Duration       { return time.Duration(p.Target) * time.Second }
func (p *Playlist) skipBoundary() time.Duration { return skipAfter * p.target() }

// tail lists Segments but the first skip, and what comes after them.
func (p *Playlist) tail(dst []byte, skip int) []byte {
	w := writer{
		dst: dst, key: p.Text.key, uri: p.Text.uri,
		withParts: p.Duration() - partsKept*p.target() - p.Text.long, parts: p.PartTarget > 0,
	}
	for i := range p.Segments {
		w.segment(&p.Segments[i], i < skip)
	}
	if p.Ended {
		return append(w.dst, "#EXT-X-ENDLIST\n"...)
	}
	if p.PartTarget > 0 {
		w.open(p)
	}
	return w.dst
}

// AppendHead appends what stands before the segments. A playlist whose head stays
// may grow by the lines of its new segments; see [Text].
func (p *Playlist) AppendHead(dst []byte) []byte {
	dst = append(dst, "#EXTM3U\n#EXT-X-VERSION:"...)
	dst = append(strconv.AppendInt(dst, int64(p.version()), 10), '\n')
	dst = append(dst, "#EXT-X-TARGETDURATION:"...)
	dst = append(strconv.AppendInt(dst, int64(p.Target), 10), '\n')
	if p.PartTarget > 0 {
		dst = p.appendControl(dst)
	}
	dst = append(dst, "#EXT-X-MEDIA-SEQUENCE:"...)
	dst = append(strconv.AppendInt(dst, p.first(), 10), '\n')
	if p.Breaks > 0 {
		dst = append(dst, "#EXT-X-DISCONTINUITY-SEQUENCE:"...)
		dst = append(strconv.AppendInt(dst, p.Breaks, 10), '\n')
	}
	switch {
	case p.Event && p.Ended:
		dst = append(dst, "#EXT-X-PLAYLIST-TYPE:VOD\n"...)
	case p.Event:
		dst = append(dst, "#EXT-X-PLAYLIST-TYPE:EVENT\n"...)
	}
	return dst
}

// appendControl appends what low latency adds to the head.
func (p *Playlist) appendControl(dst []byte) []byte {
	if !p.Ended {
		dst = append(dst, "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL="...)
		dst = seconds(dst, p.skipBoundary())
		dst = append(dst, ",PART-HOLD-BACK="...)
		dst = append(seconds(dst, holdBack*p.PartTarget), '\n')
	}
	dst = append(dst, "#EXT-X-PART-INF:PART-TARGET="...)
	return append(seconds(dst, p.PartTarget), '\n')
}

// writer lists segments in order and remembers what holds.
type writer struct {
	dst      []byte
	key, uri string // of the key and of the map in force
	// withParts is how much time goes by before parts are listed.
	withParts time.Duration
	parts     bool
}

// segment lists a segment that is complete, or only remembers what it changes.
func (w *writer) segment(s *Segment, skip bool) {
	w.withParts -= s.Duration
	if skip {
		w.key, w.uri = s.Key, s.Map
		return
	}
	w.head(s)
	if w.parts && w.withParts < 0 {
		w.listParts(s)
	}
	w.dst = append(w.dst, "#EXTINF:"...)
	w.dst = append(seconds(w.dst, s.Duration), ",\n"...)
	w.dst = append(append(w.dst, s.URI...), '\n')
}

// head lists what stands before a segment's first part.
func (w *writer) head(s *Segment) {
	if s.Break {
		w.dst = append(w.dst, "#EXT-X-DISCONTINUITY\n"...)
	}
	if s.Map != w.uri {
		// A map is encrypted by the key in force, and needs an IV then
		// (RFC 8216, 4.3.2.5): ours is not.
		if w.key != "" {
			w.dst = append(w.dst, "#EXT-X-KEY:METHOD=NONE\n"...)
			w.key = ""
		}
		w.dst = append(append(append(w.dst, `#EXT-X-MAP:URI="`...), s.Map...), "\"\n"...)
		w.uri = s.Map
	}
	if s.Key != w.key {
		w.listKey(s.Key)
	}
	w.dst = append(w.dst, "#EXT-X-PROGRAM-DATE-TIME:"...)
	w.dst = append(s.Started.UTC().AppendFormat(w.dst, "2006-01-02T15:04:05.000Z"), '\n')
}

func (w *writer) listKey(uri string) {
	w.key = uri
	if uri == "" {
		w.dst = append(w.dst, "#EXT-X-KEY:METHOD=NONE\n"...)
		return
	}
	w.dst = append(append(append(w.dst, `#EXT-X-KEY:METHOD=AES-128,URI="`...), uri...), "\"\n"...)
}

func (w *writer) listParts(s *Segment) {
	for _, p := range s.Parts {
		w.dst = append(w.dst, "#EXT-X-PART:DURATION="...)
		w.dst = seconds(w.dst, p.Duration)
		w.dst = append(append(append(w.dst, `,URI="`...), p.URI...), '"')
		if p.Independent {
			w.dst = append(w.dst, ",INDEPENDENT=YES"...)
		}
		w.dst = append(w.dst, '\n')
	}
}

// open lists the parts of the segment that grows, and what comes next.
func (w *writer) open(p *Playlist) {
	if p.Open != nil && len(p.Open.Parts) > 0 {
		w.head(p.Open)
		w.listParts(p.Open)
	}
	if p.Hint != "" {
		w.dst = append(append(append(w.dst, `#EXT-X-PRELOAD-HINT:TYPE=PART,URI="`...), p.Hint...), "\"\n"...)
	}
}

func tag(dst []byte, name string, value []byte) []byte {
	return append(append(append(dst, name...), value...), '\n')
}
