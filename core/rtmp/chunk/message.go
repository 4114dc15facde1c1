// Package chunk reads and writes the RTMP chunk stream (RTMP 1.0, section 5.3).
package chunk

// Message is one RTMP message, as it came out of its chunks.
type Message struct {
	// ChunkStream is the id of the chunk stream it came on, 2 to 65,599.
	ChunkStream uint32
	// Type is one of message.Type….
	Type uint8
	// StreamID is the message stream id.
	StreamID uint32
	// Timestamp is absolute, in ms, modulo 2^32.
	Timestamp uint32
	// Room holds the payload with space around it (media.NewRoom,
	// media.Payload). It belongs to whoever gets the message.
	Room []byte
}
