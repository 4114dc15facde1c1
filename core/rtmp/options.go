package rtmp

import (
	"crypto/rand"
	"io"

	"github.com/millrace/millrace/core/rtmp/chunk"
)

// Options of a [Session]. A field that is 0 or nil takes its default.
type Options struct {
	// ChunkSize is the size of the chunks that we send, in bytes; default
	// 65,536, the largest that every client is known to take.
	ChunkSize int
	// WindowAckSize asks the peer for an acknowledgement each time that many
	// bytes were sent to it; default 2,500,000.
	WindowAckSize uint32
	// PeerBandwidth is what the peer may have sent without an
	// acknowledgement, in bytes; default 2,500,000.
	PeerBandwidth uint32
	// Limits bounds messages.
	Limits chunk.Limits
	// AMFDepth is how deep values may nest (limits.amf_depth); default 32.
	AMFDepth int
	// Pending is how many bytes of input are kept while a verdict is awaited
	// (limits.connection_buffer); default 1 MiB.
	Pending int
	// Rand yields the random data of the handshake; default crypto/rand.
	Rand io.Reader
	// Epoch is the time in the handshake, in ms.
	Epoch uint32
}

func (o Options) withDefaults() Options {
	if o.ChunkSize <= 0 {
		o.ChunkSize = 65536
	}
	if o.WindowAckSize == 0 {
		o.WindowAckSize = 2500000
	}
	if o.PeerBandwidth == 0 {
		o.PeerBandwidth = 2500000
	}
	if o.Pending <= 0 {
		o.Pending = 1 << 20
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	return o
}
