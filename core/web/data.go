package web

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strings"
	"syscall"

	"github.com/millrace/millrace/core/manifest"
	"github.com/millrace/millrace/core/object"
)

// dataFolders are the first path segments under which data_dir is served, as
// the folders of the same names. The URL of a file is its path below data_dir:
// a nested app, one folder there, has its slash written ~ in the URL as well
// (/mp4/live~eu/cam/…).
var dataFolders = []string{"flv", "hls", "mp4"}

// serveData answers a request below one of the data folders: an object in
// memory if there is one, otherwise a file.
func (s *Server) serveData(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/")
	if s.opts.Objects != nil && s.opts.Objects.Has(name) {
		s.opts.Objects.Serve(w, r, name)
		return
	}
	s.serveFile(w, r, s.settings.Load().DataDir, name)
}

// serveFile serves a file of data_dir. The folder is opened for each request,
// as www_dir is; os.Root keeps names and symbolic links inside of it.
func (s *Server) serveFile(w http.ResponseWriter, r *http.Request, dir, name string) {
	w.Header().Set("Cache-Control", "no-cache") // a file may come to be
	if dir == "" || !servable(name) {
		fail(w, http.StatusNotFound, "there is no file at %q", r.URL.Path)
		return
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		s.refuseFile(w, r, err)
		return
	}
	defer root.Close()
	f, err := s.openFile(root, name)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = s.openFile(root, newestFull(root, name))
	}
	if errors.Is(err, fs.ErrNotExist) && isToCome(root, name) {
		fail(w, http.StatusNotFound, "there is no MP4 at %q yet: it is made when the recording has ended", r.URL.Path)
		return
	}
	if err != nil {
		s.refuseFile(w, r, err)
		return
	}
	defer f.Close()
	f.immutable = f.immutable && f.name == name // an alias leads elsewhere soon
	f.serve(w, r)
}

// refuseFile answers for a file that cannot be opened. What is not a regular
// file is not there; what the system has against it is for the log.
func (s *Server) refuseFile(w http.ResponseWriter, r *http.Request, err error) {
	for _, busy := range []error{syscall.EMFILE, syscall.ENFILE} {
		if errors.Is(err, busy) {
			w.Header().Set("Retry-After", "1")
			fail(w, http.StatusServiceUnavailable, "the server has no descriptor left")
			return
		}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		s.log.Debug("open file", "path", r.URL.Path, "reason", err.Error())
	}
	fail(w, http.StatusNotFound, "there is no file at %q", r.URL.Path)
}

// servable tells names that are for the public: nothing hidden (temporary
// files begin with a dot), no manifest with its log, no lock.
func servable(name string) bool {
	if !fs.ValidPath(name) || strings.Contains(name, "\\") {
		return false
	}
	for segment := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(segment, ".") {
			return false
		}
	}
	base := path.Base(name)
	switch path.Ext(base) {
	case ".lock", ".log", ".tmp", ".part":
		return false
	}
	return base != manifest.Name && !strings.HasSuffix(base, ".flv.json")
}

// openFile opens a regular file of root.
func (s *Server) openFile(root *os.Root, name string) (*dataFile, error) {
	// Not blocking: opening a named pipe would wait for a writer.
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("open %s: %w", name, fs.ErrNotExist)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	d := &dataFile{File: f, name: name, info: info, size: info.Size()}
	d.findRecord(root, &s.manifests)
	d.keepHead(func() { d.findRecord(root, &s.manifests) })
	return d, nil
}

// typeOf is the Content-Type of a file.
func typeOf(name string) string { return object.TypeOf(name) }
