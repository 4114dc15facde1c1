package rtmp

import (
	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/core/rtmp/chunk"
	"github.com/millrace/millrace/core/rtmp/message"
)

// connectID is the transaction id of connect. "It is always equal to 1"
// (section 7.2.1.1).
const connectID = 1

// invoke calls a procedure of the server and returns the transaction id.
func (c *Client) invoke(streamID uint32, name string, args ...any) float64 {
	c.lastID++
	c.call(streamID, name, c.lastID, nil, args...)
	return c.lastID
}

func (c *Client) connect() {
	c.setChunkSize(c.opts.ChunkSize)
	if c.opts.WindowAckSize > 0 {
		c.control(message.WindowAckSize{Size: c.opts.WindowAckSize})
	}
	o := &amf.Object{Props: []amf.Property{
		{Name: "app", Value: c.opts.App},
		{Name: "flashVer", Value: c.opts.FlashVer},
		{Name: "tcUrl", Value: c.opts.TcURL},
	}}
	if c.opts.Publish {
		o.Props = append(o.Props, amf.Property{Name: "type", Value: "nonprivate"})
	}
	c.lastID = connectID
	c.call(0, "connect", connectID, o)
}

func (c *Client) createStream() {
	if c.opts.Publish {
		c.invoke(0, "releaseStream", c.opts.Name)
		c.invoke(0, "FCPublish", c.opts.Name)
	}
	c.creating = c.invoke(0, "createStream")
}

// begin asks to publish or play.
func (c *Client) begin() {
	if c.opts.Publish {
		c.invoke(c.streamID, "publish", c.opts.Name, "live")
		return
	}
	c.invoke(c.streamID, "play", c.opts.Name, -2000)
	if n := c.opts.BufferLength; n > 0 {
		c.control(message.UserControl{Event: message.SetBufferLength, Value: c.streamID, BufferLength: n})
	}
}

// SendMedia appends an audio, video or data message to the output. timestamp
// is in ms; payload, which is copied, is FLV tag data.
func (c *Client) SendMedia(kind media.Kind, timestamp uint32, payload []byte) {
	c.out = chunk.AppendMessage(c.out, uint32(kind.ChunkStream()), uint8(kind), c.streamID, timestamp, payload, c.chunkSize)
}

// Stop ends the stream as encoders and players do. The server answers; the
// caller closes.
func (c *Client) Stop() {
	if c.opts.Publish {
		c.invoke(0, "FCUnpublish", c.opts.Name)
	}
	c.invoke(0, "deleteStream", float64(c.streamID))
	c.started = false
}
