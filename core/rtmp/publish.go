package rtmp

import (
	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/rtmp/message"
)

// maxStreams is how many message streams a connection may create. It uses one
// at a time; players that change streams may delete the old one late.
const maxStreams = 8

// onCreateStream is NetConnection.createStream (section 7.2.1.3). It gives the
// lowest id that is free: on stream 1 players share chunk headers.
func (s *Session) onCreateStream(c call) Event {
	if c.ID == 0 {
		return nil
	}
	for id := 1; id <= maxStreams; id++ {
		if s.streams&(1<<id) == 0 {
			s.streams |= 1 << id
			s.result(c, nil, id)
			return nil
		}
	}
	s.refuse(c, CodeCallFailed, "too many streams")
	return nil
}

func (s *Session) onReleaseStream(c call) Event {
	s.result(c, nil, amf.Null{})
	return nil
}

// onFCPublish answers the call, but leaves onFCPublish, which says that
// publishing has started, for the verdict.
func (s *Session) onFCPublish(c call) Event {
	s.fcPublish = true
	s.result(c, nil, amf.Null{})
	return nil
}

// onPublish is NetStream.publish (section 7.2.2.6). Recording is not up to the
// client: the types record and append mean live.
func (s *Session) onPublish(c call) Event {
	if s.state != Idle {
		s.status(c.streamID, CodePublishBadName, "this connection publishes or plays already")
		return nil
	}
	ev := EventPublish{StreamID: c.streamID, PublishType: c.Text(1)}
	ev.App, ev.Name, ev.Query = SplitName(join(s.app, s.query), c.Text(0))
	if ev.Name == "" {
		s.status(c.streamID, CodePublishBadName, "no stream name")
		return nil
	}
	if ev.PublishType == "" {
		ev.PublishType = "live"
	}
	s.await(&waiting{event: publishing, call: c})
	return ev
}

// AcceptPublish lets the client publish.
func (s *Session) AcceptPublish(streamID uint32) error {
	w, err := s.decide(publishing, streamID)
	if err != nil {
		return err
	}
	s.state, s.current = Publishing, streamID
	name := w.call.Text(0)
	s.userControl(message.StreamBegin, streamID)
	s.status(streamID, CodePublishStart, name+" is now published")
	// gortmplib takes the first command that it gets for the answer.
	if s.fcPublish {
		s.fcPublish = false
		s.call(0, "onFCPublish", 0, nil, info(CodePublishStart, name))
	}
	return nil
}

// RejectPublish refuses with CodePublishBadName, CodePublishDenied or
// CodePublishRejected, and a description that OBS shows. The client may try
// again; whether it gets the chance is the caller's decision.
func (s *Session) RejectPublish(streamID uint32, code, description string) error {
	if _, err := s.decide(publishing, streamID); err != nil {
		return err
	}
	s.fcPublish = false
	s.status(streamID, code, description)
	return nil
}

// EndPublish ends what the client publishes, with CodeUnpublishSuccess or
// CodePublishRejected as a rule; media that still comes is ignored. It does
// nothing if that stream has ended.
func (s *Session) EndPublish(streamID uint32, code, description string) {
	if s.state != Publishing || s.current != streamID {
		return
	}
	s.idle()
	s.status(streamID, code, description)
}

// idle ends what is published or played.
func (s *Session) idle() {
	s.state, s.current = Idle, 0
	s.parts = message.Aggregate{}
}
