package rtmp

import (
	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/core/rtmp/message"
)

// onFCSubscribe is what rtmpdump sends before it plays live.
func (s *Session) onFCSubscribe(c call) Event {
	s.result(c, nil, amf.Null{})
	s.call(0, "onFCSubscribe", 0, nil, info(CodePlayStart, c.Text(0)))
	return nil
}

// onPlay is NetStream.play (section 7.2.2.1).
func (s *Session) onPlay(c call) Event {
	if s.state != Idle {
		s.status(c.streamID, CodePlayFailed, "this connection publishes or plays already")
		return nil
	}
	ev := EventPlay{StreamID: c.streamID, Start: c.Number(1, -2), Duration: c.Number(2, -1), Reset: c.Bool(3, true)}
	ev.App, ev.Name, ev.Query = SplitName(join(s.app, s.query), c.Text(0))
	if ev.Name == "" {
		s.status(c.streamID, CodePlayStreamNotFound, "no stream name")
		return nil
	}
	s.await(&waiting{event: playing, call: c, reset: ev.Reset})
	return ev
}

// AcceptPlay tells the player that the stream begins; what the caller sends
// after the output are media messages.
func (s *Session) AcceptPlay(streamID uint32) error {
	w, err := s.decide(playing, streamID)
	if err != nil {
		return err
	}
	s.state, s.current = Playing, streamID
	name := w.call.Text(0)
	s.userControl(message.StreamBegin, streamID)
	if w.reset {
		s.status(streamID, CodePlayReset, "playing and resetting "+name)
	}
	s.status(streamID, CodePlayStart, "started playing "+name)
	// The data messages |RtmpSampleAccess and NetStream.Data.Start that
	// Flash was sent are left out: libavformat makes a data stream of codec
	// "none" and tags of them, and nobody else looks at them.
	return nil
}

// RejectPlay refuses with CodePlayStreamNotFound or CodePlayFailed.
func (s *Session) RejectPlay(streamID uint32, code, description string) error {
	if _, err := s.decide(playing, streamID); err != nil {
		return err
	}
	s.status(streamID, code, description)
	return nil
}

// RedirectPlay sends the player to another URL, as SRS does: there is no word
// for it in the specification, and who does not know this one is refused.
func (s *Session) RedirectPlay(streamID uint32, url string) error {
	if _, err := s.decide(playing, streamID); err != nil {
		return err
	}
	o := info(CodeConnectRejected, "redirected")
	o.Props = append(o.Props, amf.Property{Name: "ex", Value: &amf.Object{Props: []amf.Property{
		{Name: "code", Value: redirectCode},
		{Name: "redirect", Value: url},
	}}})
	s.call(streamID, "onStatus", 0, nil, o)
	return nil
}

// redirectCode is HTTP's "Found".
const redirectCode = 302

// EndPlay tells the player that the stream is over, with CodePlayUnpublish as
// a rule. It does nothing if the player has stopped. Some players end at the
// one message, some at the other, so there are both; the caller closes after
// a moment.
func (s *Session) EndPlay(streamID uint32, code, description string) {
	if s.state != Playing || s.current != streamID {
		return
	}
	s.idle()
	s.userControl(message.StreamEOF, streamID)
	s.status(streamID, code, description)
}

// onPlay2 is NetStream.play2 (section 7.2.2.2): there is one bit rate.
func (s *Session) onPlay2(c call) Event {
	s.refuse(c, CodePlayFailed, "play2 is not supported")
	s.status(c.streamID, CodePlayFailed, "play2 is not supported")
	return nil
}

// plays reports whether a call is about the stream that is played.
func (s *Session) plays(c call) bool {
	if s.state == Playing && (c.streamID == s.current || c.streamID == 0) {
		return true
	}
	s.ignored++
	return false
}

// onPause is NetStream.pause (section 7.2.2.9).
func (s *Session) onPause(c call) Event {
	if !s.plays(c) {
		return nil
	}
	ev := EventPause{StreamID: s.current, Paused: c.Bool(0, true), Time: c.Number(1, 0)}
	if ev.Paused {
		s.status(s.current, CodePauseNotify, "paused")
	} else {
		s.status(s.current, CodeUnpauseNotify, "going on")
	}
	return ev
}

// onSeek is NetStream.seek (section 7.2.2.8). A live stream has one position,
// yet to refuse would leave ffmpeg waiting for Seek.Notify.
func (s *Session) onSeek(c call) Event {
	if !s.plays(c) {
		return nil
	}
	s.status(s.current, CodeSeekNotify, "live")
	return EventSeek{StreamID: s.current, Time: c.Number(0, 0)}
}

// onReceiveAudio is NetStream.receiveAudio (section 7.2.2.4), which may come
// before play.
func (s *Session) onReceiveAudio(c call) Event { return s.receive(c, media.Audio) }

// onReceiveVideo is NetStream.receiveVideo (section 7.2.2.5).
func (s *Session) onReceiveVideo(c call) Event { return s.receive(c, media.Video) }

func (s *Session) receive(c call, kind media.Kind) Event {
	if s.state == Publishing {
		s.ignored++
		return nil
	}
	return EventReceive{StreamID: c.streamID, Kind: kind, On: c.Bool(0, true)}
}
