package chunk

import "github.com/millrace/millrace/core/media"

// stream is what a chunk stream keeps between chunks.
type stream struct {
	id       uint32
	streamID uint32
	length   uint32
	typ      uint8

	// The newest type 0, 1 or 2 header: its type, its timestamp or delta,
	// and whether that was an extended one.
	format   uint8
	extended bool
	field    uint32

	timestamp uint32
	// room is the message in progress, nil if there is none; got counts its
	// payload bytes. Until they are all there, room may be smaller than the
	// message.
	room []byte
	got  int
}

// space is how many payload bytes fit into room.
func (s *stream) space() int { return len(s.room) - media.Headroom - media.Tailroom }

// take stores the fields of a type 0, 1 or 2 header.
func (s *stream) take(h header) {
	s.format, s.extended, s.field = h.format, h.extended, h.field
	if h.format <= 1 {
		s.length, s.typ = h.length, h.typ
	}
	if h.format == 0 {
		s.streamID = h.streamID
	}
}

// continues reports whether a chunk goes on with the message in progress. All
// its chunks but the first "SHOULD use" type 3 (section 5.3.1.2.4); like ffmpeg
// we take the other types too, unless they announce another message.
func (s *stream) continues(h header) bool {
	return s.room != nil && (h.format >= 2 || h.length == s.length && h.typ == s.typ)
}

// advance moves the timestamp on to a new message that starts with a chunk of
// a type.
func (s *stream) advance(format uint8) {
	if format == 0 {
		s.timestamp = s.field
		return
	}
	// "If a Type 3 chunk follows a Type 0 chunk, then the timestamp delta
	// for this Type 3 chunk is the same as the timestamp of the Type 0
	// chunk" (section 5.3.1.2.4), and ffmpeg and GStreamer write them so.
	// A delta of more than 4.6 hours is nobody's meaning, however: librtmp
	// writes type 3 for "same timestamp".
	if format == 3 && s.format == 0 && s.extended {
		return
	}
	s.timestamp += s.field
}
