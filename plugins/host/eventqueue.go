package host

import (
	"context"
	"slices"
	"sync"

	"google.golang.org/grpc"

	"github.com/millrace/millrace/core/event"
	pluginv1 "github.com/millrace/millrace/plugins/proto/v1"
	"github.com/millrace/millrace/plugins/sdk/wire"
)

// queueLength is how many events wait for a plugin; more are dropped, the
// newest first, and counted.
const queueLength = 1024

// eventQueue sends events to a plugin without ever blocking who brings them.
type eventQueue struct {
	all   bool
	names []string
	queue chan event.Event

	mu      sync.Mutex
	dropped uint64 // since the last one sent
	total   uint64
}

func newEventQueue(names []string) *eventQueue {
	return &eventQueue{all: slices.Contains(names, "*"), names: names, queue: make(chan event.Event, queueLength)}
}

// add queues an event if the plugin wants it.
func (q *eventQueue) add(e event.Event) {
	if !q.all && !slices.Contains(q.names, e.Event) {
		return
	}
	select {
	case q.queue <- e:
	default:
		q.mu.Lock()
		q.dropped++
		q.total++
		q.mu.Unlock()
	}
}

func (q *eventQueue) lost() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.total
}

func (q *eventQueue) takeDropped() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.dropped
	q.dropped = 0
	return n
}

// run sends until the process exits.
func (q *eventQueue) run(ctx context.Context, to grpc.ClientStreamingClient[pluginv1.HandleEventsRequest, pluginv1.HandleEventsResponse]) {
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-q.queue:
			if err := to.Send(&pluginv1.HandleEventsRequest{Event: wire.EventMessage(&e), Dropped: q.takeDropped()}); err != nil {
				return // the process is ending
			}
		}
	}
}
