package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/core/admin"
	"github.com/millrace/millrace/plugins/host"
)

// faults are what "millrace debug" asks for. They are made only while
// admin.faults is on.
type faults struct {
	on     atomic.Bool
	host   *host.Host
	server *lateServer
}

const (
	// usualFault is how long a fault lasts if nobody says, longestFault the
	// most.
	usualFault   = 5 * time.Second
	longestFault = time.Hour
)

// endpoints are those of the faults on the admin listener.
func (f *faults) endpoints() []admin.Endpoint {
	const base = "/api/v1/debug/"
	return []admin.Endpoint{
		{Method: "POST", Pattern: base + "kill-plugin/{plugin}", About: "kill a plugin's process (SIGKILL)", Serve: f.gate(f.killPlugin)},
		{Method: "POST", Pattern: base + "stall-plugin/{plugin}", About: "stop a plugin's process; ?for=5s", Serve: f.gate(f.stallPlugin)},
		{Method: "POST", Pattern: base + "slow-disk/{plugin}", About: "have a plugin's process run a twentieth of the time; ?for=5s", Serve: f.gate(f.slowDisk)},
		{Method: "POST", Pattern: base + "stall-viewer/{id}", About: "write nothing to a viewer; ?for=5s", Serve: f.gate(f.stallViewer)},
		{Method: "POST", Pattern: base + "drop-publisher/{stream...}", About: "close a publisher's connection without a good-bye", Serve: f.gate(f.dropPublisher)},
	}
}

// gate refuses while faults are off.
func (f *faults) gate(serve func(*http.Request, time.Duration) error) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		if !f.on.Load() {
			return nil, &admin.StatusError{Status: http.StatusForbidden, Err: errors.New("faults are off: admin.faults = true allows them")}
		}
		d, err := lasting(r)
		if err != nil {
			return nil, &admin.StatusError{Status: http.StatusBadRequest, Err: err}
		}
		return nil, serve(r, d)
	}
}

func lasting(r *http.Request) (time.Duration, error) {
	text := r.URL.Query().Get("for")
	if text == "" {
		return usualFault, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > longestFault {
		return 0, fmt.Errorf("for=%q is no duration such as 5s, of at most %v", text, longestFault)
	}
	return d, nil
}

func (f *faults) killPlugin(r *http.Request, _ time.Duration) error {
	return answerFor(f.host.Kill(r.PathValue("plugin")))
}

func (f *faults) stallPlugin(r *http.Request, d time.Duration) error {
	return answerFor(f.host.Stall(r.PathValue("plugin"), d))
}

func (f *faults) slowDisk(r *http.Request, d time.Duration) error {
	return answerFor(f.host.SlowDisk(r.PathValue("plugin"), d))
}

// faultPatience is how long the loops may take to answer.
const faultPatience = 5 * time.Second

func (f *faults) stallViewer(r *http.Request, d time.Duration) error {
	ctx, cancel := context.WithTimeout(r.Context(), faultPatience)
	defer cancel()
	found, err := f.server.Load().StallViewer(ctx, r.PathValue("id"), d)
	return foundOr("viewer", r.PathValue("id"), found, err)
}

func (f *faults) dropPublisher(r *http.Request, _ time.Duration) error {
	ctx, cancel := context.WithTimeout(r.Context(), faultPatience)
	defer cancel()
	app, name := admin.StreamOf(r)
	found, err := f.server.Load().DropPublisher(ctx, app, name)
	return foundOr("publisher", app+"/"+name, found, err)
}

func foundOr(what, id string, found bool, err error) error {
	if err == nil && !found {
		err = &admin.StatusError{Status: http.StatusNotFound, Err: fmt.Errorf("no such %s: %s", what, id)}
	}
	return err
}
