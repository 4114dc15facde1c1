package httpflv

import (
	"net/http"
	"strings"
)

// FromRequest returns the head of a request that net/http has parsed, for a
// connection that comes back to the loop, or for those who decide about it.
func FromRequest(r *http.Request) Head {
	h := Head{
		Method:        r.Method,
		Target:        r.RequestURI,
		Path:          r.URL.Path,
		RawQuery:      r.URL.RawQuery,
		Minor:         min(r.ProtoMinor, 1),
		Host:          r.Host,
		ContentLength: r.ContentLength,
		Chunked:       r.ContentLength < 0,
		KeepAlive:     !r.Close,
	}
	var b strings.Builder
	// A strings.Builder takes every write.
	_ = r.Header.Write(&b)
	h.fields = fields(b.String())
	return h
}
