package host

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/core/event"
	pluginv1 "github.com/millrace/millrace/plugins/proto/v1"
)

// State is where a plugin is.
type State string

// The states.
const (
	Starting State = "starting"
	Running  State = "running"
	Swapping State = "swapping" // a new process is starting, or taking over
	Waiting  State = "waiting"  // to be started again
	Failed   State = "failed"   // will not be started again by itself
	Stopping State = "stopping"
)

// supervisor keeps one plugin running. Fields below "loop" belong to the
// goroutine of run, as do the methods that start with do; others post to it.
type supervisor struct {
	h      *Host
	name   string
	given  Config // as Apply had it; of the host's lock
	out    *output
	logger *slog.Logger
	ctx    context.Context
	cancel context.CancelFunc
	ended  chan struct{}

	current atomic.Pointer[process] // for events
	newest  atomic.Pointer[process] // of those that came up: says what the plugin wants

	mu    sync.Mutex
	posts []func()
	held  map[string]event.Event // the streams of sessions, as they started
	// offered are streams that have ended and that the plugin has not had.
	offered map[string]event.Event
	wake    chan struct{}

	// loop
	config     Config
	cur        *process
	old        []*process // being replaced
	state      State
	reason     string
	since      time.Time
	restarts   int
	delay      time.Duration
	retry      *time.Timer
	asked      *process // by a health check that has no answer yet
	unhealthy  int
	starting   bool
	again      bool // swap once more when the start under way is done
	watch      *watcher
	sessions   map[string]*attachment
	overrides  map[string]bool // recordings started and stopped by hand
	waiters    []chan error    // for the end of a swap
	background sync.WaitGroup
}

func newSupervisor(h *Host, name string, c Config) *supervisor {
	s := &supervisor{
		h: h, name: name, given: c, config: c, logger: h.o.Logger.With("plugin", name),
		ended: make(chan struct{}), wake: make(chan struct{}, 1), retry: time.NewTimer(time.Hour),
		sessions: map[string]*attachment{}, overrides: map[string]bool{}, held: map[string]event.Event{},
		offered: map[string]event.Event{},
	}
	s.out = newOutput(s.logger)
	s.ctx, s.cancel = context.WithCancel(h.ctx)
	return s
}

// post has f run on the supervisor's goroutine, and never blocks.
func (s *supervisor) post(f func()) {
	s.mu.Lock()
	s.posts = append(s.posts, f)
	s.mu.Unlock()
	s.poke()
}

