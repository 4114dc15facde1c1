package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/plugins/host/place"
)

// Host runs plugins. Its methods may be called from any goroutine.
type Host struct {
	o     Options
	namer *place.Namer
	runs  string // the folder of private folders

	mu      sync.Mutex
	live    map[string]event.Event // streams, by session
	refs    map[string]int         // attachments and offers, by session
	past    map[string]event.Event // streams that have ended and that have refs
	configs map[string]Config
	sups    map[string]*supervisor
	list    atomic.Pointer[[]*supervisor] // of sups; replaced, never changed
	ctx     context.Context               // of Run, nil before
	closed  bool
	wg      sync.WaitGroup
}

// New makes a host. It runs nothing before Run.
func New(o Options) (*Host, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.HealthInterval <= 0 {
		o.HealthInterval = 5 * time.Second
	}
	if o.HealthTimeout <= 0 {
		o.HealthTimeout = 5 * time.Second
	}
	for _, dir := range []*string{&o.DataDir, &o.StateDir} {
		abs, err := filepath.Abs(*dir)
		if err != nil {
			return nil, fmt.Errorf("make path absolute: %w", err)
		}
		*dir = abs
	}
	h := &Host{
		o: o, live: map[string]event.Event{}, refs: map[string]int{}, past: map[string]event.Event{},
		configs: map[string]Config{}, sups: map[string]*supervisor{},
	}
	h.doList()
	if err := h.prepare(); err != nil {
		return nil, err
	}
	return h, nil
}

// prepare makes what Close frees.
func (h *Host) prepare() (err error) {
	names := place.Options{
		DataDir: h.o.DataDir, Location: h.o.Location, Template: h.o.RecordTemplate, Logger: h.o.Logger,
		Owner: h.owner,
	}
	if h.o.Decide != nil {
		names.Decide = h.decide
	}
	if h.namer, err = place.New(names); err != nil {
		return err
	}
	prefix := "" // the path of a socket is short
	if h.o.RunDir == "" {
		prefix = "millrace-"
	}
	if h.runs, err = os.MkdirTemp(h.o.RunDir, prefix); err != nil {
		return errors.Join(fmt.Errorf("make private folder: %w", err), h.namer.Close())
	}
	h.o.RunDir = h.runs
	// Processes of other users pass through, to folders that are theirs alone.
	if err := os.Chmod(h.runs, 0o711); err != nil {
		return errors.Join(fmt.Errorf("open private folder: %w", err), h.Close())
	}
	return nil
}

// owner is the user that a plugin runs as, if its table names one.
func (h *Host) owner(plugin string) (uid, gid int, other bool) {
	h.mu.Lock()
	name := h.configs[plugin].Limits.User
	h.mu.Unlock()
	a, err := lookUpUser(name)
	if a == nil || err != nil {
		return 0, 0, false
	}
	return int(a.uid), int(a.gid), true
}

// decide runs on_record with all that is known of the stream.
func (h *Host) decide(ctx context.Context, e event.Event) (place.Verdict, error) {
	if known, ok := h.known(e.Session); ok {
		known.Event, known.Time, known.Plugin, known.Part, known.Started = e.Event, e.Time, e.Plugin, e.Part, e.Started
		known.ToSeq = 0 // not of the record
		e = known
	}
	return h.o.Decide(ctx, e)
}

// Close frees what New took, for a host that was never Run.
func (h *Host) Close() error {
	return errors.Join(h.namer.Close(), os.RemoveAll(h.runs))
}

// Run runs the plugins until ctx ends; then it stops them and returns.
func (h *Host) Run(ctx context.Context) error {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	h.mu.Lock()
	h.ctx = inner
	h.doApply(h.configs)
	h.mu.Unlock()
	<-ctx.Done()
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.wg.Wait()
	return h.Close()
}

// Apply makes a set of tables the one in force. What is new is started, what
// is gone is stopped, and what changed is swapped for a new process. It does
// not wait.
func (h *Host) Apply(configs map[string]Config) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.doApply(maps.Clone(configs))
}

// doApply is called with the lock held.
func (h *Host) doApply(configs map[string]Config) {
	h.configs = configs
	if h.ctx == nil || h.closed {
		return
	}
	for name, s := range h.sups {
		if c, ok := configs[name]; !ok || !c.Enabled {
			s.cancel()
			delete(h.sups, name)
		}
	}
	for name, c := range configs {
		switch s := h.sups[name]; {
		case !c.Enabled:
		case s == nil:
			h.start(name, c)
		case !reflect.DeepEqual(s.given, c):
			s.given = c
			s.post(func() { s.doConfig(c) })
		}
	}
	h.doList()
}

