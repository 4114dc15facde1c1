package web

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path"
)

// serveWWW serves a file of www_dir. The folder is opened per request: so it
// may be replaced as a whole while the server runs, and no request can meet a
// closed root when the setting changes. os.Root keeps names and symbolic links
// inside it.
func (s *Server) serveWWW(w http.ResponseWriter, r *http.Request, dir string) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		s.log.Warn("open www_dir", "err", err)
		fail(w, http.StatusInternalServerError, "the folder of the pages (www_dir) cannot be opened")
		return
	}
	defer func() { _ = root.Close() }() // nothing was written through it

	files := wwwFS{root.FS()}
	if _, err := fs.Stat(files, fileName(r.URL.Path)); err != nil {
		notFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "no-cache") // names need not change with content
	http.FileServerFS(files).ServeHTTP(w, r)
}

// wwwFS is what a web server shows of a folder: regular files, and folders
// that have an index.html (no listings), none of them hidden.
type wwwFS struct{ fs.FS }

func (f wwwFS) Open(name string) (fs.File, error) {
	if hidden(name) || !f.shown(name) {
		return nil, fmt.Errorf("open %s: %w", name, fs.ErrNotExist)
	}
	return f.FS.Open(name)
}

// shown looks before opening, since opening a named pipe would block.
func (f wwwFS) shown(name string) bool {
	info, err := fs.Stat(f.FS, name)
	if err == nil && info.IsDir() {
		info, err = fs.Stat(f.FS, path.Join(name, "index.html"))
	}
	return err == nil && info.Mode().IsRegular()
}
