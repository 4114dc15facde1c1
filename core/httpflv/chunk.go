package httpflv

// LastChunk is the clean end of a chunked body (RFC 9112 section 7.1). A body
// without it was cut off, and gateways tell the two apart by it.
const LastChunk = "0\r\n\r\n"

// MaxChunkLine is the longest line that PutChunkLine writes, in bytes, for
// chunks below 4 GiB: what a buffer must have free before end.
const MaxChunkLine = 8 + len("\r\n")

// PutChunkLine writes the size line of a chunk of n bytes, hexadecimal digits
// and CR LF, into buf so that it ends at index end, and returns the index where
// it starts. n must be positive: a chunk of no bytes would end the body. The
// chunk's own CR LF is the caller's. It does not allocate.
func PutChunkLine(buf []byte, end int, n int) int {
	const lowerHex = "0123456789abcdef"
	i := end - 2
	buf[i], buf[i+1] = '\r', '\n'
	for {
		i--
		buf[i] = lowerHex[n&15]
		if n >>= 4; n <= 0 {
			return i
		}
	}
}
