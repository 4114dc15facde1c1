package hooks

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long after the last change of a script they are read: editors
// and copies write a file in several steps.
const settle = 150 * time.Millisecond

// watcher reloads when a file in the folders of the scripts changes.
type watcher struct {
	r       *Runtime
	notify  *fsnotify.Watcher
	folders []string // under Runtime.reload
}

func newWatcher(r *Runtime) (*watcher, error) {
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch files: %w", err)
	}
	w := &watcher{r: r, notify: notify}
	w.watch(r.live.Load(), r.shadow.Load())
	return w, nil
}

// watch sets the folders: files are replaced by renaming, so that watching a
// file would lose it.
func (w *watcher) watch(sets ...*scriptSet) {
	var folders []string
	for _, set := range sets {
		if set == nil {
			continue
		}
		for _, s := range set.sources {
			folders = append(folders, s.folders...)
		}
	}
	for _, f := range w.folders {
		if !slices.Contains(folders, f) {
			// A folder that is gone is not watched any more.
			_ = w.notify.Remove(f)
		}
	}
	for _, f := range folders {
		if err := w.notify.Add(f); err != nil {
			w.r.logger.Warn("folder of hook scripts is not watched for changes", "folder", f, "error", err)
		}
	}
	w.folders = folders
}

// run reloads until ctx ends.
func (w *watcher) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	defer timer.Stop()
	var first time.Time // of the changes that were not looked at yet
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-w.notify.Events:
			if !ok {
				return
			}
			if e.Has(fsnotify.Chmod) && !e.Has(fsnotify.Write) {
				continue
			}
			if first.IsZero() {
				first = time.Now()
			}
			// Something else in the folder may change all the time: a call log.
			if filepath.Ext(e.Name) == ".lua" || time.Since(first) < time.Second {
				timer.Reset(settle)
			}
		case err, ok := <-w.notify.Errors:
			if !ok {
				return
			}
			w.r.logger.Warn("watching hook scripts", "error", err)
			if errors.Is(err, fsnotify.ErrEventOverflow) {
				timer.Reset(settle)
			}
		case <-timer.C:
			first = time.Time{}
			if err := w.r.reloadChanged(); err != nil {
				w.r.logger.Error("hook scripts changed and were not loaded; the old ones stay in force", "error", err)
			}
		}
	}
}

func (w *watcher) close() error { return w.notify.Close() }
