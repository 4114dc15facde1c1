package rtmp

import (
	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/media"
)

// Event is what a [Session] has to tell: one of the Event… types, as a value,
// but for [*EventMedia].
type Event interface{ event() }

// EventNone says that the session needs more bytes, or a verdict.
type EventNone struct{}

// EventConnect asks for [Session.AcceptConnect] or [Session.RejectConnect].
type EventConnect struct{ ConnectInfo }

// ConnectInfo is what a client says of itself (section 7.2.1.1).
type ConnectInfo struct {
	// App is the application, without query, outer slashes and empty
	// segments; Query is its query string, undecoded. Where the app is
	// missing, or has no query, those of TcURL stand in.
	App, Query string
	// VHost is the vhost parameter of the query, or else the host in TcURL.
	VHost string

	TcURL, PageURL, SwfURL, FlashVer string
	// Type is "nonprivate" with publishers as a rule.
	Type string
	// ObjectEncoding is 0 for AMF0, 3 for AMF3.
	ObjectEncoding float64
	// FourCcList and CapsEx are what an Enhanced RTMP client can do.
	FourCcList []string
	CapsEx     uint32
	// Raw is the whole command object.
	Raw *amf.Object
}

// EventPublish asks for [Session.AcceptPublish] or [Session.RejectPublish].
type EventPublish struct {
	StreamID uint32
	// App, Name and Query are those of [SplitName].
	App, Name, Query string
	// PublishType is live, record or append.
	PublishType string
}

// EventPlay asks for [Session.AcceptPlay] or [Session.RejectPlay].
type EventPlay struct {
	StreamID uint32
	// App, Name and Query are those of [SplitName].
	App, Name, Query string
	// Start is in s, or -2 (live, else recorded) or -1 (live only), which
	// some clients give in ms as -2000 and -1000. Duration is in s, -1 for
	// all.
	Start, Duration float64
	// Reset says that the client wants earlier playlists flushed.
	Reset bool
}

// EventMedia is an audio, video or data message of the publisher. It comes as
// a pointer into the session that holds until the next call of Next.
type EventMedia struct {
	// Kind is media.Audio, media.Video or media.Data. The payload of data is
	// AMF0, its name first (see message.UnifyData).
	Kind media.Kind
	// Timestamp is in ms, modulo 2^32.
	Timestamp uint32
	// Room is the payload with space around it (media.NewRoom). It belongs
	// to the receiver of the event.
	Room []byte
}

// EventUnpublish says that the publisher ended its stream by itself.
type EventUnpublish struct {
	StreamID uint32
	// Command is how: FCUnpublish, deleteStream or closeStream.
	Command string
}

// EventStop says that the player ended the stream by itself.
type EventStop struct {
	StreamID uint32
	// Command is how: deleteStream or closeStream.
	Command string
}

// EventPause says that the player pauses or goes on. It was answered.
type EventPause struct {
	StreamID uint32
	Paused   bool
	// Time is the player's position in ms.
	Time float64
}

// EventSeek says that the player wants another position. It was answered with
// Seek.Notify, without which ffmpeg waits for ever.
type EventSeek struct {
	StreamID uint32
	// Time is in ms.
	Time float64
}

// EventReceive says that the player wants a medium, or no longer.
type EventReceive struct {
	StreamID uint32
	// Kind is media.Audio or media.Video.
	Kind media.Kind
	On   bool
}

// EventClose says that the peer wants the connection closed. The session
// ignores all that comes after it.
type EventClose struct{}

func (EventNone) event()      {}
func (EventConnect) event()   {}
func (EventPublish) event()   {}
func (EventPlay) event()      {}
func (*EventMedia) event()    {}
func (EventUnpublish) event() {}
func (EventStop) event()      {}
func (EventPause) event()     {}
func (EventSeek) event()      {}
func (EventReceive) event()   {}
func (EventClose) event()     {}
