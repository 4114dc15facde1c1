package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/millrace/millrace/conf"
	"github.com/millrace/millrace/core"
	"github.com/millrace/millrace/core/admin"
	"github.com/millrace/millrace/hooks"
	"github.com/millrace/millrace/plugins/host"
)

// serve runs the server until SIGTERM or SIGINT.
func serve(ctx context.Context, file string, stderr io.Writer) int {
	c, err := load(file)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitFailed
	}
	out := newAsyncWriter(stderr)
	defer out.Close()
	level := new(slog.LevelVar)
	level.Set(c.Log.Level.Slog())
	log := newLogger(out, c.Log.Format, level)

	log.Info("millrace starts", "version", version, "config", absolute(file), "data_dir", absolute(c.Server.DataDir),
		"pid", os.Getpid(), "descriptors", raiseDescriptors())
	o := options(c, log)
	r := &reloader{file: file, current: c, level: level, dataDir: o.Live.Web.DataDir}
	processors := loops(0) // before they seem to be more
	spareProcs(o.Loops)
	o.Reload = r.reload
	late := &lateServer{}
	if r.hooks, err = startHooks(c.Hooks, log, late, processors); err != nil {
		log.Error("cannot start", "reason", err.Error())
		return exitFailed
	}
	defer r.hooks.Close()
	o.Hooks, o.Endpoints = decider{r.hooks}, hookEndpoints(r.hooks)
	o.Collectors = append(o.Collectors, newHookMetrics(r.hooks))
	if err := r.preparePlugins(c, log, late, &o); err != nil {
		log.Error("cannot start", "reason", err.Error())
		return exitFailed
	}
	defer r.plugins.close()
	// Before others can see that the server is there: a hang-up that nobody
	// waits for ends the process.
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	server, err := core.New(o)
	if err != nil {
		log.Error("cannot start", "reason", err.Error())
		return exitFailed
	}
	r.server = server
	late.Store(server)
	r.plugins.start(server, r.pluginTables)

	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	go r.onHangup(ctx, hangup)
	if err := server.Run(ctx); err != nil {
		log.Error("server failed", "reason", err.Error())
		return exitFailed
	}
	return exitDone
}

// reloader reads the configuration again, on SIGHUP or when the API asks.
type reloader struct {
	file   string
	server *core.Server
	hooks  *hooks.Runtime
	level  *slog.LevelVar

	plugins      *recorders
	faults       *faults
	pluginTables map[string]host.Config // of the start
	// dataDir is the one that was set at the start.
	dataDir string

	mu      sync.Mutex
	current conf.Config
}

// reload puts in force what can change while the server runs. An invalid
// configuration changes nothing.
func (r *reloader) reload() ([]admin.Change, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	next, err := load(r.file)
	if err != nil {
		return nil, reloadError{err}
	}
	if err := r.hooks.Configure(hookSettings(next.Hooks)); err != nil {
		return nil, reloadError{err}
	}
	tables, problems := pluginConfigs(next.Plugins)
	if len(problems) > 0 {
		return nil, reloadError{problems}
	}
	l := live(next)
	l.Web.DataDir = r.dataDir // recorders go on there until a restart
	if err := r.server.Apply(l); err != nil {
		return nil, err
	}
	r.plugins.apply(tables)
	r.faults.on.Store(next.Admin.Faults)
	r.level.Set(next.Log.Level.Slog())
	var changes []admin.Change
	for _, c := range conf.Diff(r.current, next) {
		changes = append(changes, admin.Change{Key: c.Key, Old: c.Old, New: c.New, Live: c.Live})
	}
	r.current = next
	return changes, nil
}

func (r *reloader) onHangup(ctx context.Context, hangup <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			_, _ = r.server.Reload() // it logs what came of it
		}
	}
}

// reloadError gives a configuration's problems one by one.
type reloadError struct{ error }

// Unwrap returns the cause.
func (e reloadError) Unwrap() error { return e.error }

// Problems are the configuration's, one line each.
func (e reloadError) Problems() []string {
	var problems conf.Problems
	if !errors.As(e.error, &problems) {
		return []string{e.Error()}
	}
	lines := make([]string, len(problems))
	for i, p := range problems {
		lines[i] = p.String()
	}
	return lines
}
