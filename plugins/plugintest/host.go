// Package plugintest is what plugins are tested with: a Host that stands in
// for the server in the same process, and Run, the conformance kit, which
// also drives a plugin as a process of its own.
package plugintest

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/plugins/host/place"
	"github.com/millrace/millrace/plugins/sdk"
)

// Host stands in for the server: folders of its own, names of records by the
// server's own rules, objects in memory. Any goroutine may use it.
type Host struct {
	t     testing.TB
	data  string
	state string
	namer *place.Namer

	mu        sync.Mutex
	decide    func(event.Event) (place.Verdict, error)
	announced []event.Event
	objects   map[string]sdk.Object
	tags      map[string]string // of objects that may grow
	grown     int
	gauges    map[string]float64
	kicked    []string
	streams   map[string]*Stream // by session
	started   map[sdk.Plugin]sdk.Info
	failPut   error
	refused   []string
	sessions  int
}

var _ interface {
	sdk.Host
	sdk.Refresher
	sdk.Grower
} = (*Host)(nil)

// tempDir is gone after the test, and what a killed plugin's own children still
// write to it, such as an encoder's last picture.
func tempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "mr-plugin-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		end := time.Now().Add(patience)
		for err := os.RemoveAll(dir); err != nil; err = os.RemoveAll(dir) {
			if time.Now().After(end) {
				t.Errorf("remove the test's folder: %v", err)
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
	return dir
}

// NewHost makes a host whose folders are gone after the test.
func NewHost(t testing.TB) *Host {
	t.Helper()
	dir := tempDir(t)
	h := &Host{
		t: t, data: dir + "/data", state: dir + "/state",
		objects: map[string]sdk.Object{}, tags: map[string]string{}, gauges: map[string]float64{},
		streams: map[string]*Stream{}, started: map[sdk.Plugin]sdk.Info{},
	}
	for _, d := range []string{h.data, h.state} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	namer, err := place.New(place.Options{DataDir: h.data, Location: time.UTC, Decide: h.onRecord, Logger: h.Logger()})
	if err != nil {
		t.Fatal(err)
	}
	h.namer = namer
	t.Cleanup(func() { namer.Close() })
	return h
}

// OnRecord has f decide about records from now on.
func (h *Host) OnRecord(f func(event.Event) (place.Verdict, error)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.decide = f
}

func (h *Host) onRecord(_ context.Context, e event.Event) (place.Verdict, error) {
	h.mu.Lock()
	f := h.decide
	h.mu.Unlock()
	if f == nil {
		return place.Verdict{}, nil
	}
	return f(e)
}

// Start configures and starts a plugin, and stops it at the end of the test.
// Attach does that with an empty configuration if it was not done before.
func (h *Host) Start(p sdk.Plugin, values map[string]any) {
	h.t.Helper()
	if problems := p.Configure(sdk.Config{Values: values}); len(problems) > 0 {
		h.t.Fatalf("configure: %v", problems)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	info := p.Info()
	// A server grants the prefixes first: a plugin may store objects, of a
	// stream that a crash left, while it starts.
	h.mu.Lock()
	h.started[p] = info
	h.mu.Unlock()
	if err := p.Start(ctx, h); err != nil {
		h.t.Fatalf("start: %v", err)
	}
	h.t.Cleanup(func() { h.Stop(p) })
}

// Stop stops a plugin, unless that was done already. Its streams are detached
// first.
func (h *Host) Stop(p sdk.Plugin) {
	h.t.Helper()
	h.mu.Lock()
	_, running := h.started[p]
	streams := slices.Collect(maps.Values(h.streams))
	h.mu.Unlock()
	if !running {
		return
	}
	for _, s := range streams {
		if s.plugin == p {
			s.Detach(sdk.Stopped)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		h.t.Errorf("stop: %v", err)
	}
	h.mu.Lock()
	delete(h.started, p) // what it stores at the end is granted still
	h.mu.Unlock()
}

// Crasher is implemented by plugins that hold what the kernel would free with
// their process, such as locks on files: Crash frees it, and writes nothing.
type Crasher interface{ Crash() }

// Crash forgets a plugin as if its process had been killed: neither its
// streams nor the plugin itself are told, unless it is a Crasher.
func (h *Host) Crash(p sdk.Plugin) {
	if c, ok := p.(Crasher); ok {
		c.Crash()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.started, p)
	maps.DeleteFunc(h.streams, func(_ string, s *Stream) bool { return s.plugin == p })
}

func (h *Host) isStarted(p sdk.Plugin) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, ok := h.started[p]
	return ok
}

// Logger writes to the test's output, warnings and errors too.
func (h *Host) Logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(h.t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// DataDir is a folder of the test's own.
func (h *Host) DataDir() string { return h.data }

// StateDir is another.
func (h *Host) StateDir() string { return h.state }

// OpenRecord names a record as the server does, in UTC.
func (h *Host) OpenRecord(ctx context.Context, r sdk.RecordRequest) (sdk.RecordPlace, error) {
	return h.namer.Open(ctx, "test", r)
}

// Announce keeps the event for Announced.
func (h *Host) Announce(_ context.Context, e event.Event) error {
	if e.Event != event.Segment && e.Event != event.RecordDone {
		return fmt.Errorf("announce %q: only %s and %s may be", e.Event, event.Segment, event.RecordDone)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.announced = append(h.announced, e)
	return nil
}

// Announced are the events so far, of the names given or all.
func (h *Host) Announced(names ...string) []event.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(h.announced), func(e event.Event) bool {
		return len(names) > 0 && !slices.Contains(names, e.Event)
	})
}

// PutObject stores an object. Its parts must be there, and its path be below
// a prefix that a started plugin asked for.
func (h *Host) PutObject(_ context.Context, o sdk.Object) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.put(o)
}

// GrowObject stores an object that begins with a part of the one before.
func (h *Host) GrowObject(_ context.Context, o sdk.Object, tag string, keep int64) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if tag != "" {
		before := h.objects[o.Path].Body
		if h.tags[o.Path] != tag {
			return "", fmt.Errorf("grow object %s: %w", o.Path, sdk.ErrObjectChanged)
		}
		if keep > int64(len(before)) || o.Parts != nil {
			return "", fmt.Errorf("grow object %s: %d of %d bytes cannot stay", o.Path, keep, len(before))
		}
		o.Body = slices.Concat(before[:keep], o.Body)
	}
	if err := h.put(o); err != nil {
		return "", err
	}
	h.grown++
	h.tags[o.Path] = fmt.Sprintf("%q", fmt.Sprint(h.grown))
	return h.tags[o.Path], nil
}

