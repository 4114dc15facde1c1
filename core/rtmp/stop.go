package rtmp

import "github.com/millrace/millrace/core/amf"

// onFCUnpublish is how OBS, ffmpeg and others announce the end of what they
// publish, before deleteStream.
func (s *Session) onFCUnpublish(c call) Event {
	s.fcPublish = false
	s.call(0, "onFCUnpublish", 0, nil, info(CodeUnpublishSuccess, c.Text(0)))
	s.result(c, nil, amf.Null{})
	if s.state != Publishing {
		return nil
	}
	return s.stop(s.current, c.Name)
}

// onDeleteStream is NetStream.deleteStream (section 7.2.2.3), which has no
// answer. GStreamer gives the stream's name instead of its number: that means
// the one stream there is.
func (s *Session) onDeleteStream(c call) Event {
	id := s.current
	if n, ok := c.Arg(0).(float64); ok {
		if !(n >= 0 && n <= 0xFFFFFFFF) {
			return nil
		}
		id = uint32(n)
	}
	if id <= maxStreams {
		s.streams &^= 1 << id
	}
	return s.stop(id, c.Name)
}

// onCloseStream comes on the stream that it closes, or from GStreamer on
// stream 0, with the name.
func (s *Session) onCloseStream(c call) Event {
	id := c.streamID
	if id == 0 {
		id = s.current
	}
	return s.stop(id, c.Name)
}

// stop ends what is published or played on a message stream, by the peer's
// will.
func (s *Session) stop(id uint32, command string) Event {
	if id != s.current {
		return nil
	}
	switch s.state {
	case Publishing:
		s.idle()
		s.status(id, CodeUnpublishSuccess, "publishing stopped")
		return EventUnpublish{StreamID: id, Command: command}
	case Playing:
		s.idle()
		return EventStop{StreamID: id, Command: command}
	}
	return nil
}
