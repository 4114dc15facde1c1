package bench

import "errors"

// errChunk is returned for a chunked body that breaks RFC 9112, section 7.1.
var errChunk = errors.New("malformed chunk")

// chunkReader takes a chunked body apart.
type chunkReader struct {
	state chunkState
	left  int64 // of the chunk, in bytes
	digit bool  // the size has one
}

type chunkState uint8

const (
	chunkSize chunkState = iota
	chunkExtension
	chunkSizeLF
	chunkData
	chunkCR
	chunkLF
	chunkLast // the last chunk's line has ended: trailers
)

// maxChunk bounds a chunk in bytes.
const maxChunk = 1 << 30

// take calls sink for each run of the body's bytes. errEnded is the body's end.
func (r *chunkReader) take(b []byte, sink func([]byte) error) error {
	for len(b) > 0 {
		if r.state == chunkData {
			n := int(min(r.left, int64(len(b))))
			if err := sink(b[:n]); err != nil {
				return err
			}
			b = b[n:]
			if r.left -= int64(n); r.left == 0 {
				r.state = chunkCR
			}
			continue
		}
		if err := r.line(b[0]); err != nil {
			return err
		}
		b = b[1:]
	}
	return nil
}

// line takes a byte outside of data.
func (r *chunkReader) line(c byte) error {
	switch r.state {
	case chunkSize:
		return r.sizeLine(c)
	case chunkExtension:
		if c == '\r' {
			r.state = chunkSizeLF
		}
		return nil
	case chunkCR:
		r.state = chunkLF
		return want(c, '\r')
	case chunkLF:
		r.state, r.left, r.digit = chunkSize, 0, false
		return want(c, '\n')
	case chunkSizeLF:
		r.state = chunkData
		if r.left == 0 {
			r.state = chunkLast
		}
		return want(c, '\n')
	}
	return errEnded
}

func (r *chunkReader) sizeLine(c byte) error {
	switch {
	case c >= '0' && c <= '9':
		return r.addDigit(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return r.addDigit(c | 0x20 - 'a' + 10)
	case !r.digit:
		return errChunk
	case c == ';':
		r.state = chunkExtension
	case c == '\r':
		r.state = chunkSizeLF
	default:
		return errChunk
	}
	return nil
}

func (r *chunkReader) addDigit(v byte) error {
	r.left, r.digit = r.left<<4|int64(v), true
	if r.left > maxChunk {
		return errChunk
	}
	return nil
}

func want(c, wanted byte) error {
	if c != wanted {
		return errChunk
	}
	return nil
}
