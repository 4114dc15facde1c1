package object

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The fields of a PUT or PATCH request beside Content-Type and Cache-Control, which are
// those of the object.
const (
	// HeaderTTL is a duration as Go writes it, such as "90s"; absent or "0s":
	// one minute.
	HeaderTTL = "Millrace-TTL"
	// HeaderParts lists the paths of objects already stored that make up this
	// one, percent-encoded, separated by commas. The request's body is empty
	// (but for a delta). At most 4096 bodies make one object.
	HeaderParts = "Millrace-Parts"
	// HeaderBlocking is "1" for a playlist for which requests with _HLS_msn
	// wait. HeaderMSN and HeaderPart say how far a body goes that is no HLS
	// playlist: all segments before number MSN, and Part parts of that one.
	HeaderBlocking = "Millrace-Blocking"
	HeaderMSN      = "Millrace-MSN"
	HeaderPart     = "Millrace-Part"
	// HeaderDelta is a number of bytes: so many at the end of the request's
	// body are not the object, but what ?_HLS_skip=YES gets in its place.
	HeaderDelta = "Millrace-Delta"
	// HeaderKeep is how many bytes of the object that If-Match names stay
	// before the body of a PATCH request.
	HeaderKeep = "Millrace-Keep"
	// HeaderHint is the percent-encoded path of the object that comes next.
	HeaderHint = "Millrace-Hint"
)

// parseHeader reads all of a Put but its path and body. delta is the size of
// the delta in bytes, -1 for none.
func parseHeader(h http.Header) (p Put, delta int64, err error) {
	delta = -1
	p.ContentType, p.CacheControl = h.Get("Content-Type"), h.Get("Cache-Control")
	if v := h.Get(HeaderTTL); v != "" {
		if p.TTL, err = time.ParseDuration(v); err != nil {
			return p, delta, headerError(HeaderTTL, v)
		}
	}
	switch v := h.Get(HeaderBlocking); v {
	case "", "0":
	case "1":
		p.Blocking = true
	default:
		return p, delta, headerError(HeaderBlocking, v)
	}
	for name, to := range map[string]*int64{HeaderMSN: &p.MSN, HeaderPart: &p.Part, HeaderKeep: &p.Keep, HeaderDelta: &delta} {
		if v := h.Get(name); v != "" {
			n, err := strconv.ParseUint(v, 10, 53)
			if err != nil {
				return p, delta, headerError(name, v)
			}
			*to = int64(n)
		}
	}
	if p.Hint, err = url.PathUnescape(h.Get(HeaderHint)); err != nil {
		return p, delta, headerError(HeaderHint, h.Get(HeaderHint))
	}
	p.Parts, err = parseParts(h.Get(HeaderParts))
	return p, delta, err
}

func parseParts(list string) (parts []string, err error) {
	if list == "" {
		return nil, nil
	}
	for item := range strings.SplitSeq(list, ",") {
		part, err := url.PathUnescape(strings.TrimSpace(item))
		if err != nil || !validPath(part) {
			return nil, headerError(HeaderParts, item)
		}
		parts = append(parts, part)
	}
	return parts, nil
}

func headerError(name, value string) error {
	return fmt.Errorf("%s %q: %w", name, value, ErrInvalid)
}
