package chunk

import (
	"encoding/binary"
	"fmt"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/core/rtmp/message"
)

const (
	defaultSize = 128
	maxSize     = 0xFFFFFF
	// maxAnnounced is the largest size that may be said: the top bit is 0.
	maxAnnounced = 0x7FFFFFFF
	// firstRoom and smallRoom bound how much of a message is allocated
	// before its bytes are there: the first for the one message that is in
	// progress as a rule, the second when much is in progress already.
	firstRoom = 64 << 10
	smallRoom = 4 << 10
)

type readerState uint8

const (
	inHeader readerState = iota
	inExtended
	inPayload
)

// Reader makes messages out of a chunk stream. It is fed bytes and asked for
// messages; it keeps what is incomplete, wherever the input was cut. It obeys
// Set Chunk Size and Abort by itself.
//
// A Reader belongs to one goroutine. After an error it is of no further use.
type Reader struct {
	limits Limits
	err    error

	in    []byte
	pos   int
	owned bool  // in is ours
	base  int64 // of in[0] in the stream

	state   readerState
	have    uint8 // bytes in head
	matched uint8 // bytes of an extended timestamp that may be there
	head    [maxHeader]byte

	size    uint32 // the peer's chunk size
	left    int    // payload bytes to come in this chunk
	current int    // index of the chunk's stream
	streams []stream
	partial int // bytes allocated for messages in progress
}

// NewReader returns a Reader at the start of a chunk stream, where chunks are
// of 128 bytes.
func NewReader(limits Limits) *Reader {
	return &Reader{limits: limits.withDefaults(), size: defaultSize}
}

// Feed gives bytes to the reader, which refers to b until [Reader.Next]
// returns false or [Reader.Keep] is called.
func (r *Reader) Feed(b []byte) {
	if r.pos < len(r.in) {
		r.Keep()
		r.in = append(r.in, b...)
		return
	}
	r.release()
	r.in = b
}

// release lets go of input that was consumed.
func (r *Reader) release() {
	r.base += int64(r.pos)
	r.in, r.pos, r.owned = nil, 0, false
}

// Buffered is how many bytes were fed and not looked at yet.
func (r *Reader) Buffered() int { return len(r.in) - r.pos }

// Keep copies the bytes that are buffered, so that what was fed may change.
func (r *Reader) Keep() {
	if !r.owned {
		r.replaceInput(nil, r.in[r.pos:])
	}
}

// replaceInput makes the two slices the input, in memory of our own; the first
// was consumed before and comes again.
func (r *Reader) replaceInput(again, rest []byte) {
	in := make([]byte, 0, len(again)+len(rest))
	r.base = r.Offset() - int64(len(again))
	r.in, r.pos, r.owned = append(append(in, again...), rest...), 0, true
}

// Offset is how many bytes the reader has consumed.
func (r *Reader) Offset() int64 { return r.base + int64(r.pos) }

// Next returns the next message, and false when it needs more bytes. The error
// is a [*ProtocolError] or a [*LimitError]; it stays.
func (r *Reader) Next() (Message, bool, error) {
	for r.step() {
		if s := &r.streams[r.current]; r.state == inHeader && s.got == int(s.length) {
			m := r.finish(s)
			return m, r.err == nil, r.err
		}
	}
	if r.err == nil {
		r.release()
	}
	return Message{}, false, r.err
}

// step reads one part of a chunk, and reports whether it was all there.
func (r *Reader) step() bool {
	switch {
	case r.err != nil:
		return false
	case r.state == inHeader:
		return r.readHeader()
	case r.state == inExtended:
		return r.skipExtended()
	}
	return r.readPayload()
}

// readHeader reads a chunk header and prepares for what it announces.
func (r *Reader) readHeader() bool {
	if r.have > 0 {
		return r.resumeHeader()
	}
	rest := r.in[r.pos:]
	h, n := parseHeader(rest)
	if n == 0 {
		r.have = uint8(copy(r.head[:], rest))
		r.pos = len(r.in)
		return false
	}
	r.pos += n
	return r.begin(h)
}

// resumeHeader reads a header that was cut by the end of the input.
func (r *Reader) resumeHeader() bool {
	for r.pos < len(r.in) {
		r.head[r.have] = r.in[r.pos]
		r.have++
		r.pos++
		if h, n := parseHeader(r.head[:r.have]); n > 0 {
			r.have = 0
			return r.begin(h)
		}
	}
	return false
}

// begin starts a chunk.
func (r *Reader) begin(h header) bool {
	s := r.stream(h)
	if s == nil {
		return false
	}
	goesOn := s.continues(h)
	if !goesOn {
		r.drop(s)
	}
	if h.format < 3 {
		s.take(h)
	}
	if !goesOn && !r.start(s, h.format) {
		return false
	}
	r.left = min(int(r.size), int(s.length)-s.got)
	r.state = inPayload
	if h.format == 3 && s.extended {
		r.state = inExtended
	}
	return true
}

