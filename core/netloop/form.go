package netloop

import (
	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/core/flv"
	"github.com/millrace/millrace/core/media"
)

// form is how frames look on a viewer's wire.
type form struct {
	kind formKind
	// streamID is the RTMP message stream of the player.
	streamID uint32
}

type formKind uint8

const (
	formRTMP    formKind = iota
	formChunked          // HTTP/1.1: each tag a chunk
	formPlain            // HTTP/1.0: bare tags
	formWS               // each tag a binary message
)

// protocol is the index in stream.Protocols.
func (f form) protocol() int { return [...]int{0, 1, 1, 2}[f.kind] }

// sharedStreamID is the RTMP message stream that the shared headers are for.
const sharedStreamID = 1

// shape writes frames as iovecs in one form. An iovec points into the frame,
// never at a copy of media.
type shape struct {
	form
	chunkSize int  // of RTMP, bytes
	all       bool // with headers that name the tracks
}

// of is the frame whose wire forms s writes.
func (s shape) of(f *media.Frame) *media.Frame {
	if s.all {
		return f.All(flv.AllHeader)
	}
	return f
}

// size is the length of f's wire form in bytes.
func (s shape) size(f *media.Frame) int {
	f = s.of(f)
	switch s.kind {
	case formChunked:
		return len(f.Chunk())
	case formPlain:
		return len(f.Tag())
	case formWS:
		return len(f.WSHeader()) + len(f.Tag())
	}
	n := len(f.Payload())
	return len(f.RTMPHeader()) + n + s.continuations(n)*len(f.RTMPContinuation())
}

func (s shape) continuations(n int) int { return max(n-1, 0) / s.chunkSize }

// appendFrom appends the iovecs of f's wire form from offset on, up to a
// length of limit iovecs in all.
func (s shape) appendFrom(iov []unix.Iovec, f *media.Frame, offset, limit int) []unix.Iovec {
	f = s.of(f)
	switch s.kind {
	case formChunked:
		return appendVec(iov, f.Chunk()[offset:])
	case formPlain:
		return appendVec(iov, f.Tag()[offset:])
	case formWS:
		iov, offset = appendSkip(iov, f.WSHeader(), offset)
		return appendVec(iov, f.Tag()[offset:])
	}
	return s.appendRTMP(iov, f, offset, limit)
}

func (s shape) appendRTMP(iov []unix.Iovec, f *media.Frame, offset, limit int) []unix.Iovec {
	head := f.RTMPHeader()
	if s.streamID != sharedStreamID {
		head = media.AppendRTMPHeader(nil, f.Kind, len(f.Payload()), f.Timestamp(), s.streamID)
	}
	cont, rest := f.RTMPContinuation(), f.Payload()
	iov, offset = appendSkip(iov, head, offset)
	// Whole chunks already sent are passed over in one step.
	if sent := offset / (s.chunkSize + len(cont)); sent > 0 {
		rest = rest[sent*s.chunkSize:]
		offset -= sent * (s.chunkSize + len(cont))
	}
	for len(iov) < limit {
		n := min(len(rest), s.chunkSize)
		iov, offset = appendSkip(iov, rest[:n], offset)
		if rest = rest[n:]; len(rest) == 0 {
			break
		}
		iov, offset = appendSkip(iov, cont, offset)
	}
	return iov
}

// appendSkip appends b without its first skip bytes, and returns how many are
// still to be skipped after b.
func appendSkip(iov []unix.Iovec, b []byte, skip int) ([]unix.Iovec, int) {
	if skip >= len(b) {
		return iov, skip - len(b)
	}
	return appendVec(iov, b[skip:]), 0
}

func appendVec(iov []unix.Iovec, b []byte) []unix.Iovec {
	if len(b) == 0 {
		return iov
	}
	return append(iov, unix.Iovec{Base: &b[0], Len: uint64(len(b))})
}

func vecBytes(iov []unix.Iovec) (n int) {
	for i := range iov {
		n += int(iov[i].Len)
	}
	return n
}
