package flvrecorder

import (
	"bytes"

	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/flv"
	"github.com/millrace/millrace/core/media"
)

// news says what a sequence header changes.
type news uint8

const (
	same    news = iota // it was in force
	added               // there was none of its kind and track
	changed             // it takes another's place
)

// setHeader puts a sequence header or extra into force.
func (s *stream) setHeader(f *media.Frame) news {
	alt, body := wire(f)
	h := header{Kind: f.Kind, Track: f.Track, Role: f.Flags & (media.Config | media.Extra)}
	for i, old := range s.headers {
		if old.Kind != h.Kind || old.Track != h.Track || old.Role != h.Role {
			continue
		}
		n := len(alt)
		if len(old.Payload) == n+len(body) && bytes.Equal(old.Payload[:n], alt) && bytes.Equal(old.Payload[n:], body) {
			return same
		}
		h.Payload = append(bytes.Clone(alt), body...)
		s.headers[i] = h
		return changed
	}
	h.Payload = append(bytes.Clone(alt), body...)
	s.headers = append(s.headers, h)
	return added
}

// observe keeps what is in force while nothing is written.
func (s *stream) observe(f *media.Frame) {
	switch {
	case isMetadata(f):
		s.publisher = f.Payload()
	case f.Flags&(media.Config|media.Extra) != 0:
		s.setHeader(f)
	}
}

func isMetadata(f *media.Frame) bool { return f.Kind == media.Data && f.Flags&media.Metadata != 0 }

// told says which media the server's onMetaData tells of, which are those that
// it has seen.
func told(publisher []byte) (audio, video bool) {
	m, err := flv.ParseMetadata(publisher, amf.Limits{})
	if err != nil {
		return false, false
	}
	a, _ := amf.Lookup(m.Props, "hasAudio")
	v, _ := amf.Lookup(m.Props, "hasVideo")
	audio, _ = a.(bool)
	video, _ = v.(bool)
	return audio, video
}
