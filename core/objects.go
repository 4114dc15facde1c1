package core

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/millrace/millrace/core/netloop"
	"github.com/millrace/millrace/core/object"
)

// sweepInterval is how often the memory of objects whose time is over is
// given back.
const sweepInterval = time.Second

// Objects is the store from which the loops serve playlists and segments. Who
// makes them is granted prefixes there.
func (s *Server) Objects() *object.Store { return s.objects }

// isObject reports whether an event loop answers r from memory.
func (s *Server) isObject(r *http.Request) bool {
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
		}
	}
}

// net are the loops' settings. With a gate, all of what it guards goes through
// net/http: it may run scripts, for which a loop has no time.
func (l Live) net() netloop.Settings {
	n := l.Net
	n.ObjectsByHTTP = l.Web.Gate != nil
	return n
}
