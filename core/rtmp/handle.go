package rtmp

import (
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/core/rtmp/chunk"
	"github.com/millrace/millrace/core/rtmp/message"
)

// handle acts on one message, and returns its event if it has one. Set Chunk
// Size and Abort were obeyed by the chunk reader.
func (s *Session) handle(m chunk.Message) Event {
	switch m.Type {
	case message.TypeAudio, message.TypeVideo:
		return s.handleMedia(m)
	case message.TypeDataAMF0, message.TypeDataAMF3:
		return s.handleData(m)
	case message.TypeAggregate:
		s.handleAggregate(m)
	case message.TypeCommandAMF0, message.TypeCommandAMF3:
		return s.handleCommand(m)
	case message.TypeUserControl:
		s.noteUserControl(media.Payload(m.Room))
	case message.TypeWindowAckSize:
		s.handleWindowAckSize(media.Payload(m.Room))
	case message.TypeSetChunkSize, message.TypeAbort, message.TypeAcknowledgement, message.TypeSetPeerBandwidth:
	default:
		s.ignored++
	}
	return nil
}

// publishes reports whether media on a message stream is welcome, and counts
// it if not.
func (s *Session) publishes(streamID uint32) bool {
	if s.state == Publishing && streamID == s.current {
		return true
	}
	s.ignored++
	return false
}

func (s *Session) handleMedia(m chunk.Message) Event {
	if !s.publishes(m.StreamID) {
		return nil
	}
	return s.mediaEvent(m.Type, m.Timestamp, m.Room)
}

func (s *Session) handleData(m chunk.Message) Event {
	if !s.publishes(m.StreamID) {
		return nil
	}
	return s.dataEvent(m.Type, m.Timestamp, m.Room)
}

func (s *Session) handleAggregate(m chunk.Message) {
	if s.publishes(m.StreamID) {
		s.parts = message.NewAggregate(media.Payload(m.Room), m.Timestamp)
	}
}

// nextPart returns the next event out of an aggregate, nil if there is none.
func (s *Session) nextPart() Event {
	for {
		p, ok, err := s.parts.Next()
		if err != nil {
			s.ignored++
		}
		if !ok {
			s.parts = message.Aggregate{} // lets go of its buffer
			return nil
		}
		if ev := s.partEvent(p); ev != nil {
			return ev
		}
	}
}

func (s *Session) partEvent(p message.Part) Event {
	room := media.NewRoom(len(p.Payload))
	copy(media.Payload(room), p.Payload)
	switch p.Type {
	case message.TypeAudio, message.TypeVideo:
		return s.mediaEvent(p.Type, p.Timestamp, room)
	case message.TypeDataAMF0, message.TypeDataAMF3:
		return s.dataEvent(p.Type, p.Timestamp, room)
	}
	s.ignored++
	return nil
}

func (s *Session) noteUserControl(b []byte) {
	if m, ok := s.handleUserControl(b); ok && m.Event == message.SetBufferLength {
		s.bufferLength = m.BufferLength
	}
}
