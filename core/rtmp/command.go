package rtmp

import (
	"errors"
	"fmt"
	"strings"

	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/core/rtmp/chunk"
	"github.com/millrace/millrace/core/rtmp/message"
)

// ErrNotConnected says that the peer wants something before connect.
var ErrNotConnected = errors.New("command before connect")

// call is a command with the message stream it came on.
type call struct {
	message.Command
	streamID uint32
}

// commands are the procedures that a peer may call.
var commands = map[string]func(*Session, call) Event{
	"connect":         (*Session).onConnect,
	"close":           (*Session).onClose,
	"createStream":    (*Session).onCreateStream,
	"deleteStream":    (*Session).onDeleteStream,
	"closeStream":     (*Session).onCloseStream,
	"releaseStream":   (*Session).onReleaseStream,
	"FCPublish":       (*Session).onFCPublish,
	"FCUnpublish":     (*Session).onFCUnpublish,
	"FCSubscribe":     (*Session).onFCSubscribe,
	"publish":         (*Session).onPublish,
	"play":            (*Session).onPlay,
	"play2":           (*Session).onPlay2,
	"pause":           (*Session).onPause,
	"seek":            (*Session).onSeek,
	"receiveAudio":    (*Session).onReceiveAudio,
	"receiveVideo":    (*Session).onReceiveVideo,
	"getStreamLength": (*Session).onGetStreamLength,
	"_checkbw":        (*Session).onCheckBandwidth,
	"checkBandwidth":  (*Session).onCheckBandwidth,
}

func (s *Session) handleCommand(m chunk.Message) Event {
	cmd, err := message.DecodeCommand(m.Type, media.Payload(m.Room), s.amf)
	if errors.Is(err, amf.ErrDepth) {
		err = fmt.Errorf("%w: more than limits.amf_depth (%d)", err, s.opts.AMFDepth)
	}
	if err != nil {
		s.fail("read command", err)
		return nil
	}
	c := call{cmd, m.StreamID}
	handler := commands[c.Name]
	if s.state == Connecting && c.Name != "connect" && c.Name != "close" {
		s.fail("read command", ErrNotConnected)
		return nil
	}
	if handler == nil {
		s.onUnknown(c)
		return nil
	}
	return handler(s, c)
}

// onUnknown refuses a call, but takes no notice of answers and notices: to
// answer them could go on for ever.
func (s *Session) onUnknown(c call) {
	s.ignored++
	if c.Name != "_result" && c.Name != "_error" && !strings.HasPrefix(c.Name, "on") {
		s.refuse(c, CodeCallFailed, "no such procedure")
	}
}

func (s *Session) onClose(call) Event {
	s.end()
	return EventClose{}
}

// onGetStreamLength says that a live stream has no length. ffmpeg asks on
// stream 0 before it plays.
func (s *Session) onGetStreamLength(c call) Event {
	s.result(c, nil, 0)
	return nil
}

// onCheckBandwidth does not follow with onBWDone: ffmpeg would ask again, and
// so on.
func (s *Session) onCheckBandwidth(c call) Event {
	s.result(c, nil, amf.Null{})
	return nil
}
