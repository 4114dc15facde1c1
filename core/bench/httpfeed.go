package bench

import "net/http"

// httpFeed is a viewer of HTTP-FLV.
type httpFeed struct {
	target  target
	head    headReader
	started bool
	chunked bool
	chunks  chunkReader
	flv     flvReader
}

func newHTTPFeed(t target) *httpFeed { return &httpFeed{target: t} }

func (f *httpFeed) playing() bool { return f.started }

func (f *httpFeed) open() []byte {
	return []byte("GET " + f.target.name + f.target.query + " HTTP/1.1\r\nHost: " + f.target.host +
		"\r\nUser-Agent: millrace-bench\r\nAccept: */*\r\n\r\n")
}

func (f *httpFeed) take(b []byte, sink func(tag)) ([]byte, error) {
	if !f.started {
		head, rest, err := f.head.take(b)
		if head == nil || err != nil {
			return nil, err
		}
		if head.StatusCode != http.StatusOK {
			return nil, refusal(head.Status)
		}
		f.started = true
		f.chunked = len(head.TransferEncoding) > 0
		b = rest
	}
	if !f.chunked {
		return nil, f.flv.take(b, sink)
	}
	return nil, f.chunks.take(b, func(b []byte) error { return f.flv.take(b, sink) })
}
