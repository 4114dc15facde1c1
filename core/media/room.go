package media

// Every media message is assembled once, in a buffer with room around the
// payload, so that the wire forms that prefix or suffix it (FLV tag header,
// HTTP chunk size line, PreviousTagSize) are written in place and a frame
// leaves in one iovec. A message's buffer is Headroom bytes, payload,
// Tailroom bytes.
const (
	// Headroom is the spare room before a payload, in bytes: an HTTP chunk
	// size line (8 hexadecimal digits, CR LF) and an FLV tag header (11).
	Headroom = 32
	// Tailroom is the spare room after a payload, in bytes: PreviousTagSize
	// (4) and the CR LF that ends an HTTP chunk.
	Tailroom = 6
)

// MaxHeader is the longest header that a payload may begin with in the room
// that it came in, in bytes: that much memory it may waste.
const MaxHeader = 1 << 10

// NewRoom returns a buffer for a payload of n bytes with its room around it.
func NewRoom(n int) []byte { return make([]byte, Headroom+n+Tailroom) }

// Payload returns the part of a roomy buffer between Headroom and Tailroom.
func Payload(room []byte) []byte {
	return room[Headroom : len(room)-Tailroom : len(room)-Tailroom]
}