func (s *supervisor) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// ask posts f and waits until it ran; ErrNotUp: the supervisor has ended.
func (s *supervisor) ask(ctx context.Context, f func()) error {
	done := make(chan struct{})
	s.post(func() { f(); close(done) })
	select {
	case <-done:
		return nil
	case <-s.ended:
		return ErrNotUp
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tell hands an event on.
func (s *supervisor) tell(e event.Event) {
	if p := s.current.Load(); p != nil {
		p.events.add(e)
	}
}

func (s *supervisor) run() {
	defer close(s.ended)
	health := time.NewTicker(s.h.o.HealthInterval)
	defer health.Stop()
	defer func() { s.watch.close() }()
	s.doStart()
	for {
		select {
		case <-s.ctx.Done():
			s.doStop()
			return
		case <-s.wake:
			s.doPosts()
			s.doReconcile()
		case <-s.retry.C:
			if s.cur == nil && !s.starting && s.state == Waiting {
				s.doStart()
			}
			s.doReconcile()
		case <-health.C:
			s.doHealth()
			s.doReconcile()
		}
	}
}

func (s *supervisor) doPosts() {
	s.mu.Lock()
	posts := s.posts
	s.posts = nil
	s.mu.Unlock()
	for _, f := range posts {
		f()
	}
}

func (s *supervisor) doState(state State, reason string) {
	s.state, s.reason, s.since = state, reason, time.Now()
}

// doStart starts a process, beside the present one if there is one.
func (s *supervisor) doStart() {
	s.starting, s.again = true, false
	if s.cur == nil {
		s.doState(Starting, s.reason)
	} else {
		s.doState(Swapping, s.reason)
	}
	config := s.config
	s.background.Go(func() {
		p, err := s.bring(config)
		s.post(func() { s.doStarted(p, err) })
	})
}

// bring starts a process up to the point where it is of use.
func (s *supervisor) bring(c Config) (*process, error) {
	p, err := spawn(s.ctx, &s.h.o, s.name, c, s.out)
	if err != nil {
		return nil, err
	}
	if err = p.configure(s.ctx); err == nil {
		err = p.begin(s.ctx, &s.h.o, &service{h: s.h, s: s})
	}
	if err != nil {
		p.kill(err.Error())
		return nil, err
	}
	return p, nil
}

func (s *supervisor) doStarted(p *process, err error) {
	s.starting = false
	if s.ctx.Err() != nil {
		if p != nil {
			s.background.Go(func() { p.kill("stopped") })
		}
		return
	}
	s.doWatch()
	if err != nil {
		s.doStartFailed(err)
		return
	}
	// Not before it is ours to stop: doStop waits for what runs in the background.
	s.background.Go(func() {
		<-p.child.exited
		s.post(func() { s.doExited(p) })
	})
	if s.cur != nil {
		s.old = append(s.old, s.cur)
	}
	s.cur, s.unhealthy = p, 0
	s.current.Store(p)
	s.newest.Store(p)
	s.doState(Running, "")
	if len(s.old) > 0 {
		s.doState(Swapping, "streams are being handed over")
	}
	s.logger.Info("plugin is running", "version", p.info.Version, "pid", p.child.pid, "command", p.path)
	if s.again {
		s.doStart()
	}
}

// doStartFailed tries again later, unless only a new configuration helps. A
// process that is running goes on.
func (s *supervisor) doStartFailed(err error) {
	s.logger.Error("plugin did not start", "error", err)
	s.doAnswer(err)
	var refused *ConfigError
	switch {
	case s.again:
		s.doStart()
	case s.cur != nil:
		s.doState(Running, "a new process did not start: "+err.Error())
	case errors.As(err, &refused) || s.config.Restart == "never":
		s.doState(Failed, err.Error())
	default:
		s.doWait(err.Error())
	}
}

// Delays between attempts to start, before jitter.
const (
	leastDelay = 100 * time.Millisecond
	mostDelay  = 30 * time.Second
	steady     = time.Minute // a process that ran so long starts the count anew
)

func (s *supervisor) doWait(reason string) {
	s.doState(Waiting, reason)
	s.delay = min(max(2*s.delay, leastDelay), mostDelay)
	s.retry.Reset(s.delay*3/4 + rand.N(s.delay/2))
}

// doExited deals with the end of a process: of the present one, or of one
// that was replaced.
func (s *supervisor) doExited(p *process) {
	if s.ctx.Err() != nil {
		return // on purpose
	}
	s.doOrphans(p)
	for i, o := range s.old {
		if o == p {
			s.old = append(s.old[:i], s.old[i+1:]...)
			s.background.Go(func() { p.kill("replaced") })
			s.doSwapped()
			return
		}
	}
	if p != s.cur {
		return
	}
	s.cur = nil
	s.current.Store(nil)
	reason := p.endReason()
	s.background.Go(func() { p.kill(reason) }) // frees what it held
	s.logger.Error("plugin's process ended", "reason", reason, "pid", p.child.pid, "after", time.Since(p.since).Round(time.Millisecond))
	if time.Since(p.since) > steady {
		s.delay = 0
	}
	restart := s.config.Restart == "always" || s.config.Restart == "on-failure" && p.failed()
	switch {
	case s.starting:
		s.doState(Starting, reason)
	case !restart:
		s.doState(Failed, reason)
	default:
		s.restarts++
		s.doWait(reason)
	}
}

// doSwap replaces the process; the reason is for the log.
func (s *supervisor) doSwap(reason string) {
	s.logger.Info("plugin is started anew", "reason", reason)
	s.delay = 0
	if s.starting {
		s.again = true
		return
	}
	s.restarts++
	s.doStart()
}

func (s *supervisor) doConfig(c Config) {
	s.config = c
	s.doSwap("the configuration changed")
}

// doSwapped ends a swap when all streams have left the old processes.
func (s *supervisor) doSwapped() {
	for i := len(s.old) - 1; i >= 0; i-- {
		p := s.old[i]
		if s.uses(p) {
			continue
		}
		s.old = append(s.old[:i], s.old[i+1:]...)
		s.background.Go(func() { p.stop("replaced") })
	}
	if len(s.old) == 0 && s.cur != nil && !s.starting {
		if s.state == Swapping {
			s.doState(Running, "")
		}
		s.doAnswer(nil)
	}
}

func (s *supervisor) uses(p *process) bool {
	for _, a := range s.sessions {
		if a.p == p {
			return true
		}
	}
	return false
}

// doAnswer tells those who wait for a swap how it went.
func (s *supervisor) doAnswer(err error) {
	for _, w := range s.waiters {
		w <- err
	}
	s.waiters = nil
}

// doStop stops all processes and waits for them.
func (s *supervisor) doStop() {
	s.doState(Stopping, "")
	s.current.Store(nil)
	s.doAnswer(ErrNotUp)
	s.doWindUp()
	for _, p := range append(s.old, s.cur) {
		if p != nil {
			s.background.Go(func() { p.stop("stopped") })
		}
	}
	s.background.Wait()
	s.doPosts() // a process may have come up meanwhile
	s.background.Wait()
	for session := range s.sessions {
		s.h.release(session)
	}
	for _, e := range s.offers() {
		s.drop(e.Session)
	}
}

// unhealthyMost is how many failed checks in a row end a process.
const unhealthyMost = 3

// doHealth asks the process how it is.
func (s *supervisor) doHealth() {
	p := s.cur
	if p == nil {
		return
	}
	if s.asked != p {
		s.asked = p
		s.background.Go(func() {
			ctx, cancel := context.WithTimeout(p.ctx, s.h.o.HealthTimeout)
			defer cancel()
			answer, err := p.remote.Health(ctx, &pluginv1.HealthRequest{})
			s.post(func() { s.doHealthAnswer(p, answer, err) })
		})
	}
	if limit := s.config.Limits.Memory; limit > 0 {
		if held := resident(p.child.pid); held > limit {
			s.doKill(p, "holds "+sizeText(held>>10<<10)+" of memory, more than limits.memory")
		}
	}
}

func (s *supervisor) doHealthAnswer(p *process, answer *pluginv1.HealthResponse, err error) {
	if p == s.asked {
		s.asked = nil
	}
	if p != s.cur {
		return
	}
	if err == nil && answer.GetError() != "" {
		err = errors.New(answer.GetError())
	}
	for _, h := range answer.GetStreams() {
		if a := s.sessions[h.GetSession()]; a != nil && a.p == p {
			a.health = h
		}
		if h.GetBusy().AsDuration() > s.config.StuckTimeout {
			s.doKill(p, "stuck for "+h.GetBusy().AsDuration().Round(time.Second).String()+" with session "+h.GetSession())
			return
		}
	}
	if err == nil {
		s.unhealthy = 0
		return
	}
	s.unhealthy++
	s.logger.Warn("plugin is unwell", "error", err, "times", s.unhealthy)
	if s.unhealthy >= unhealthyMost {
		s.doKill(p, "unwell: "+err.Error())
	}
}

// doKill ends a process; doExited goes on from there.
func (s *supervisor) doKill(p *process, reason string) {
	p.setReason("killed: " + reason)
	_ = p.child.Kill(s.ctx)
}
