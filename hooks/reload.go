package hooks

import (
	"fmt"
)

// Reload reads the scripts again, compiles them and runs their self-checks. If
// anything fails, nothing changes, and the error names file and line. Calls
// that run end with the scripts that they began with.
func (r *Runtime) Reload() error {
	r.reload.Lock()
	defer r.reload.Unlock()
	return r.loadAll(*r.settings.Load(), true)
}

// reloadChanged is Reload unless the files are the same as those in force.
func (r *Runtime) reloadChanged() error {
	r.reload.Lock()
	defer r.reload.Unlock()
	return r.loadAll(*r.settings.Load(), false)
}

// Configure puts other settings, and the scripts that they name, into force,
// or changes nothing and says why.
func (r *Runtime) Configure(s Settings) error {
	filled, err := s.filled()
	if err != nil {
		return err
	}
	r.reload.Lock()
	defer r.reload.Unlock()
	if err := r.loadAll(filled, true); err != nil {
		return err
	}
	r.settings.Store(&filled)
	r.pool.limit(filled.Workers, filled.Queue, filled.Memory)
	return nil
}

// loadAll makes the sets that settings name and swaps both in, or none. The
// live set is swapped by one store: each call sees one version of the scripts.
func (r *Runtime) loadAll(s Settings, force bool) error {
	live, err := r.prepare(s.Scripts, r.services, s)
	if err != nil {
		return r.keepOld("", err)
	}
	shadow, err := r.prepare(s.Shadow, r.private, s)
	if err != nil {
		return r.keepOld("shadow ", err)
	}
	if !force && same(live, r.live.Load()) && same(shadow, r.shadow.Load()) {
		r.status.unchanged()
		return nil
	}
	for _, old := range []*scriptSet{r.live.Swap(live), r.shadow.Swap(shadow)} {
		if old != nil {
			old.retire()
		}
	}
	if r.watcher != nil {
		r.watcher.watch(live, shadow)
	}
	r.status.loadDone()
	if live != nil {
		r.logger.Info("hook scripts loaded", "scripts", live.shown())
	}
	return nil
}

// prepare makes a set; nil when there are no scripts.
func (r *Runtime) prepare(paths []string, svc *services, s Settings) (*scriptSet, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	return newSet(paths, svc, uint64(s.Memory))
}

func (r *Runtime) keepOld(which string, err error) error {
	r.status.loadFailed(err)
	return fmt.Errorf("load %shook scripts: %w", which, err)
}

// same tells whether two sets were read from the same files.
func same(a, b *scriptSet) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.digest == b.digest
}
