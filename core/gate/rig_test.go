package gate

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/web"
)

// rig is a gate with a clock and rules of its own.
type rig struct {
	*Gate
	mu    sync.Mutex
	now   time.Time
	rules map[string]func(event.Event) event.Verdict
	asked []event.Event
	told  []event.Event
}

func newRig(t *testing.T, rules map[string]func(event.Event) event.Verdict) *rig {
	t.Helper()
	r := &rig{now: time.Unix(1_800_000_000, 0), rules: rules}
	r.Gate = New(Options{Decider: r, Events: r, Now: r.clock})
	return r
}

func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *rig) sleep(d time.Duration) {
	r.mu.Lock()
	r.now = r.now.Add(d)
	r.mu.Unlock()
	r.Sweep()
}

func (r *rig) Wants(name string) bool {
	return r.rules[name] != nil || name == event.Stop && r.rules[event.Play] != nil || name == event.ViewerStart
}

func (r *rig) Decide(e *event.Event, done func(event.Verdict)) {
	r.mu.Lock()
	r.asked = append(r.asked, *e)
	r.mu.Unlock()
	go func() { done(r.rules[e.Event](*e)) }()
}

func (r *rig) Notify(e *event.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = append(r.told, *e)
}

// count is how often it was asked about a hook.
func (r *rig) count(hook string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.asked {
		if e.Event == hook {
			n++
		}
	}
	return n
}

func (r *rig) lastTold(t *testing.T, name string) event.Event {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := len(r.told) - 1; i >= 0; i-- {
		if r.told[i].Event == name {
			return r.told[i]
		}
	}
	t.Fatalf("nobody was told of %s", name)
	return event.Event{}
}

// request asks for a URL; header are "Name: value".
func request(url string, header ...string) *http.Request {
	req := httptest.NewRequest(http.MethodGet, url, nil)
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	return req
}

// pass checks a request that must pass, and ends it.
func (r *rig) pass(t *testing.T, url string, header ...string) web.Decision {
	t.Helper()
	d := r.Check(request(url, header...))
	if d.Status != 0 || d.Redirect != "" {
		t.Fatalf("%s: %d %s %s", url, d.Status, d.Reason, d.Redirect)
	}
	if d.Answer != nil {
		d.Answer.End()
	}
	return d
}

func allow(event.Event) event.Verdict { return event.Verdict{Allow: true} }

func on(name string, f func(event.Event) event.Verdict) map[string]func(event.Event) event.Verdict {
	return map[string]func(event.Event) event.Verdict{name: f}
}