func (h *Host) put(o sdk.Object) error {
	if h.failPut != nil {
		return h.failPut
	}
	if !h.granted(o.Path) {
		h.refused = append(h.refused, o.Path)
		return fmt.Errorf("put object %s: not below a prefix that the plugin asked for", o.Path)
	}
	if o.Parts != nil {
		o.Body = nil
		for _, part := range o.Parts {
			p, ok := h.objects[part]
			if !ok {
				return fmt.Errorf("put object %s: part %s is not stored", o.Path, part)
			}
			o.Body = append(o.Body, p.Body...)
		}
	}
	h.objects[o.Path] = o
	delete(h.tags, o.Path)
	return nil
}

func (h *Host) granted(path string) bool {
	for _, info := range h.started {
		if slices.ContainsFunc(info.Objects, func(p string) bool { return strings.HasPrefix(path, p) }) {
			return true
		}
	}
	return false
}

// Refused are the paths of objects that no plugin was granted.
func (h *Host) Refused() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.refused)
}

// FailPut makes PutObject return err from now on, nil ends that.
func (h *Host) FailPut(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failPut = err
}

// RefreshObjects returns what there is below a folder; TTL is not honoured.
func (h *Host) RefreshObjects(_ context.Context, folder string, _ time.Duration) ([]string, error) {
	return slices.DeleteFunc(h.Objects(), func(path string) bool { return !strings.HasPrefix(path, folder) }), nil
}

// DeleteObject removes an object; there need not be one.
func (h *Host) DeleteObject(_ context.Context, path string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.objects, path)
	delete(h.tags, path)
	return nil
}

// Object is the object stored under a path; Body holds that of its Parts, too.
// TTL is not honoured: an object stays until it is deleted.
func (h *Host) Object(path string) (sdk.Object, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	o, ok := h.objects[path]
	return o, ok
}

// Objects are the paths of all objects, sorted.
func (h *Host) Objects() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(maps.Keys(h.objects))
}

// Gauge sets a metric.
func (h *Host) Gauge(name string, value float64, labels ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gauges[metric(name, labels)] = value
}

// Count adds to a metric.
func (h *Host) Count(name string, add float64, labels ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gauges[metric(name, labels)] += add
}

// Metric is the value of a metric, 0 if it was never set.
func (h *Host) Metric(name string, labels ...string) float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.gauges[metric(name, labels)]
}

func metric(name string, labels []string) string { return name + "\x00" + strings.Join(labels, "\x00") }

// Kick notes the call for Kicked, and finds a stream that is attached.
func (h *Host) Kick(_ context.Context, id, _ string) (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.kicked = append(h.kicked, id)
	for _, s := range h.streams {
		if s.start.StreamID == id {
			return true, nil
		}
	}
	return false, nil
}

// Kicked are the ids that Kick was called with.
func (h *Host) Kicked() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.kicked)
}

// Streams are those that are attached.
func (h *Host) Streams(context.Context) ([]event.Event, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []event.Event
	for _, s := range h.streams {
		all = append(all, s.start)
	}
	return all, nil
}

// Send tells a plugin of an event, if it handles events.
func (h *Host) Send(p sdk.Plugin, e event.Event) {
	if handler, ok := p.(sdk.EventHandler); ok {
		handler.HandleEvent(context.Background(), &e)
	}
}
