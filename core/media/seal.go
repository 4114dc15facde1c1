package media

import (
	"encoding/binary"
	"strconv"
)

// ChunkStream is the RTMP chunk stream that a kind travels on, fixed so that
// all players share one header.
func (k Kind) ChunkStream() byte {
	switch k {
	case Audio:
		return 4
	case Video:
		return 6
	}
	return 5
}

// ExtendedTimestamp is the value of the 24-bit timestamp field from which on
// the 32-bit field follows (RTMP 1.0, section 5.3.1.3).
const ExtendedTimestamp = 0xFFFFFF

// Seal writes the wire forms into the room around the payload. It is called
// once, after DTS is final and before the frame is shared.
func (f *Frame) Seal() {
	n := len(f.Payload())
	ts := f.Timestamp()
	PutTagHeader(f.room[f.payload-tagHeader:], f.Kind, n, ts)
	tail := f.room[len(f.room)-Tailroom:]
	binary.BigEndian.PutUint32(tail, uint32(tagHeader+n))
	copy(tail[4:], crlf)
	f.sealChunk(tagHeader + n + 4)
	f.rtmpLen = uint8(len(AppendRTMPHeader(f.rtmp[:0], f.Kind, n, ts, 1)))
	f.contLen = uint8(len(AppendRTMPContinuation(f.cont[:0], f.Kind, ts)))
	f.wsLen = uint8(len(appendWSHeader(f.ws[:0], tagHeader+n+4)))
}

func (f *Frame) sealChunk(size int) {
	var line [18]byte
	b := strconv.AppendUint(line[:0], uint64(size), 16)
	b = append(b, '\r', '\n')
	f.chunk = f.payload - tagHeader - uint32(len(b))
	copy(f.room[f.chunk:], b)
}

// PutTagHeader writes the 11 bytes of an FLV tag header for n bytes of tag
// data at ts ms (FLV 10.1, E.4.1).
func PutTagHeader(b []byte, kind Kind, n int, ts uint32) {
	_ = b[10]
	b[0] = byte(kind)
	b[1], b[2], b[3] = byte(n>>16), byte(n>>8), byte(n)
	b[4], b[5], b[6] = byte(ts>>16), byte(ts>>8), byte(ts)
	b[7] = byte(ts >> 24)
	b[8], b[9], b[10] = 0, 0, 0
}

// AppendRTMPHeader appends the type 0 chunk header of a message of n bytes on
// the kind's chunk stream (RTMP 1.0, section 5.3.1.2.1).
func AppendRTMPHeader(b []byte, kind Kind, n int, ts, streamID uint32) []byte {
	field := min(ts, ExtendedTimestamp)
	b = append(b, kind.ChunkStream(),
		byte(field>>16), byte(field>>8), byte(field),
		byte(n>>16), byte(n>>8), byte(n), byte(kind))
	b = binary.LittleEndian.AppendUint32(b, streamID)
	if ts >= ExtendedTimestamp {
		b = binary.BigEndian.AppendUint32(b, ts)
	}
	return b
}

// AppendRTMPContinuation appends the type 3 chunk header that goes on with a
// message. Players need the extended timestamp in each (RTMP 1.0, section
// 5.3.1.3; ffmpeg and librtmp lose the stream without it).
func AppendRTMPContinuation(b []byte, kind Kind, ts uint32) []byte {
	b = append(b, 0xC0|kind.ChunkStream())
	if ts >= ExtendedTimestamp {
		b = binary.BigEndian.AppendUint32(b, ts)
	}
	return b
}

func appendWSHeader(b []byte, n int) []byte {
	const finBinary = 0x82
	switch {
	case n <= 125:
		return append(b, finBinary, byte(n))
	case n <= 0xFFFF:
		return append(b, finBinary, 126, byte(n>>8), byte(n))
	}
	return binary.BigEndian.AppendUint64(append(b, finBinary, 127), uint64(n))
}
