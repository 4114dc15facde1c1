// Package media holds what a frame is on its way from a publisher's socket to
// its viewers' sockets.
package media

import "sync/atomic"

// Flags tell what a frame is to a decoder.
type Flags uint16

// The flags of a frame.
const (
	// Keyframe marks a frame that a decoder can start at.
	Keyframe Flags = 1 << iota
	// Config marks a sequence header (decoder configuration), not media.
	Config
	// EndOfSequence marks an AVC end of sequence; it is not media.
	EndOfSequence
	// Early marks a frame that arrived after the GOP's keyframe but whose
	// DTS is before it: a viewer that starts at the keyframe does without it.
	Early
	// Metadata marks an onMetaData.
	Metadata
	// Extra marks what only viewers of all tracks can read: colour
	// information, channel order, MPEG-2 TS descriptors.
	Extra
	// Other marks a frame of a track that is not its kind's default.
	Other
)

// Frame is one coded frame, sequence header or script message of a stream,
// with the wire forms that viewers share. It is immutable once appended to a
// stream; any goroutine may read it then.
type Frame struct {
	// Seq counts the frames of a stream from 1.
	Seq uint64
	// Key is the Seq of the newest video keyframe at or before this frame, 0
	// if there was none.
	Key uint64
	// Total is the bytes of the stream's frames up to and with this one, as
	// Size counts them: what a run of frames holds is a difference.
	Total int64
	// DTS and CTS are in ms; DTS is on the stream's own timeline, which does
	// not wrap and never goes back within a kind.
	DTS int64
	CTS int32
	// Nano is to be added to DTS, in ns (Enhanced RTMP, TimestampOffsetNano).
	Nano uint32
	// Arrived is when the frame's last byte was read, in ns on the server's
	// monotonic clock.
	Arrived int64

	Kind  Kind
	Flags Flags
	Track uint8
	Codec FourCC

	// State is what a viewer must know before this frame, and, for a frame
	// that changes it, Next what holds after it; otherwise Next is State.
	State, Next *State

	// room holds the payload with space around it for the forms below.
	room []byte
	// payload is where the FLV tag data (RTMP message payload) starts in
	// room; it ends Tailroom bytes before room's end.
	payload uint32
	// chunk is where the HTTP chunk form starts in room.
	chunk uint32
	// body is the offset in the payload where the coded bytes start.
	body uint16

	rtmpLen, contLen, wsLen uint8
	rtmp                    [16]byte
	cont                    [5]byte
	ws                      [10]byte

	// all is the frame in the form for viewers of all tracks, made on need.
	all atomic.Pointer[Frame]
}

// State is what decoders need before frames: metadata and the sequence
// headers in force. It is immutable; a change makes a new State.
type State struct {
	// Metadata, Video and Audio are nil when there is none (yet).
	Metadata, Video, Audio *Frame
	// Others are the sequence headers of other tracks, and extras.
	Others []*Frame
	// HasVideo and HasAudio tell which media were seen; a sequence header
	// alone is no track.
	HasVideo, HasAudio     bool
	VideoCodec, AudioCodec FourCC
	// VideoHead and AudioHead are where the first frame began (of video: the
	// first keyframe), HeadSize bytes at most, for codecs that are InBand;
	// otherwise nil.
	VideoHead, AudioHead []byte
	// Session changes with each publish session that feeds the stream.
	Session uint64
}

// HeadSize is how many bytes of a frame hold its codec's parameters. The most
// has the sequence header of AV1, with each of its 32 operating points.
const HeadSize = 512

// NewFrame makes a frame around a roomy buffer (see [NewRoom]) whose payload
// is FLV tag data, body bytes of which are header. It takes ownership of room.
func NewFrame(kind Kind, room []byte, body int) *Frame {
	return &Frame{Kind: kind, room: room, payload: Headroom, body: uint16(body)}
}

// SetHeader puts another header before the frame's body; the body stays where
// it is. A header may be up to 11 bytes longer than the one it replaces: the
// room that is left holds an FLV tag header and a chunk size line still. Only
// before [Frame.Seal].
func (f *Frame) SetHeader(header []byte) {
	body := f.payload + uint32(f.body)
	f.payload = body - uint32(len(header))
	f.body = uint16(len(header))
	copy(f.room[f.payload:], header)
}

// Payload is the FLV tag data: the payload of the RTMP message.
func (f *Frame) Payload() []byte { return f.room[f.payload : len(f.room)-Tailroom] }

// Body is the coded media without its FLV header.
func (f *Frame) Body() []byte { return f.Payload()[f.body:] }

// Size is the memory that the frame holds, in bytes.
func (f *Frame) Size() int { return len(f.room) + frameOverhead }

const frameOverhead = 208

// Is reports whether all given flags are set.
func (f *Frame) Is(fl Flags) bool { return f.Flags&fl == fl }

// IsMedia reports whether the frame is coded media: not a sequence header, an
// end of sequence, an extra, or data.
func (f *Frame) IsMedia() bool {
	return f.Kind != Data && f.Flags&(Config|EndOfSequence|Extra) == 0
}

// Tag is the frame as an FLV tag with the PreviousTagSize after it (FLV 10.1,
// E.3), valid after [Frame.Seal].
func (f *Frame) Tag() []byte { return f.room[f.payload-tagHeader : len(f.room)-len(crlf)] }

// Chunk is the tag as one HTTP/1.1 chunk (RFC 9112, 7.1), valid after Seal.
func (f *Frame) Chunk() []byte { return f.room[f.chunk:] }

// RTMPHeader is the type 0 chunk header of the frame as an RTMP message on
// message stream 1, valid after Seal.
func (f *Frame) RTMPHeader() []byte { return f.rtmp[:f.rtmpLen] }

// RTMPContinuation is the type 3 chunk header between the chunks of the
// message, valid after Seal.
func (f *Frame) RTMPContinuation() []byte { return f.cont[:f.contLen] }

// WSHeader is the header of the tag as one binary WebSocket message (RFC 6455,
// 5.2), valid after Seal.
func (f *Frame) WSHeader() []byte { return f.ws[:f.wsLen] }

// All returns the frame as viewers of all tracks get it, which is f itself where
// header returns nil. Otherwise the body is copied behind that header, once.
// The frame must be sealed and appended; any goroutine may call this.
func (f *Frame) All(header func(*Frame) []byte) *Frame {
	if a := f.all.Load(); a != nil {
		return a
	}
	h := header(f)
	if h == nil {
		f.all.Store(f)
		return f
	}
	body := f.Body()
	room := NewRoom(len(h) + len(body))
	copy(room[Headroom:], h)
	copy(room[Headroom+len(h):], body)
	a := NewFrame(f.Kind, room, len(h))
	a.Seq, a.Key, a.DTS, a.CTS, a.Nano, a.Arrived = f.Seq, f.Key, f.DTS, f.CTS, f.Nano, f.Arrived
	a.Flags, a.Track, a.Codec, a.State, a.Next = f.Flags, f.Track, f.Codec, f.State, f.Next
	a.Seal()
	f.all.CompareAndSwap(nil, a)
	return f.all.Load()
}

// SameRole reports whether g, a sequence header or extra, takes f's place.
func (f *Frame) SameRole(g *Frame) bool {
	const role = Config | Extra
	return f.Kind == g.Kind && f.Track == g.Track && f.Flags&role == g.Flags&role
}

// Timestamp is the DTS as the 32 bits that travel, in ms.
func (f *Frame) Timestamp() uint32 { return uint32(f.DTS) }

const (
	tagHeader = 11
	crlf      = "\r\n"
)
