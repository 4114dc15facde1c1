package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/conf"
	"github.com/millrace/millrace/core"
	"github.com/millrace/millrace/core/admin"
	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/hooks"
)

var _ event.Decider = decider{}

// decider has the scripts decide.
type decider struct{ *hooks.Runtime }

// Wants reports whether a script has the hook.
func (d decider) Wants(name string) bool { return d.Has(name) }

// Decide asks the scripts.
func (d decider) Decide(e *event.Event, done func(event.Verdict)) {
	d.Runtime.Decide(e, func(v hooks.Verdict) { done(event.Verdict(v)) })
}

// lateServer is the server that hooks and plugins are made before.
type lateServer struct{ atomic.Pointer[core.Server] }

// kick ends a stream ("APP/NAME") or a client, and reports whether there was
// one.
func (l *lateServer) kick(id, reason string) bool {
	s := l.Load()
	if s == nil {
		return false
	}
	if app, name, ok := splitStream(id); ok {
		return s.KickStream(app, name, reason)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	found, err := s.KickClient(ctx, id, reason)
	return found && err == nil
}

func (l *lateServer) streams() []event.Event {
	if s := l.Load(); s != nil {
		return s.StreamEvents()
	}
	return nil
}

// startHooks loads the scripts, to run on so many processors.
func startHooks(c conf.Hooks, log *slog.Logger, server *lateServer, processors int) (*hooks.Runtime, error) {
	var calls io.Writer
	if c.CallLog != "" {
		f, err := hooks.OpenCallLog(c.CallLog)
		if err != nil {
			return nil, fmt.Errorf("open hooks.call_log: %w", err)
		}
		calls = f // open as long as the process lives
	}
	return hooks.New(hooks.Options{
		Settings: hookSettings(c), Logger: log, CallLog: calls,
		Kick: server.kick, Streams: server.streams, Processors: processors,
	})
}

func hookSettings(c conf.Hooks) hooks.Settings {
	return hooks.Settings{
		Scripts: c.Scripts, Shadow: c.Shadow,
		Timeout: time.Duration(c.Timeout), QueueTimeout: time.Duration(c.QueueTimeout),
		OnError: c.OnError, OnErrorFor: c.Exceptions(),
		Workers: c.Workers, Queue: c.Queue, Memory: int64(c.Memory),
		HTTPAllow: c.HTTPAllow, Tick: time.Duration(c.Tick), Mask: c.Mask,
	}
}

// hookEndpoints are those of the scripts on the admin listener.
func hookEndpoints(r *hooks.Runtime) []admin.Endpoint {
	return []admin.Endpoint{
		{Method: "GET", Pattern: "/api/v1/hooks", About: "the scripts in force, and what was wrong with newer ones", Serve: getHooks(r)},
		{Method: "POST", Pattern: "/api/v1/hooks/reload", About: "read the scripts again", Serve: reloadHooks(r)},
	}
}
