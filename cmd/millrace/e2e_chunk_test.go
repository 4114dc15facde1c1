package main_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// message is an RTMP message.
type message struct {
	kind   byte
	ts     uint32 // ms
	stream uint32
	body   []byte
}

// chunkReader reads RTMP chunks strictly, with the extended timestamp on each
// type 3 chunk as ffmpeg and librtmp need it.
type chunkReader struct {
	r     io.Reader
	size  int
	head  [11]byte
	chunk map[uint32]*chunkStream
}

type chunkStream struct {
	message
	delta    uint32
	length   int
	extended bool
	begun    bool
}

var errChunk = errors.New("bad chunk")

func newChunkReader(r io.Reader) *chunkReader {
	return &chunkReader{r: r, size: 128, chunk: map[uint32]*chunkStream{}}
}

// next returns the next whole message, or io.EOF when the input ends where a
// message may begin.
func (c *chunkReader) next() (message, error) {
	for first := true; ; first = false {
		m, err := c.readChunk()
		if !first && errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if m != nil || err != nil {
			return deref(m), err
		}
	}
}

func deref(m *message) message {
	if m == nil {
		return message{}
	}
	return *m
}

// readChunk returns a message if the chunk completes one.
func (c *chunkReader) readChunk() (*message, error) {
	first, err := c.read(1)
	if err != nil {
		return nil, err
	}
	id, err := c.chunkID(uint32(first[0] & 0x3F))
	if err != nil {
		return nil, cutShort(err)
	}
	s := c.chunk[id]
	if s == nil {
		s = &chunkStream{}
		c.chunk[id] = s
	}
	if err := c.header(s, first[0]>>6); err != nil {
		return nil, cutShort(err)
	}
	if err := c.payload(s); err != nil {
		return nil, cutShort(err)
	}
	if len(s.body) < s.length {
		return nil, nil
	}
	m := s.message
	s.body = nil
	return &m, nil
}

// read returns bytes of a header, valid until the next read.
func (c *chunkReader) read(n int) ([]byte, error) {
	_, err := io.ReadFull(c.r, c.head[:n])
	return c.head[:n], err
}

// payload adds a chunk's part of a message.
func (c *chunkReader) payload(s *chunkStream) error {
	have := len(s.body)
	part := min(c.size, s.length-have)
	s.body = slices.Grow(s.body, s.length-have)[:have+part]
	_, err := io.ReadFull(c.r, s.body[have:])
	return err
}

func (c *chunkReader) chunkID(low uint32) (uint32, error) {
	if low > 1 {
		return low, nil
	}
	b, err := c.read(1 + int(low))
	if err != nil {
		return 0, err
	}
	id := 64 + uint32(b[0])
	if low == 1 {
		id += uint32(b[1]) << 8
	}
	return id, nil
}

// header reads a message header of one of the four types.
func (c *chunkReader) header(s *chunkStream, format byte) error {
	inside := len(s.body) > 0
	if inside && format != 3 || !s.begun && format != 0 {
		return fmt.Errorf("%w: type %d, inside a message %v, first %v", errChunk, format, inside, !s.begun)
	}
	b, err := c.read([]int{11, 7, 3, 0}[format])
	if err != nil {
		return err
	}
	value := s.delta
	if format < 3 {
		value = uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2])
		s.extended = value == 0xFFFFFF
	}
	if format < 2 {
		s.length, s.kind = int(b[3])<<16|int(b[4])<<8|int(b[5]), b[6]
	}
	if format == 0 {
		s.stream = binary.LittleEndian.Uint32(b[7:])
	}
	if s.extended {
		if b, err = c.read(4); err != nil {
			return err
		}
		value = binary.BigEndian.Uint32(b)
	}
	return s.advance(format, value, inside)
}

// advance sets the timestamp of a message from its header's value.
func (s *chunkStream) advance(format byte, value uint32, inside bool) error {
	switch {
	case inside:
		if s.extended && value != s.delta {
			return fmt.Errorf("%w: extended timestamp %d inside a message at %d", errChunk, value, s.delta)
		}
		return nil
	case format == 0:
		s.ts = value
	default:
		s.ts += value
	}
	s.begun, s.delta = true, value
	return nil
}

// chunkWriter writes messages as a type 0 chunk and type 3 chunks.
type chunkWriter struct {
	size int
	// bare leaves the extended timestamp out of type 3 chunks, as OBS before
	// 30.1 does.
	bare bool
}

func (c *chunkWriter) append(b []byte, id byte, m message) []byte {
	b = append(b, id)
	b = appendUint24(b, min(m.ts, 0xFFFFFF))
	b = appendUint24(b, uint32(len(m.body)))
	b = append(b, m.kind)
	b = binary.LittleEndian.AppendUint32(b, m.stream)
	b = appendExtended(b, m.ts)
	rest := m.body
	for n := min(c.size, len(rest)); ; n = min(c.size, len(rest)) {
		b = append(b, rest[:n]...)
		if rest = rest[n:]; len(rest) == 0 {
			return b
		}
		b = append(b, 0xC0|id)
		if !c.bare {
			b = appendExtended(b, m.ts)
		}
	}
}

func appendExtended(b []byte, ts uint32) []byte {
	if ts < 0xFFFFFF {
		return b
	}
	return binary.BigEndian.AppendUint32(b, ts)
}

func appendUint24(b []byte, v uint32) []byte { return append(b, byte(v>>16), byte(v>>8), byte(v)) }
