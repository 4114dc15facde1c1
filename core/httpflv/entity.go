package httpflv

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Entity is a representation of known size that is answered from memory.
type Entity struct {
	ContentType, CacheControl string
	ETag                      string // strong, in quotes
	Modified                  time.Time
	Size                      int64
}

// AppendEntity appends the head of the answer to a GET or HEAD of e: 200, 206,
// 304, 412 or 416, by the request's conditions and range (RFC 9110 sections 13
// and 14). part is what of e is to follow the head, if anything. keepAlive
// says that the connection goes on to another request; if not, it must be
// closed after that.
func (r Responder) AppendEntity(dst []byte, h Head, e Entity, at time.Time) (out []byte, part Range, keepAlive bool) {
	status, part := e.judge(h)
	dst = r.begin(dst, h, status, at)
	dst = appendField(dst, "X-Content-Type-Options", "nosniff")
	dst = appendField(dst, "Cache-Control", e.CacheControl)
	dst = appendField(dst, "ETag", e.ETag)
	dst = append(dst, "Last-Modified: "...)
	dst = e.Modified.UTC().AppendFormat(dst, http.TimeFormat)
	dst = append(dst, "\r\nAccept-Ranges: bytes\r\n"...)
	switch status {
	case http.StatusPartialContent:
		dst = append(dst, "Content-Range: bytes "...)
		dst = strconv.AppendInt(dst, part.Start, 10)
		dst = strconv.AppendInt(append(dst, '-'), part.Start+part.Length-1, 10)
		dst = strconv.AppendInt(append(dst, '/'), e.Size, 10)
		dst = append(dst, "\r\n"...)
	case http.StatusRequestedRangeNotSatisfiable:
		dst = appendField(dst, "Content-Range", "bytes */"+strconv.FormatInt(e.Size, 10))
	}
	// A 304 has no body whatever it says, and a Content-Length in it would
	// have to be that of the whole (RFC 9110 section 8.6).
	if status != http.StatusNotModified {
		dst = appendField(dst, "Content-Type", e.ContentType)
		dst = appendField(dst, "Content-Length", strconv.FormatInt(part.Length, 10))
	}
	keepAlive = h.KeepAlive && !h.HasBody()
	if h.Method == http.MethodHead {
		part = Range{}
	}
	return end(dst, h, keepAlive), part, keepAlive
}

// judge applies the conditions in the order of RFC 9110 section 13.2.2.
func (e Entity) judge(h Head) (status int, part Range) {
	whole := Range{0, e.Size}
	if v := h.Joined("If-Match"); v != "" {
		if !e.matches(v, false) {
			return http.StatusPreconditionFailed, Range{}
		}
	} else if t, ok := date(h, "If-Unmodified-Since"); ok && e.Modified.After(t) {
		return http.StatusPreconditionFailed, Range{}
	}
	if v := h.Joined("If-None-Match"); v != "" {
		if e.matches(v, true) {
			return http.StatusNotModified, Range{}
		}
	} else if t, ok := date(h, "If-Modified-Since"); ok && !e.Modified.After(t) {
		return http.StatusNotModified, Range{}
	}
	// "A server MUST ignore a Range header field received with a request
	// method that is unrecognized or for which range handling is not defined.
	// For this specification, GET is the only method": a HEAD gets the head of
	// the whole.
	v := h.Joined("Range")
	if v == "" || h.Method != http.MethodGet || !e.ifRange(h) {
		return http.StatusOK, whole
	}
	switch part, kind := ParseRange(v, e.Size); kind {
	case RangeOne:
		return http.StatusPartialContent, part
	case RangeBad:
		return http.StatusRequestedRangeNotSatisfiable, Range{}
	}
	return http.StatusOK, whole
}

// ifRange reports whether an If-Range field, if there is one, holds: it must
// be our very ETag or date, as "a client MUST NOT generate an If-Range header
// field containing an entity tag that is marked as weak".
func (e Entity) ifRange(h Head) bool {
	v := h.Get("If-Range")
	if v == "" || v == e.ETag {
		return true
	}
	t, ok := date(h, "If-Range")
	return ok && t.Equal(e.Modified)
}

// matches looks for the ETag in a list of them; weak ones count if weak.
func (e Entity) matches(list string, weak bool) bool {
	if trimSpace(list) == "*" {
		return true
	}
	for item := range strings.SplitSeq(list, ",") { // our ETags have no comma
		item = trimSpace(item)
		if weak {
			item = strings.TrimPrefix(item, "W/")
		}
		if item == e.ETag {
			return true
		}
	}
	return false
}

func date(h Head, name string) (time.Time, bool) {
	v := h.Get(name)
	if v == "" {
		return time.Time{}, false
	}
	t, err := http.ParseTime(v)
	return t, err == nil
}

// maxKept bounds the value of a field of Kept, in bytes. A longer list of
// ranges or of ETags is not worth its memory: the answer is the whole.
const maxKept = 256

// Kept returns the head with only what an answer from memory asks of it: for
// a request that waits, whose cookies would cost more than its connection.
func (h Head) Kept() Head {
	var b strings.Builder
	for _, name := range []string{"Origin", "Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"} {
		if v := h.Joined(name); v != "" && len(v) <= maxKept {
			b.WriteString(name + ": " + v + "\r\n")
		}
	}
	return Head{
		Method: strings.Clone(h.Method), Path: strings.Clone(h.Path), Minor: h.Minor,
		ContentLength: h.ContentLength, Chunked: h.Chunked, KeepAlive: h.KeepAlive,
		fields: fields(b.String()),
	}
}
