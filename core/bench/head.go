package bench

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net/http"
)

// maxHead bounds a response's head in bytes.
const maxHead = 16 << 10

// errHeadTooLarge is returned for a head that does not end.
var errHeadTooLarge = errors.New("the response's head is too large")

// headReader gathers the head of a response.
type headReader struct{ b []byte }

// take takes bytes until the head is complete, and returns it with the bytes
// after it; nil until then.
func (r *headReader) take(b []byte) (head *http.Response, rest []byte, err error) {
	const end = "\r\n\r\n"
	had := len(r.b)
	r.b = append(r.b, b[:min(len(b), maxHead-had)]...)
	i := bytes.Index(r.b, []byte(end))
	if i < 0 {
		if len(r.b) == maxHead {
			err = errHeadTooLarge
		}
		return nil, nil, err
	}
	size := i + len(end)
	head, err = http.ReadResponse(bufio.NewReader(bytes.NewReader(r.b[:size])), nil)
	if err != nil {
		return nil, nil, fmt.Errorf("parse response: %w", err)
	}
	r.b = nil
	return head, b[size-had:], nil
}