func (h *Host) start(name string, c Config) {
	s := newSupervisor(h, name, c)
	h.sups[name] = s
	h.wg.Go(s.run)
}

// Event tells of something that happened: on_stream_start, on_codec,
// on_stream_back and on_unpublish drive what is attached. It does not block,
// and is cheap for events that no plugin wants.
func (h *Host) Event(e event.Event) {
	switch e.Event {
	case event.StreamStart, event.Codec, event.StreamBack, event.Unpublish:
		h.lifecycle(e)
		h.tell(e)
		for _, s := range *h.list.Load() {
			s.poke()
		}
	default:
		h.tell(e)
	}
}

func (h *Host) lifecycle(e event.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch e.Event {
	case event.StreamStart:
		h.live[e.Session] = e
	case event.Unpublish:
		h.end(e.Session, e.ToSeq)
	default:
		h.update(e)
	}
}

// end offers a session that is over to the plugins that do not have it, with the
// lock held; toSeq is the number after its last frame.
func (h *Host) end(session string, toSeq uint64) {
	e, ok := h.live[session]
	if !ok {
		return
	}
	e.ToSeq = toSeq
	delete(h.live, session)
	for _, s := range h.sups {
		if s.offer(e) {
			h.refs[session]++
		}
	}
	if h.refs[session] > 0 {
		h.past[session] = e
	}
	h.forget(session)
}

// update takes over what is known better by now.
func (h *Host) update(e event.Event) {
	old, ok := h.live[e.Session]
	if !ok {
		return
	}
	if e.Event == event.Codec {
		old.VideoCodec, old.AudioCodec, old.Width, old.Height = e.VideoCodec, e.AudioCodec, e.Width, e.Height
		old.FPS, old.SampleRate, old.Channels = e.FPS, e.SampleRate, e.Channels
	}
	if e.Labels != nil {
		old.Labels = e.Labels
	}
	h.live[e.Session] = old
}

// tell queues an event for the plugins that want it.
func (h *Host) tell(e event.Event) {
	for _, s := range *h.list.Load() {
		s.tell(e)
	}
}

// doList makes the list of supervisors, by name, with the lock held.
func (h *Host) doList() {
	all := slices.Collect(maps.Values(h.sups))
	slices.SortFunc(all, func(a, b *supervisor) int { return strings.Compare(a.name, b.name) })
	h.list.Store(&all)
}

func (h *Host) one(name string) (*supervisor, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.sups[name]; s != nil {
		return s, nil
	}
	return nil, fmt.Errorf("%w: %q", ErrNoPlugin, name)
}

// streams are the live ones.
func (h *Host) streams() []event.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Collect(maps.Values(h.live))
}

// isLive returns a live stream by its session.
func (h *Host) isLive(session string) (event.Event, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e, ok := h.live[session]
	return e, ok
}

// known returns a stream, live or not, of which a plugin has not come to the
// end.
func (h *Host) known(session string) (event.Event, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e, ok := h.live[session]
	if !ok {
		e, ok = h.past[session]
	}
	return e, ok
}

// hold and release count who may still ask for names in a session.
func (h *Host) hold(session string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refs[session]++
}

func (h *Host) release(session string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refs[session]--; h.refs[session] <= 0 {
		delete(h.refs, session)
		delete(h.past, session)
	}
	h.forget(session)
}

// forget drops the names of a session that nobody needs, with the lock held.
func (h *Host) forget(session string) {
	if _, live := h.live[session]; !live && h.refs[session] == 0 {
		go h.namer.Forget(session) // it may be waiting for the disk, which Event must not
	}
}

// endOf is the number after a session's last frame, 0 if it is not known.
func (h *Host) endOf(session string) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.past[session].ToSeq
}

// find returns the live session of a stream.
func (h *Host) find(app, name string) (event.Event, error) {
	for _, e := range h.streams() {
		if e.App == app && e.Name == name {
			return e, nil
		}
	}
	return event.Event{}, fmt.Errorf("%w: %s/%s", ErrNoStream, app, name)
}

// Check starts a plugin's program, has it look at its table, and ends it. The
// problems are the plugin's; the error says why it could not be asked.
func (h *Host) Check(ctx context.Context, name string, c Config) ([]Problem, error) {
	p, err := spawn(ctx, &h.o, name, c, newOutput(h.o.Logger.With("plugin", name)))
	if err != nil {
		return nil, err
	}
	defer p.kill("checked")
	var refused *ConfigError
	if err := p.configure(ctx); errors.As(err, &refused) {
		return refused.Problems, nil
	} else if err != nil {
		return nil, err
	}
	return nil, nil
}
