package object

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
)

// Prefix is what a Handler's URLs begin with; the object's path follows.
const Prefix = "/objects/"

// Handler lets plugins store objects: PUT, DELETE, GET and HEAD of
// /objects/PATH, and PATCH of /objects/FOLDER/, which has all below it stay for
// the time of HeaderTTL from now, and answers their paths, one a line (see
// [Store.Refresh]). It belongs on a private listener. A PUT answers 201 for a new
// object, 204 for one that took another's place, both with its ETag, 400 for one
// that cannot be, 403 outside of what was granted, 409 if a part is not there,
// and 507 if it does not fit (ErrFull). A PATCH of /objects/PATH with that ETag
// as If-Match is a PUT of what comes behind the first bytes (HeaderKeep) of the
// object that is there; 412 if that is another.
type Handler struct {
	Store  *Store
	Logger *slog.Logger
	// Owner tells by its token who sends a request, and whether it may at all.
	Owner func(r *http.Request) (name string, ok bool)
}

// ServeHTTP is http.Handler's.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	owner, ok := h.Owner(r)
	if !ok {
		w.Header().Set("WWW-Authenticate", `Bearer realm="millrace"`)
		http.Error(w, "a valid token is needed", http.StatusUnauthorized)
		return
	}
	path, ok := strings.CutPrefix(r.URL.Path, Prefix)
	if !ok {
		http.NotFound(w, r)
		return
	}
	switch r.Method {
	case http.MethodPut:
		h.put(w, r, owner, path)
	case http.MethodDelete:
		h.delete(w, owner, path)
	case http.MethodPatch:
		if r.Header.Get("If-Match") != "" {
			h.put(w, r, owner, path)
			return
		}
		h.refresh(w, r, owner, path)
	case http.MethodGet, http.MethodHead:
		h.Store.Serve(w, r, path)
	default:
		w.Header().Set("Allow", "GET, HEAD, PUT, PATCH, DELETE")
		http.Error(w, "use GET, HEAD, PUT, PATCH or DELETE", http.StatusMethodNotAllowed)
	}
}

func (h *Handler) put(w http.ResponseWriter, r *http.Request, owner, path string) {
	had := h.Store.Get(path) != nil
	o, err := h.Store.receive(owner, path, r)
	if err == nil {
		w.Header().Set("ETag", o.Full.ETag)
	}
	switch {
	case err == nil && had:
		w.WriteHeader(http.StatusNoContent)
	case err == nil:
		w.WriteHeader(http.StatusCreated)
	default:
		status := statusOf(err)
		if status == http.StatusInsufficientStorage {
			h.Logger.Warn("object refused", "plugin", owner, "path", path, "reason", err.Error())
		}
		// What is left of the body would have to be read to keep the connection.
		w.Header().Set("Connection", "close")
		http.Error(w, err.Error(), status)
	}
}

func statusOf(err error) int {
	switch {
	case errors.Is(err, ErrFull):
		return http.StatusInsufficientStorage
	case errors.Is(err, ErrForbidden):
		return http.StatusForbidden
	case errors.Is(err, ErrPart):
		return http.StatusConflict
	case errors.Is(err, ErrChanged):
		return http.StatusPreconditionFailed
	}
	return http.StatusBadRequest
}

