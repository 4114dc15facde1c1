// Package hooks runs Lua scripts that decide who may publish and play, and what
// things are called. It is the only importer of gopher-lua. Scripts run off the
// event loops, each call within a deadline and a memory limit; README.md says
// what they see and can call.
package hooks

import (
	"context"
	"errors"
	"log/slog"
	"regexp"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/millrace/millrace/core/event"
)

// Runtime holds the scripts in force and runs them. Its methods may be called
// from any goroutine; those of a nil Runtime find no hooks.
type Runtime struct {
	logger   *slog.Logger
	settings atomic.Pointer[Settings]
	live     atomic.Pointer[scriptSet]
	shadow   atomic.Pointer[scriptSet] // nil: none
	services *services
	private  *services // of shadow scripts
	pool     *pool
	stats    stats
	status   status
	calls    callLog
	warnings *rate.Limiter
	memory   scavenger

	reload  sync.Mutex // one reload at a time
	watcher *watcher
	cancel  context.CancelFunc
	tasks   sync.WaitGroup
	closed  atomic.Bool
}

// New compiles and checks the scripts and starts the runtime; Close ends it.
// Without scripts it costs nothing but its goroutines.
func New(o Options) (*Runtime, error) {
	settings, err := o.Settings.filled()
	if err != nil {
		return nil, err
	}
	r := &Runtime{logger: o.Logger, warnings: rate.NewLimiter(5, 20)}
	if r.logger == nil {
		r.logger = slog.New(slog.DiscardHandler)
	}
	r.calls.w = o.CallLog
	r.settings.Store(&settings)
	r.services = r.newServices(o)
	r.private = r.newServices(Options{Streams: o.Streams})
	if o.Processors == 0 {
		o.Processors = runtime.GOMAXPROCS(0)
	}
	r.pool = newPool(o.Processors, r.run)
	r.pool.limit(settings.Workers, settings.Queue, settings.Memory)
	if err := r.loadAll(settings, true); err != nil {
		return nil, err
	}
	return r, r.start()
}

// newServices makes what scripts reach; a shadow's kicks do nothing.
func (r *Runtime) newServices(o Options) *services {
	s := &services{
		logger: r.logger, now: time.Now, kick: o.Kick, streams: o.Streams, store: newStore(time.Now),
		patterns: newCache[*pattern](), regexps: newCache[*regexp.Regexp](),
	}
	if s.kick == nil {
		s.kick = func(string, string) bool { return false }
	}
	if s.streams == nil {
		s.streams = func() []event.Event { return nil }
	}
	s.http = newHTTPService(nil, func() []string { return r.settings.Load().HTTPAllow })
	return s
}

// start runs the goroutines that belong to the runtime.
func (r *Runtime) start() error {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	var err error
	if r.watcher, err = newWatcher(r); err != nil {
		// Reload still works when it is asked for.
		r.logger.Warn("hook scripts are not watched for changes", "error", err)
	} else {
		r.tasks.Go(func() { r.watcher.run(ctx) })
	}
	r.tasks.Go(func() { r.keep(ctx) })
	r.tasks.Go(func() { r.tick(ctx) })
	return nil
}

// Close refuses what waits, with ErrClosed, waits for the calls that run, and
// releases everything.
func (r *Runtime) Close() error {
	if r == nil || r.closed.Swap(true) {
		return nil
	}
	r.cancel()
	var err error
	if r.watcher != nil {
		err = r.watcher.close()
	}
	for _, j := range r.pool.close() {
		r.refuse(j, ErrClosed)
	}
	r.tasks.Wait()
	r.services.http.close()
	r.private.http.close()
	return err
}

// Has tells whether a script has the hook. It costs an atomic load and a short
// search, so that a server without hooks pays nothing for them.
func (r *Runtime) Has(hook string) bool {
	if r == nil {
		return false
	}
	set := r.live.Load()
	return set != nil && set.hooks != 0 && set.has(hookIndex(hook)) || r.shadowHas(hook)
}

func (r *Runtime) shadowHas(hook string) bool {
	set := r.shadow.Load()
	return set != nil && set.has(hookIndex(hook))
}

// hookIndex is the place of a hook in hookNames, or -1.
func hookIndex(hook string) int { return slices.Index(hooksInOrder[:], hook) }

// Decide asks the scripts about e, whose field Event names the hook. done is
// called exactly once, with the verdict, on another goroutine; it should be
// quick. e and what it holds must not change any more.
func (r *Runtime) Decide(e *event.Event, done func(Verdict)) {
	j := job{hook: hookIndex(e.Event), e: e, done: done, queued: time.Now()}
	if !r.Has(e.Event) {
		go done(Verdict{Allow: true})
		return
	}
	if !r.pool.put(j) {
		err := ErrOverload
		if r.closed.Load() {
			err = ErrClosed
		}
		go r.refuse(j, err)
	}
}

// Notify tells the scripts about e. It never blocks: when too many notices
// wait, e is dropped and counted.
func (r *Runtime) Notify(e *event.Event) {
	if !r.Has(e.Event) {
		return
	}
	if !r.pool.put(job{hook: hookIndex(e.Event), e: e, queued: time.Now()}) {
		r.stats.of(hookIndex(e.Event)).dropped.Add(1)
		if e.Event == event.Tick {
			r.stats.ticking.Store(false)
		}
	}
}

// DecideNow is Decide for callers that may block, such as a goroutine of
// net/http; it ends with ctx, whose error is then the verdict's.
func (r *Runtime) DecideNow(ctx context.Context, e *event.Event) Verdict {
	if !r.Has(e.Event) {
		return Verdict{Allow: true}
	}
	answer := make(chan Verdict, 1)
	r.Decide(e, func(v Verdict) { answer <- v })
	select {
	case v := <-answer:
		return v
	case <-ctx.Done():
		return r.settings.Load().fallback(e.Event, ctx.Err())
	}
}

// keep refuses decisions that waited too long, and tidies up.
func (r *Runtime) keep(ctx context.Context) {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			for _, j := range r.pool.expired(now.Add(-r.settings.Load().QueueTimeout)) {
				r.refuse(j, ErrOverload)
			}
			if n%600 == 0 {
				r.tidy()
			}
		}
	}
}

// tidy drops what has not been used for half a minute.
func (r *Runtime) tidy() {
	r.services.store.sweep()
	r.private.store.sweep()
	for _, set := range []*scriptSet{r.live.Load(), r.shadow.Load()} {
		if set != nil {
			set.trim()
		}
	}
}

// tick sends on_tick. A tick is left out while the one before it waits.
func (r *Runtime) tick(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(r.settings.Load().Tick):
			if r.Has(event.Tick) && !r.stats.ticking.Swap(true) {
				r.Notify(&event.Event{Event: event.Tick, Time: time.Now()})
			}
		}
	}
}

// fallback is the verdict when there is none from the scripts.
func (s *Settings) fallback(hook string, err error) Verdict {
	v := Verdict{Allow: hook == event.Record || s.onError(hook) == Allow, Err: err}
	switch {
	case v.Allow:
	case errors.Is(err, ErrOverload), errors.Is(err, ErrClosed):
		v.Reason = "the server is busy, try again later"
	default:
		v.Reason = "the server's rules could not be applied"
	}
	return v
}
