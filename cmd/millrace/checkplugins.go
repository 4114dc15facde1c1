package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/millrace/millrace/conf"
	"github.com/millrace/millrace/plugins/host"
)

// checkPatience is how long all plugins together have to look at their tables.
const checkPatience = 20 * time.Second

// pluginProblems are those of the plugins' tables: of the host's keys, and of
// the plugins' own, for which each that is enabled is started.
func pluginProblems(ctx context.Context, c conf.Config) conf.Problems {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	found := make([]conf.Problems, len(c.Plugins))
	err := withCheckHost(func(h *host.Host) {
		var all sync.WaitGroup
		for i, t := range c.Plugins {
			all.Go(func() { found[i] = checkPlugin(ctx, h, t) })
		}
		all.Wait()
	})
	problems := slices.Concat(found...)
	if err != nil {
		problems = append(problems, conf.Problem{File: "plugins", Message: err.Error()})
	}
	return problems
}

// withCheckHost calls f with a host that has folders of its own: a check
// changes nothing.
func withCheckHost(f func(*host.Host)) (err error) {
	dir, err := os.MkdirTemp(shortTemp(), "millrace-check-")
	if err != nil {
		return fmt.Errorf("make folder for the check: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o711); err != nil { // for plugins of other users
		return fmt.Errorf("open folder for the check: %w", err)
	}
	h, err := host.New(host.Options{DataDir: dir, StateDir: dir, RunDir: dir})
	if err != nil {
		return err
	}
	f(h)
	return h.Close()
}

// checkPlugin finds what is wrong with the host's keys of a table; if nothing
// is, it has the plugin look at its own.
func checkPlugin(ctx context.Context, h *host.Host, t conf.Plugin) (all conf.Problems) {
	configs, problems := pluginConfigs([]conf.Plugin{t})
	c := configs[t.Name]
	if len(problems) > 0 || !c.Enabled {
		return problems
	}
	wrong, err := h.Check(ctx, t.Name, c)
	for _, p := range wrong {
		all = append(all, t.Problem(p.Key, p.Message))
	}
	switch {
	case err == nil:
		return all
	case errors.Is(err, host.ErrChecksum):
		return append(all, t.Problem("sha256", err.Error()))
	case ctx.Err() != nil:
		return append(all, t.Problem("command", fmt.Sprintf("did not look at its table within %v", checkPatience)))
	}
	return append(all, t.Problem("command", err.Error()))
}
