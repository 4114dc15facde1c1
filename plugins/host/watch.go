package host

import (
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// watcher notices when a program's file is replaced.
type watcher struct {
	path string
	w    *fsnotify.Watcher
}

// quiet is how long a file must not change until it counts as written.
const quiet = 500 * time.Millisecond

// doWatch watches the program that the configuration names.
func (s *supervisor) doWatch() {
	path, err := lookUp(s.h.o.Beside, s.config.Command)
	if err != nil || s.watch != nil && s.watch.path == path {
		return
	}
	s.watch.close()
	s.watch = nil
	w, err := fsnotify.NewWatcher()
	if err != nil {
		s.logger.Warn("the program is not watched for changes", "error", err)
		return
	}
	if err := w.Add(filepath.Dir(path)); err != nil {
		s.logger.Warn("the program is not watched for changes", "error", err)
		w.Close()
		return
	}
	s.watch = &watcher{path: path, w: w}
	go s.watch.run(func() { s.post(func() { s.doSwap("the program changed") }) })
}

// run calls changed once for all changes that come close together. It ends
// with close.
func (w *watcher) run(changed func()) {
	const writes = fsnotify.Create | fsnotify.Write | fsnotify.Rename
	settled := time.NewTimer(time.Hour)
	defer settled.Stop()
	for {
		select {
		case e, ok := <-w.w.Events:
			if !ok {
				return
			}
			if e.Name == w.path && e.Op&writes != 0 {
				settled.Reset(quiet)
			}
		case _, ok := <-w.w.Errors:
			if !ok {
				return
			}
		case <-settled.C:
			changed()
		}
	}
}

func (w *watcher) close() {
	if w != nil {
		w.w.Close()
	}
}