// stream finds the chunk stream of a header, or makes it.
func (r *Reader) stream(h header) *stream {
	if r.current < len(r.streams) && r.streams[r.current].id == h.csid {
		return &r.streams[r.current]
	}
	for i := range r.streams {
		if r.streams[i].id == h.csid {
			r.current = i
			return &r.streams[i]
		}
	}
	// librtmp starts a chunk stream with type 1.
	if h.format > 1 {
		r.err = r.protocolError("read chunk header", fmt.Errorf("%w: chunk stream %d, type %d", ErrNoHeader, h.csid, h.format))
		return nil
	}
	if n := len(r.streams) + 1; n > r.limits.ChunkStreams {
		r.err = r.limitError("limits.chunk_streams", r.limits.ChunkStreams, n)
		return nil
	}
	r.streams = append(r.streams, stream{id: h.csid})
	r.current = len(r.streams) - 1
	return &r.streams[r.current]
}

// start begins a message whose first chunk is of a type.
func (r *Reader) start(s *stream, format uint8) bool {
	key, limit := "limits.command_size", r.limits.CommandSize
	switch s.typ {
	case message.TypeAudio, message.TypeVideo, message.TypeAggregate:
		key, limit = "limits.media_size", r.limits.MediaSize
	}
	if int(s.length) > limit {
		r.err = r.limitError(key, limit, int(s.length))
		return false
	}
	s.advance(format)
	first := firstRoom
	if r.partial >= firstRoom {
		first = smallRoom
	}
	n := min(int(s.length), first)
	if !r.charge(n) {
		return false
	}
	s.room, s.got = media.NewRoom(n), 0
	return true
}

// charge counts bytes that are about to be allocated for a message.
func (r *Reader) charge(n int) bool {
	if r.partial+n > r.limits.PartialBytes {
		r.err = r.limitError("limits.partial_bytes", r.limits.PartialBytes, r.partial+n)
		return false
	}
	r.partial += n
	return true
}

// skipExtended skips the extended timestamp of a type 3 chunk if it is there,
// and reports whether that is known. The specification has it there, and OBS
// before 30.1 leaves it out; as GStreamer does we take the four bytes for it
// only if they are those of the header before. The bytes are compared one by
// one: of a message that ends with less than four there might be no more to
// compare for a long time.
func (r *Reader) skipExtended() bool {
	var want [4]byte
	binary.BigEndian.PutUint32(want[:], r.streams[r.current].field)
	for r.matched < 4 {
		if r.pos == len(r.in) {
			return false
		}
		if r.in[r.pos] != want[r.matched] {
			r.unread(want[:r.matched])
			break
		}
		r.pos++
		r.matched++
	}
	r.matched = 0
	r.state = inPayload
	return true
}

// unread puts back the bytes that were read last.
func (r *Reader) unread(b []byte) {
	if r.pos >= len(b) {
		r.pos -= len(b)
		return
	}
	r.replaceInput(b, r.in[r.pos:])
}

// readPayload reads what there is of a chunk's payload, and reports whether
// the chunk is complete.
func (r *Reader) readPayload() bool {
	s := &r.streams[r.current]
	n := min(r.left, len(r.in)-r.pos)
	if s.got+n > s.space() && !r.grow(s, s.got+n) {
		return false
	}
	copy(s.room[media.Headroom+s.got:], r.in[r.pos:r.pos+n])
	s.got += n
	r.pos += n
	r.left -= n
	if r.left > 0 {
		return false
	}
	r.state = inHeader
	return true
}

// grow makes room for need payload bytes, all of which have arrived, and for
// as many again.
func (r *Reader) grow(s *stream, need int) bool {
	n := min(2*need, int(s.length))
	if !r.charge(n - s.space()) {
		return false
	}
	room := media.NewRoom(n)
	copy(room[media.Headroom:], s.room[media.Headroom:media.Headroom+s.got])
	s.room = room
	return true
}

// finish takes a complete message out of its stream.
func (r *Reader) finish(s *stream) Message {
	m := Message{ChunkStream: s.id, Type: s.typ, StreamID: s.streamID, Timestamp: s.timestamp, Room: s.room}
	r.partial -= s.space()
	s.room, s.got = nil, 0
	switch m.Type {
	case message.TypeSetChunkSize:
		r.setSize(media.Payload(m.Room))
	case message.TypeAbort:
		r.abort(media.Payload(m.Room))
	}
	return m
}

// setSize obeys a Set Chunk Size message. "All sizes greater than 16777215
// (0xFFFFFF) are equivalent since no message is larger" (section 5.4.1).
func (r *Reader) setSize(payload []byte) {
	m, err := message.DecodeSetChunkSize(payload)
	if err == nil && (m.Size < 1 || m.Size > maxAnnounced) {
		err = fmt.Errorf("%w: %d", ErrChunkSize, m.Size)
	}
	if err != nil {
		r.err = r.protocolError("set chunk size", err)
		return
	}
	r.size = min(m.Size, maxSize)
}

// abort obeys an Abort message.
func (r *Reader) abort(payload []byte) {
	m, err := message.DecodeAbort(payload)
	if err != nil {
		r.err = r.protocolError("abort message", err)
		return
	}
	for i := range r.streams {
		if r.streams[i].id == m.ChunkStream {
			r.drop(&r.streams[i])
		}
	}
}

// drop forgets the message in progress, if there is one.
func (r *Reader) drop(s *stream) {
	if s.room != nil {
		r.partial -= s.space()
	}
	s.room, s.got = nil, 0
}

func (r *Reader) protocolError(op string, err error) error {
	return &ProtocolError{Op: op, Offset: r.Offset(), Err: err}
}

func (r *Reader) limitError(key string, limit, value int) error {
	return &LimitError{Key: key, Limit: limit, Value: value, Offset: r.Offset()}
}
