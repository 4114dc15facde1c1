package plugintest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/millrace/millrace/core/event"
)

// listener is a request for /events.
type listener struct {
	names  []string
	events chan event.Event
}

// Emit sends an event to those who read /events and asked for it. It does not
// wait for them: after 1,000 events that were not read more are lost.
func (s *Server) Emit(e event.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.listeners {
		if len(l.names) == 0 || slices.Contains(l.names, e.Event) {
			select {
			case l.events <- e:
			default:
			}
		}
	}
}

// Listeners is how many requests for /events are open.
func (s *Server) Listeners() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.listeners)
}

func (s *Server) listen(names string) *listener {
	l := &listener{events: make(chan event.Event, 1000)}
	if names != "" {
		l.names = strings.Split(names, ",")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners[l] = true
	return l
}

// serveEvents writes Server-Sent Events until the reader goes.
func (s *Server) serveEvents(w http.ResponseWriter, r *http.Request) {
	l := s.listen(r.URL.Query().Get("names"))
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.listeners, l)
	}()
	w.Header().Set("Content-Type", "text/event-stream")
	c := http.NewResponseController(w)
	for err := c.Flush(); err == nil; err = c.Flush() {
		select {
		case <-r.Context().Done():
			return
		case e := <-l.events:
			b, err := json.Marshal(e)
			if err != nil {
				return
			}
			if _, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", e.Event, b); err != nil {
				return
			}
		}
	}
}
