package fmp4

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/plugins/record"
	"github.com/millrace/millrace/plugins/sdk"
)

// Plugin is the recorder.
type Plugin struct {
	opt  Options
	host sdk.Host
	log  *slog.Logger
	// todo is the folder that names the unfinished sessions.
	todo  string
	guard *record.Guard

	// merging lets one merge at a time at the disk.
	merging chan struct{}
	ctx     context.Context
	cancel  context.CancelFunc
	jobs    sync.WaitGroup
	// told are announcements on their way to the host.
	told    chan telling
	allTold chan struct{} // closed when there are none left
	// quiet is closed when nothing new is to be begun.
	quiet chan struct{}

	mu sync.Mutex
	// streams are those that are attached, by session.
	streams map[string]*stream
	// failed are sessions that are not tried again before the next start.
	failed map[string]bool
}

var (
	_ sdk.Plugin       = (*Plugin)(nil)
	_ sdk.Recorder     = (*Plugin)(nil)
	_ sdk.EventHandler = (*Plugin)(nil)
	_ sdk.Stream       = (*stream)(nil)
	_ sdk.Resumer      = (*stream)(nil)
)

// New makes the plugin.
func New() sdk.Plugin { return &Plugin{opt: DefaultOptions()} }

// gatherFor is how long frames may wait to come together: a recorder is in no
// hurry.
const gatherFor = 300 * time.Millisecond

// Info says what the plugin is.
func (p *Plugin) Info() sdk.Info {
	return sdk.Info{Name: "mp4", Version: "1.0.0", Capabilities: sdk.Capabilities{
		Events: []string{event.StreamBack},
		Media:  &sdk.MediaWanted{Merge: gatherFor}, Handover: true,
	}}
}

// Configure reads the plugin's table.
func (p *Plugin) Configure(c sdk.Config) []sdk.Problem {
	o, problems := readOptions(c)
	if len(problems) == 0 {
		p.opt = o
	}
	return problems
}

// Start takes up what an earlier process left unfinished.
func (p *Plugin) Start(_ context.Context, h sdk.Host) error {
	p.host, p.log = h, h.Logger()
	p.todo = filepath.Join(h.StateDir(), "mp4")
	p.guard = &record.Guard{Path: h.DataDir(), MinFree: p.opt.MinFree}
	p.merging = make(chan struct{}, 1)
	p.quiet = make(chan struct{})
	p.streams = map[string]*stream{}
	p.failed = map[string]bool{}
	p.told = make(chan telling, maxTellings)
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.jobs.Go(p.maintain)
	p.allTold = make(chan struct{})
	go p.tell()
	return nil
}

// Stop waits for merges as long as it may; one that is cut short is made at
// the next start.
func (p *Plugin) Stop(ctx context.Context) error {
	if p.cancel == nil {
		return nil
	}
	done := make(chan struct{})
	close(p.quiet)
	go func() {
		p.jobs.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
	p.cancel()
	<-done
	close(p.told)
	select {
	case <-p.allTold:
	case <-ctx.Done():
	}
	return nil
}

// Attach begins or goes on with a stream.
func (p *Plugin) Attach(ctx context.Context, a sdk.Attach) (sdk.Stream, error) {
	s := &stream{p: p, a: a}
	log := p.log.With("stream", a.App+"/"+a.Name)
	s.w = newWriter(p.opt, log, s.open)
	s.w.low = p.guard.Low
	at, found, err := p.earlier(a)
	if err != nil {
		return nil, err
	}
	if found {
		sess, err := p.reopen(ctx, at, log)
		if err != nil {
			return nil, err
		}
		s.w.goOn(sess)
		s.resumed = true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.streams[a.Session] = s
	return s, nil
}

// forget drops a stream that is detached.
func (p *Plugin) forget(s *stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.streams[s.a.Session] == s {
		delete(p.streams, s.a.Session)
	}
}

// HandleEvent has the manifest say how long a publisher was away.
func (p *Plugin) HandleEvent(_ context.Context, e *event.Event) {
	if e.Event != event.StreamBack {
		return
	}
	p.mu.Lock()
	s := p.streams[e.Session]
	p.mu.Unlock()
	if s != nil {
		s.back.Store(e)
	}
}

// earlier finds the session that a goes on with: that of the hand-over, or one
// that was left, whether a process died or a write failed.
func (p *Plugin) earlier(a sdk.Attach) (place, bool, error) {
	if a.Handover != nil {
		at, err := readHandover(a.Handover)
		return at, at.Dir != "", err
	}
	places, err := unfinished(p.todo)
	var newest place
	for _, at := range places {
		if at.Session == a.Session && at.App == a.App && at.Name == a.Name && !at.ended() && !at.Started.Before(newest.Started) {
			newest = at
		}
	}
	return newest, newest.Dir != "", err
}

// ended reports whether the session is only waiting to be merged.
func (p place) ended() bool {
	m, err := record.Load(p.manifest())
	return err != nil || !m.Ended.IsZero()
}

// session is one at a place, with its lock.
func (p *Plugin) session(ctx context.Context, at place, log *slog.Logger) (*session, error) {
	lock, err := record.AcquireLock(ctx, at.lockPath())
	if err != nil {
		return nil, err
	}
	return &session{place: at, opt: p.opt, log: log, lock: lock, announce: p.announceSegment, sets: setsOf(p.opt)}, nil
}

// reopen takes a session over from a process that is gone.
func (p *Plugin) reopen(ctx context.Context, at place, log *slog.Logger) (*session, error) {
	s, err := p.session(ctx, at, log)
	if err != nil {
		return nil, fmt.Errorf("go on with session: %w", err)
	}
	if err := s.resume(); err != nil {
		return nil, errors.Join(fmt.Errorf("go on with session: %w", err), s.closeFiles(), s.lock.Release())
	}
	return s, nil
}

// openTimeout bounds what is asked of the host.
const openTimeout = 10 * time.Second
