package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/conf"
	"github.com/millrace/millrace/core"
	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/hooks"
	"github.com/millrace/millrace/plugins/host"
	"github.com/millrace/millrace/plugins/host/place"
)

// pluginConfigs are the tables of plugins, and what is wrong with the host's
// keys in them.
func pluginConfigs(tables []conf.Plugin) (map[string]host.Config, conf.Problems) {
	all := make(map[string]host.Config, len(tables))
	var problems conf.Problems
	for _, t := range tables {
		c, wrong := host.ParseConfig(t.Values)
		for _, p := range wrong {
			problems = append(problems, t.Problem(p.Key, p.Message))
		}
		all[t.Name] = c
	}
	return all, problems
}

// recorders run the plugins beside the server.
type recorders struct {
	host    *host.Host
	log     *slog.Logger
	metrics *pluginMetrics
	runDir  string
	once    sync.Once
	cancel  context.CancelFunc
	ended   chan struct{}
}

// newRecorders makes the host of the plugins and what it needs on disk.
func newRecorders(c conf.Config, log *slog.Logger, runDir string, server *lateServer, scripts *hooks.Runtime) (*recorders, error) {
	for _, dir := range []string{c.Server.DataDir, c.Server.StateDir} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("make folder: %w", err)
		}
	}
	r := &recorders{log: log, runDir: runDir, metrics: newPluginMetrics(), ended: make(chan struct{})}
	var err error
	r.host, err = host.New(host.Options{
		Logger: log, DataDir: c.Server.DataDir, StateDir: c.Server.StateDir, RunDir: runDir,
		MediaSocket: filepath.Join(runDir, core.PluginSocketName),
		IssueToken:  server.issueToken, RevokeToken: server.revokeToken,
		Kick:   server.kick,
		Decide: func(ctx context.Context, e event.Event) (place.Verdict, error) { return decideRecord(ctx, scripts, e) },
		Wants: func(plugin string, e event.Event) (want, decided bool) {
			want, decided = e.Record[plugin]
			return want, decided
		},
		Kept:      server.keeps,
		Announced: func(e event.Event) { server.Load().Notify(&e) },
		Metrics:   r.metrics.take,
		Location:  c.Record.Location(), RecordTemplate: c.Record.Path,
	})
	if err != nil {
		return nil, fmt.Errorf("start host of plugins: %w", err)
	}
	r.metrics.host = r.host
	return r, nil
}

// lifecycle are the events that the host of the plugins is told of; it tells
// the plugins itself what they announce.
var lifecycle = []string{
	event.StreamStart, event.StreamLost, event.StreamBack, event.Codec, event.Unpublish,
	event.ViewerStart, event.Stop, event.Close,
}

// start runs the plugins of tables that were found right.
func (r *recorders) start(server *core.Server, configs map[string]host.Config) {
	server.Subscribe(r.host.Event, lifecycle...)
	for _, e := range server.StreamEvents() {
		r.host.Event(e)
	}
	r.apply(configs)
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() {
		defer close(r.ended)
		_ = r.host.Run(ctx) // it logs what goes wrong
	}()
}

// apply puts tables in force.
func (r *recorders) apply(configs map[string]host.Config) {
	for _, c := range configs {
		if c.Enabled && c.Limits.User != "" {
			if err := r.admitUsers(); err != nil {
				r.log.Error("plugins of other users cannot reach the server", "reason", err.Error())
			}
			break
		}
	}
	r.host.Apply(configs)
}

// admitUsers lets processes of other users connect to the plugins' socket;
// what they may do there is still their token's. Until a plugin has
// limits.user, its folder keeps everybody out.
func (r *recorders) admitUsers() error {
	return errors.Join(os.Chmod(filepath.Join(r.runDir, core.PluginSocketName), 0o666), os.Chmod(r.runDir, 0o711))
}

// stop has the plugins finish their files, and ends them. It may be called
// again.
func (r *recorders) stop() {
	r.once.Do(func() {
		if r.cancel == nil {
			_ = r.host.Close()
			return
		}
		r.cancel()
		<-r.ended
	})
}

// close frees what newRecorders and makeRunDir took.
func (r *recorders) close() {
	r.stop()
	_ = os.RemoveAll(r.runDir)
}

// preparePlugins makes the host of the plugins, and has the server serve them.
func (r *reloader) preparePlugins(c conf.Config, log *slog.Logger, late *lateServer, o *core.Options) error {
	tables, problems := pluginConfigs(c.Plugins)
	if len(problems) > 0 {
		return problems
	}
	runDir, err := makeRunDir()
	if err != nil {
		return err
	}
	if r.plugins, err = newRecorders(c, log, runDir, late, r.hooks); err != nil {
		return errors.Join(err, os.RemoveAll(runDir))
	}
	r.pluginTables = tables
	r.faults = &faults{host: r.plugins.host, server: late}
	r.faults.on.Store(c.Admin.Faults)
	o.PluginDir, o.Drained, o.Awaited = runDir, r.plugins.stop, r.plugins.host.Awaits
	o.Endpoints = slices.Concat(o.Endpoints, r.plugins.endpoints(), r.faults.endpoints())
	o.Collectors = append(o.Collectors, r.plugins.metrics)
	return nil
}

// decideRecord asks the scripts what a record is called.
func decideRecord(ctx context.Context, scripts *hooks.Runtime, e event.Event) (place.Verdict, error) {
	v := scripts.DecideNow(ctx, &e)
	if v.Err != nil {
		return place.Verdict{}, v.Err
	}
	return place.Verdict{Path: v.Path, Skip: v.Skip || !v.Allow, Labels: v.Labels}, nil
}

func (l *lateServer) issueToken(r host.Rights) (string, error) {
	s := l.Load()
	if s == nil {
		return "", errors.New("the server is not up yet")
	}
	return s.IssueToken(r.Plugin, core.Rights{
		Media: true, Events: true, Buffer: r.Buffer, Objects: r.Objects, ObjectsMax: r.ObjectsMax,
	}), nil
}

func (l *lateServer) keeps(session string) bool {
	s := l.Load()
	return s != nil && s.Keeps(session)
}

func (l *lateServer) revokeToken(token string) {
	if s := l.Load(); s != nil {
		s.RevokeToken(token)
	}
}

// runPrefix begins the name of the folder of this process's sockets; its
// process id and a dash follow.
const runPrefix = "millrace-"

// makeRunDir makes a folder for sockets, with a short path as those need, and
// removes those of servers that were killed.
func makeRunDir() (string, error) {
	temp := shortTemp()
	old, _ := filepath.Glob(filepath.Join(temp, runPrefix+"*-*"))
	for _, dir := range old {
		id, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), runPrefix), "-")
		if pid, err := strconv.Atoi(id); err == nil && errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
			_ = os.RemoveAll(dir) // another user's stays
		}
	}
	dir, err := os.MkdirTemp(temp, runPrefix+strconv.Itoa(os.Getpid())+"-")
	if err != nil {
		return "", fmt.Errorf("make folder for sockets: %w", err)
	}
	return dir, nil
}

// shortTemp is the system's folder for temporary files, or /tmp where that
// leaves too few of the 107 bytes of a socket's path: a plugin's has 88 below
// it at most, /millrace-PID-N/N/N/plugin-dirN/pluginN.
func shortTemp() string {
	if dir := os.TempDir(); len(dir) <= 107-88 {
		return dir
	}
	return "/tmp"
}
