package core

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/core/event"
)

const (
	// eventQueue is how many events wait for a reader of GET /events; what
	// comes then is dropped, and their number told.
	eventQueue = 1024
	// eventPulse is how often a reader gets a comment when nothing happens, so
	// that the server notices when it has gone.
	eventPulse = 15 * time.Second
)

// eventReader is one that reads GET /events.
type eventReader struct {
	queue   chan event.Event
	dropped atomic.Uint64
	w       http.ResponseWriter
	flush   func() error
}

// serveEvents answers GET /events with the event stream, as Server-Sent Events
// (HTML standard, 9.2): the event's name, and the event as JSON. ?names= is a
// list of names with commas, none: all. With ?live=1 each stream that is live
// comes first, as its on_stream_start; one that starts at that very moment may
// come twice.
func (s *Server) serveEvents(w http.ResponseWriter, r *http.Request) {
	if h, ok := s.RequestHolder(r); !ok || !h.Events {
		refuseToken(w, ok)
		return
	}
	names, err := eventNames(r.URL.Query().Get("names"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	q := &eventReader{queue: make(chan event.Event, eventQueue), w: w, flush: http.NewResponseController(w).Flush}
	cancel := s.hub.subscribe(named(names), q.take)
	defer cancel()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	if r.Method == http.MethodHead {
		return
	}
	if r.URL.Query().Get("live") == "1" {
		for _, e := range s.StreamEvents() {
			if q.write(e) != nil {
				return
			}
		}
	}
	q.run(r)
}

func refuseToken(w http.ResponseWriter, known bool) {
	if known {
		http.Error(w, "this token is not for that", http.StatusForbidden)
		return
	}
	http.Error(w, "no valid token: Authorization: Bearer TOKEN", http.StatusUnauthorized)
}

// eventNames reads a list of names.
func eventNames(list string) ([]string, error) {
	if list == "" {
		return nil, nil
	}
	names := strings.Split(list, ",")
	for _, n := range names {
		if !slices.Contains(event.Names(), n) {
			return nil, fmt.Errorf("no event has the name %q; there are %s", n, strings.Join(event.Names(), ", "))
		}
	}
	return names, nil
}

// take queues an event. Any goroutine; it does not block.
func (q *eventReader) take(e event.Event) {
	select {
	case q.queue <- e:
	default:
		q.dropped.Add(1)
	}
}

// run writes events until the reader goes or the server does.
func (q *eventReader) run(r *http.Request) {
	pulse := time.NewTicker(eventPulse)
	defer pulse.Stop()
	for q.flush() == nil {
		var err error
		select {
		case e := <-q.queue:
			err = q.drain(e)
		case <-pulse.C:
			_, err = io.WriteString(q.w, ":\n\n")
		case <-r.Context().Done():
			q.last()
			return
		}
		if err != nil {
			return
		}
	}
}

// drain writes e and what waits behind it.
func (q *eventReader) drain(e event.Event) error {
	for {
		if err := q.write(e); err != nil {
			return err
		}
		if n := q.dropped.Swap(0); n > 0 {
			if _, err := fmt.Fprintf(q.w, "event: dropped\ndata: {\"event\":\"dropped\",\"count\":%d}\n\n", n); err != nil {
				return err
			}
		}
		select {
		case e = <-q.queue:
		default:
			return nil
		}
	}
}

// last writes what is left when the server goes.
func (q *eventReader) last() {
	select {
	case e := <-q.queue:
		if q.drain(e) == nil {
			_ = q.flush()
		}
	default:
	}
}

func (q *eventReader) write(e event.Event) error {
	b, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	_, err = fmt.Fprintf(q.w, "event: %s\ndata: %s\n\n", e.Event, b)
	return err
}
