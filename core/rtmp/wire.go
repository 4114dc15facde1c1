package rtmp

import (
	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/core/rtmp/chunk"
	"github.com/millrace/millrace/core/rtmp/message"
)

// Chunk streams that we send on. Media has its own (media.Kind.ChunkStream).
const (
	controlStream = 2
	commandStream = 3
)

// defaultChunkSize holds in both directions until Set Chunk Size.
const defaultChunkSize = 128

// wire is what both sides of a connection do alike.
type wire struct {
	in        *chunk.Reader
	out       []byte
	chunkSize int // ours, in force
	amf       amf.Limits

	received, acked uint64
	window          uint32 // the peer's acknowledgement window, 0: none
	ignored         uint64
	media           EventMedia
}

func newWire(limits chunk.Limits, amfDepth int) wire {
	return wire{in: chunk.NewReader(limits), chunkSize: defaultChunkSize, amf: amf.Limits{Depth: amfDepth}}
}

func (w *wire) send(csid, streamID uint32, m message.Body) {
	w.out = chunk.AppendMessage(w.out, csid, m.Type(), streamID, 0, m.Append(nil), w.chunkSize)
}

func (w *wire) control(m message.Body) { w.send(controlStream, 0, m) }

// setChunkSize changes the size of the chunks that we send.
func (w *wire) setChunkSize(n int) {
	w.control(message.SetChunkSize{Size: uint32(n)})
	w.chunkSize = n
}

// call calls a procedure of the peer, or answers one of its calls.
func (w *wire) call(streamID uint32, name string, id float64, object any, args ...any) {
	w.send(commandStream, streamID, message.Command{Name: name, ID: id, Object: object, Args: args})
}

// takeOutput gives away what is to be sent.
func (w *wire) takeOutput() []byte {
	out := w.out
	w.out = nil
	return out
}

// handleUserControl answers pings and returns the event for more.
func (w *wire) handleUserControl(b []byte) (message.UserControl, bool) {
	m, err := message.DecodeUserControl(b)
	if err != nil {
		w.ignored++
		return m, false
	}
	if m.Event == message.PingRequest {
		w.control(message.UserControl{Event: message.PingResponse, Value: m.Value})
	}
	return m, true
}

// minWindow is the least distance of two acknowledgements, in bytes: a peer
// that asks for more would have us send more than it does.
const minWindow = 4096

func (w *wire) handleWindowAckSize(b []byte) {
	m, err := message.DecodeWindowAckSize(b)
	if err != nil {
		w.ignored++
		return
	}
	w.window = m.Size
	if w.window > 0 {
		w.window = max(w.window, minWindow)
	}
}

// acknowledge sends an acknowledgement if the peer's window was passed. "The
// window size is the maximum number of bytes that the sender sends without
// receiving acknowledgment from the receiver" (section 5.4.4).
func (w *wire) acknowledge() {
	if w.window == 0 || w.received-w.acked < uint64(w.window) {
		return
	}
	w.acked = w.received
	w.control(message.Acknowledgement{Sequence: uint32(w.received)})
}

// mediaEvent returns an event without allocating one.
func (w *wire) mediaEvent(typ uint8, timestamp uint32, room []byte) Event {
	w.media = EventMedia{Kind: media.Kind(typ), Timestamp: timestamp, Room: room}
	return &w.media
}

// dataEvent unifies a data message. One that cannot be read is no reason to
// close anybody.
func (w *wire) dataEvent(typ uint8, timestamp uint32, room []byte) Event {
	room, err := message.UnifyData(typ, room, w.amf)
	if err != nil {
		w.ignored++
		return nil
	}
	return w.mediaEvent(message.TypeDataAMF0, timestamp, room)
}
