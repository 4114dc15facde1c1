package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

// dist is what Vite builds. In a fresh checkout it holds only a placeholder,
// whose name begins with a dot: hence "all:".
//
//go:embed all:ui/dist
var dist embed.FS

func builtInPages() (fs.FS, error) {
	built, err := fs.Sub(dist, "ui/dist")
	if err != nil {
		return nil, fmt.Errorf("open built-in pages: %w", err)
	}
	return built, nil
}

// pageHeaders guard the built-in pages. Their media comes from this server over
// HTTP or WebSocket, and mpegts.js feeds it to the video element as a blob.
// Nothing forbids to frame the page: ?stream=… is there to be embedded.
var pageHeaders = map[string]string{
	"Content-Security-Policy": "default-src 'self'; connect-src 'self' ws: wss:; media-src 'self' blob:; " +
		"img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'",
	"Referrer-Policy": "same-origin", // a page URL may carry a token
	"Cache-Control":   "no-cache",    // a page names the assets of its build
}

// pages are the built-in files: pages, and under assets/ what they load.
type pages struct{ files fs.FS }

// servePage answers everything that has no route of its own.
func (s *Server) servePage(w http.ResponseWriter, r *http.Request) {
	if dir := s.settings.Load().WWWDir; dir != "" {
		s.serveWWW(w, r, dir)
		return
	}
	s.pages.serve(w, r)
}

func (p pages) serve(w http.ResponseWriter, r *http.Request) {
	name := fileName(r.URL.Path)
	if name == "." {
		name = "index.html"
	}
	content, err := fs.ReadFile(p.files, name) // embedded: no copy from a disk
	switch {
	case err != nil && name == "index.html":
		w.Header().Set("Cache-Control", "no-store")
		fail(w, http.StatusServiceUnavailable, "pages were not built: run make build")
		return
	case err != nil || hidden(name):
		notFound(w, r)
		return
	}
	setFileHeaders(w.Header(), name, content)
	http.ServeContent(w, r, path.Base(name), time.Time{}, bytes.NewReader(content))
}

// setFileHeaders lets what lies under assets/, which has the hash of its
// content in its name, be cached for ever; all else is asked for each time.
func setFileHeaders(h http.Header, name string, content []byte) {
	if strings.HasPrefix(name, "assets/") {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		return
	}
	for k, v := range pageHeaders {
		h.Set(k, v)
	}
	sum := sha256.Sum256(content)
	h.Set("ETag", `"`+hex.EncodeToString(sum[:12])+`"`)
}

func notFound(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-cache") // it may come to be
	fail(w, http.StatusNotFound, "there is no page at %q", r.URL.Path)
}

// fileName returns the name, as io/fs wants it, of the file at a URL path.
func fileName(urlPath string) string {
	name := strings.TrimPrefix(path.Clean("/"+urlPath), "/")
	if name == "" {
		return "."
	}
	return name
}

// hidden tells names that begin with a dot (.git, .env), other than
// .well-known (RFC 8615): they are not for the public.
func hidden(name string) bool {
	for segment := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(segment, ".") && segment != "." && segment != ".well-known" {
			return true
		}
	}
	return false
}
