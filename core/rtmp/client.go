package rtmp

import (
	"crypto/rand"
	"io"

	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/core/rtmp/chunk"
	"github.com/millrace/millrace/core/rtmp/handshake"
	"github.com/millrace/millrace/core/rtmp/message"
)

// ClientOptions of a [Client]. A field that is 0 or nil takes its default.
type ClientOptions struct {
	// App, TcURL and FlashVer go into connect.
	App, TcURL, FlashVer string
	// Name is the stream's name, with its query.
	Name string
	// Publish says that the client publishes; else it plays.
	Publish bool
	// ChunkSize is the size of the chunks that we send, in bytes; default
	// 65,536.
	ChunkSize int
	// BufferLength is what a player asks for, in ms; 0 asks for nothing.
	BufferLength uint32
	// WindowAckSize asks the server for acknowledgements; 0 does not.
	WindowAckSize uint32
	// Limits bounds messages.
	Limits chunk.Limits
	// AMFDepth is how deep values may nest; default 32.
	AMFDepth int
	// Form is the handshake's; default simple.
	Form handshake.Form
	// Rand yields the random data of the handshake; default crypto/rand.
	Rand io.Reader
}

// Client is the client's side of one connection that publishes or plays one
// stream. It is used like a [Session]: the first Feed may be with no bytes and
// makes the first output. Its events are EventStatus, EventStreamEOF,
// EventClose and *EventMedia.
//
// A Client belongs to one goroutine.
type Client struct {
	wire
	opts ClientOptions
	hs   *handshake.Client // nil when done
	err  error

	lastID   float64 // transaction id given last
	creating float64 // that of createStream
	streamID uint32
	started  bool
}

// EventStatus is what the server says of the connection or the stream.
type EventStatus struct {
	StreamID                 uint32
	Level, Code, Description string
}

// EventStreamEOF says that the server has sent the whole stream.
type EventStreamEOF struct{ StreamID uint32 }

func (EventStatus) event()    {}
func (EventStreamEOF) event() {}

// NewClient returns a client before the first byte.
func NewClient(o ClientOptions) *Client {
	if o.ChunkSize <= 0 {
		o.ChunkSize = 65536
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	return &Client{
		wire: newWire(o.Limits, o.AMFDepth),
		opts: o,
		hs:   handshake.NewClient(o.Rand, 0, o.Form),
	}
}

// TakeOutput returns the bytes to send, nil if there are none. They belong to
// the caller.
func (c *Client) TakeOutput() []byte { return c.takeOutput() }

// Started reports whether the server has accepted the stream: media may be
// sent, or will come.
func (c *Client) Started() bool { return c.started }

// StreamID is the message stream in use, 0 before there is one.
func (c *Client) StreamID() uint32 { return c.streamID }

// Feed gives bytes to the client, which refers to b until Next returns
// EventNone.
func (c *Client) Feed(b []byte) error {
	c.received += uint64(len(b))
	if c.hs != nil && c.err == nil {
		b = c.shakeHands(b)
	}
	if c.err == nil {
		c.in.Feed(b)
	}
	return c.err
}

func (c *Client) shakeHands(b []byte) []byte {
	n, out, done, err := c.hs.Feed(b)
	c.err = err
	c.out = append(c.out, out...)
	if done {
		c.hs = nil
		c.connect()
	}
	return b[n:]
}

// Next returns the next event, EventNone if there is none. An error is final.
func (c *Client) Next() (Event, error) {
	for c.err == nil {
		m, ok, err := c.in.Next()
		c.err = err
		if !ok {
			c.acknowledge()
			break
		}
		if ev := c.handle(m); ev != nil {
			return ev, nil
		}
	}
	return EventNone{}, c.err
}

func (c *Client) handle(m chunk.Message) Event {
	payload := media.Payload(m.Room)
	switch m.Type {
	case message.TypeAudio, message.TypeVideo:
		return c.mediaEvent(m.Type, m.Timestamp, m.Room)
	case message.TypeDataAMF0, message.TypeDataAMF3:
		return c.dataEvent(m.Type, m.Timestamp, m.Room)
	case message.TypeCommandAMF0, message.TypeCommandAMF3:
		return c.handleCommand(m)
	case message.TypeWindowAckSize:
		c.handleWindowAckSize(payload)
	case message.TypeUserControl:
		if u, ok := c.handleUserControl(payload); ok && u.Event == message.StreamEOF {
			return EventStreamEOF{StreamID: u.Value}
		}
	}
	return nil
}

func (c *Client) handleCommand(m chunk.Message) Event {
	cmd, err := message.DecodeCommand(m.Type, media.Payload(m.Room), c.amf)
	if err != nil {
		c.err = &chunk.ProtocolError{Op: "read command", Offset: c.in.Offset(), Err: err}
		return nil
	}
	switch cmd.Name {
	case "_result":
		c.onResult(cmd)
	case "_error", "onStatus":
		return c.onStatus(m.StreamID, cmd)
	case "close":
		return EventClose{}
	}
	return nil
}

// onResult takes the next step when the server has taken the one before.
func (c *Client) onResult(cmd message.Command) {
	switch {
	case cmd.ID == connectID:
		c.createStream()
	case cmd.ID == c.creating:
		c.streamID = uint32(cmd.Number(0, 0))
		c.begin()
	}
}

func (c *Client) onStatus(streamID uint32, cmd message.Command) Event {
	text := func(name string) string {
		v, _ := amf.Lookup(cmd.Arg(0), name)
		s, _ := v.(string)
		return s
	}
	ev := EventStatus{StreamID: streamID, Level: text("level"), Code: text("code"), Description: text("description")}
	switch ev.Code {
	case CodePublishStart, CodePlayStart:
		c.started = true
	case CodePublishRejected, CodeUnpublishSuccess, CodePlayUnpublish, CodePlayStop:
		c.started = false
	}
	return ev
}