func (h *Handler) delete(w http.ResponseWriter, owner, path string) {
	had, err := h.Store.Delete(owner, path)
	switch {
	case err != nil:
		http.Error(w, err.Error(), statusOf(err))
	case !had:
		http.Error(w, "no such object", http.StatusNotFound)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func (h *Handler) refresh(w http.ResponseWriter, r *http.Request, owner, folder string) {
	p, _, err := parseHeader(r.Header)
	if err == nil && p.TTL < 0 {
		err = headerError(HeaderTTL, r.Header.Get(HeaderTTL))
	}
	var paths []string
	if err == nil {
		paths, err = h.Store.Refresh(owner, folder, p.ttl())
	}
	if err != nil {
		http.Error(w, err.Error(), statusOf(err))
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	for _, path := range paths {
		if _, err := io.WriteString(w, path+"\n"); err != nil {
			return // the plugin's going
		}
	}
}

// receive stores what a PUT or PATCH request carries.
func (s *Store) receive(owner, path string, r *http.Request) (*Object, error) {
	p, delta, err := parseHeader(r.Header)
	if err != nil {
		return nil, err
	}
	p.Path = path
	if r.Method == http.MethodPatch {
		p.After = r.Header.Get("If-Match")
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	if _, err := s.allowed(owner, path, p.Hint); err != nil {
		return nil, err
	}
	if err := s.fits(owner, r.ContentLength); err != nil {
		return nil, err
	}
	blocks, size, err := s.read(owner, r.Body)
	if err != nil {
		return nil, err
	}
	if delta >= 0 {
		whole := &Content{Blocks: blocks, Size: size}
		if delta > size {
			s.unreserve(owner, size)
			return nil, headerError(HeaderDelta, r.Header.Get(HeaderDelta))
		}
		blocks, p.Delta = whole.cut(size - delta)
		s.unreserve(owner, delta) // an object's delta is charged with it
		size -= delta
	}
	p.blocks = blocks
	return s.put(owner, p, size)
}

// allowed returns an owner that may store at all of these paths.
func (s *Store) allowed(name string, paths ...string) (*owner, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	o := s.owners[name]
	return o, o.allows(paths...)
}

// fits refuses at once what is announced to be too large: reading it would
// drive out all else first.
func (s *Store) fits(name string, size int64) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if o := s.owners[name]; size > o.max {
		return fmt.Errorf("take %d bytes: %w", size, ErrFull)
	}
	return nil
}

// blockSize is how much of a body is read at a time, in bytes.
const blockSize = 256 << 10

// read reads a body into the blocks that will be served. Room in the owner's
// budget is taken for each before it is allocated.
func (s *Store) read(owner string, body io.Reader) (blocks [][]byte, size int64, err error) {
	for block := int64(4 << 10); ; block = min(2*block, blockSize) {
		if err := s.reserve(owner, block); err != nil {
			s.unreserve(owner, size)
			return nil, 0, err
		}
		b := make([]byte, block)
		n, err := io.ReadFull(body, b)
		s.unreserve(owner, block-int64(n))
		size += int64(n)
		if n > 0 {
			blocks = append(blocks, trim(b[:n]))
		}
		switch {
		case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) && int64(n) < block && isEnd(body):
			return blocks, size, nil
		case err != nil:
			s.unreserve(owner, size)
			return nil, 0, fmt.Errorf("read object: %w", err)
		}
	}
}

// isEnd tells the end of a body from one that was cut off, which net/http
// reports as io.ErrUnexpectedEOF again and again.
func isEnd(body io.Reader) bool {
	_, err := body.Read(make([]byte, 1))
	return err == io.EOF
}

// trim lets go of what was allocated and not needed.
func trim(b []byte) []byte {
	if cap(b) <= len(b)+len(b)/8 {
		return b
	}
	return append(make([]byte, 0, len(b)), b...)
}

// cut takes the content apart at offset; what is behind is copied.
func (c *Content) cut(offset int64) (blocks [][]byte, rest []byte) {
	at := c.CursorAt(offset)
	rest = []byte{}
	for i := at.Block; i < len(c.Blocks); i++ {
		rest = append(rest, c.Blocks[i]...)
	}
	if at.Block == len(c.Blocks) {
		return c.Blocks, rest
	}
	blocks = c.Blocks[:at.Block:at.Block]
	if at.Offset > 0 {
		blocks = append(blocks, c.Blocks[at.Block][:at.Offset:at.Offset])
	}
	return blocks, rest[at.Offset:]
}
