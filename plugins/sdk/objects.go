package sdk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// ErrObjectsFull is returned by PutObject when the plugin's share of the
// server's memory for objects does not hold the object.
var ErrObjectsFull = errors.New("no room for the object")

// ErrObjectChanged is returned by GrowObject when the object that is to grow is
// not there any more.
var ErrObjectChanged = errors.New("the object is another now")

// PutObject sends an object. Its headers are those of the server's package
// core/object.
func (h *host) PutObject(ctx context.Context, o Object) error {
	_, err := h.GrowObject(ctx, o, "", 0)
	return err
}

// GrowObject sends an object, or what comes behind the beginning of one. The tag
// is the object's ETag.
func (h *host) GrowObject(ctx context.Context, o Object, tag string, keep int64) (string, error) {
	body := o.Body
	method, header := http.MethodPut, objectHeader(o)
	if o.Delta != nil {
		header.Set("Millrace-Delta", strconv.Itoa(len(o.Delta)))
		body = append(append(make([]byte, 0, len(o.Body)+len(o.Delta)), o.Body...), o.Delta...)
	}
	if tag != "" {
		method = http.MethodPatch
		header.Set("If-Match", tag)
		header.Set("Millrace-Keep", strconv.FormatInt(keep, 10))
	}
	tag, err := h.object(ctx, method, o.Path, header, body)
	if err != nil {
		return "", fmt.Errorf("put object %s: %w", o.Path, err)
	}
	return tag, nil
}

var _ Grower = (*host)(nil)

// DeleteObject removes an object; there need not be one.
func (h *host) DeleteObject(ctx context.Context, path string) error {
	if _, err := h.object(ctx, http.MethodDelete, path, nil, nil); err != nil {
		return fmt.Errorf("delete object %s: %w", path, err)
	}
	return nil
}

// RefreshObjects has objects stay.
func (h *host) RefreshObjects(ctx context.Context, folder string, ttl time.Duration) ([]string, error) {
	header := http.Header{"Millrace-Ttl": {ttl.String()}}
	r, err := h.plane.do(ctx, http.MethodPatch, "/objects/"+escape(folder), header, nil)
	if err != nil {
		return nil, fmt.Errorf("refresh objects below %s: %w", folder, err)
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("refresh objects below %s: %s", folder, answerText(r))
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("refresh objects below %s: %w", folder, err)
	}
	return strings.FieldsFunc(string(b), func(c rune) bool { return c == '\n' }), nil
}

var _ Refresher = (*host)(nil)

func objectHeader(o Object) http.Header {
	h := http.Header{}
	set := func(name, value string) {
		if value != "" {
			h.Set(name, value)
		}
	}
	set("Content-Type", o.ContentType)
	set("Cache-Control", o.CacheControl)
	if o.TTL > 0 {
		h.Set("Millrace-TTL", o.TTL.String())
	}
	if o.Parts != nil {
		parts := make([]string, len(o.Parts))
		for i, p := range o.Parts {
			parts[i] = escape(p)
		}
		h.Set("Millrace-Parts", strings.Join(parts, ","))
	}
	if o.Blocking {
		h.Set("Millrace-Blocking", "1")
		h.Set("Millrace-MSN", strconv.FormatInt(o.MSN, 10))
		h.Set("Millrace-Part", strconv.FormatInt(o.Part, 10))
	}
	set("Millrace-Hint", escape(o.Hint))
	return h
}

// escape keeps a path's slashes, and its commas out of lists.
func escape(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i] = strings.ReplaceAll(url.PathEscape(s), ",", "%2C")
	}
	return strings.Join(segments, "/")
}

// object sends a request about an object, and returns the ETag of the answer.
func (h *host) object(ctx context.Context, method, path string, header http.Header, body []byte) (tag string, err error) {
	r, err := h.plane.do(ctx, method, "/objects/"+escape(path), header, body)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	switch {
	case r.StatusCode == http.StatusInsufficientStorage:
		return "", fmt.Errorf("%w: %s", ErrObjectsFull, answerText(r))
	case r.StatusCode == http.StatusPreconditionFailed:
		return "", fmt.Errorf("%w: %s", ErrObjectChanged, answerText(r))
	case method == http.MethodDelete && r.StatusCode == http.StatusNotFound:
	case r.StatusCode >= http.StatusMultipleChoices:
		return "", errors.New(answerText(r))
	}
	// Read to the end, so that the connection is used again.
	_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, 64<<10))
	return r.Header.Get("ETag"), nil
}
