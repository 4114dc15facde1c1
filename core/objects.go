package core

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/object"
	"github.com/millrace/millrace/core/web"
)

// sweepInterval is how often the memory of objects whose time is over is given
// back, and viewing sessions are looked after.
const sweepInterval = time.Second

// Objects is the store from which the loops serve playlists and segments. Who
// makes them is granted prefixes there.
func (s *Server) Objects() *object.Store { return s.objects }

// defaultObjectsMax is what a plugin's objects may take, in bytes, if nothing
// else is said.
const defaultObjectsMax = 256 << 20

// grantObjects lets a plugin store objects.
func (s *Server) grantObjects(plugin string, r Rights) {
	limit := r.ObjectsMax
	if limit <= 0 {
		limit = defaultObjectsMax
	}
	if err := s.objects.Grant(plugin, r.Objects, limit); err != nil {
		s.log.Error("plugin cannot store objects", "plugin", plugin, event.Reason, err.Error())
	}
}

// objectHandler takes objects from plugins.
func (s *Server) objectHandler() http.Handler {
	return &object.Handler{Store: s.objects, Logger: s.log, Owner: func(r *http.Request) (string, bool) {
		h, ok := s.RequestHolder(r)
		return h.Plugin, ok && len(h.Objects) > 0
	}}
}

// isObject reports whether an event loop answers r from memory.
func (s *Server) isObject(r *http.Request) bool {
	if c, ok := web.Delivered(r).(interface{ Secured() bool }); ok && c.Secured() {
		return false // it would come back at once
	}
	path, ok := strings.CutPrefix(r.URL.Path, "/")
	return ok && r.ContentLength == 0 && s.engine.HasObject(path)
}

func (s *Server) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.objects.Sweep()
			s.gate.Sweep()
		}
	}
}
