package flvrecorder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/plugins/record"
	"github.com/millrace/millrace/plugins/sdk"
)

const (
	// pluginName is that of the plugin, of its kind of records, and of the
	// folders below data_dir and state_dir.
	pluginName = "flv"
	version    = "1"
	// merge is how long the host may hold frames back, so that they come, and
	// are written, together.
	merge = 300 * time.Millisecond
	// sweepEvery is how often old records, and sessions that nobody came back
	// for, are looked for.
	sweepEvery = time.Minute
	// firstSweep leaves the host time to attach the streams that are live.
	firstSweep = 5 * time.Second
)

// Recorder writes each stream to FLV files.
type Recorder struct {
	config   config
	host     sdk.Host
	log      *slog.Logger
	stateDir string
	guard    record.Guard
	keeper   record.Keeper
	summing  chan struct{} // holds one token while a file is summed

	ctx    context.Context // ends with Stop
	cancel context.CancelFunc
	work   sync.WaitGroup // the sweeper, and sessions that are being retired

	mu       sync.Mutex
	sessions map[string]*session
}

var _ interface {
	sdk.Plugin
	sdk.Recorder
	sdk.EventHandler
} = (*Recorder)(nil)

// New makes the plugin.
func New() sdk.Plugin {
	return &Recorder{sessions: map[string]*session{}, summing: make(chan struct{}, 1)}
}

// Info says what the recorder wants: all streams, all tracks.
func (*Recorder) Info() sdk.Info {
	return sdk.Info{Name: pluginName, Version: version, Capabilities: sdk.Capabilities{
		Events:   []string{event.StreamBack},
		Media:    &sdk.MediaWanted{Merge: merge, AllTracks: true},
		Handover: true,
	}}
}

// Configure reads the plugin's table.
func (r *Recorder) Configure(c sdk.Config) []sdk.Problem {
	parsed, problems := readConfig(c)
	if len(problems) == 0 {
		r.config = parsed
	}
	return problems
}

// Start finishes, in the background, what earlier processes did not, and
// begins to watch over space and age.
func (r *Recorder) Start(_ context.Context, h sdk.Host) error {
	root := filepath.Join(h.DataDir(), pluginName)
	r.host, r.log = h, h.Logger()
	r.stateDir = filepath.Join(h.StateDir(), pluginName)
	if err := os.MkdirAll(r.stateDir, 0o700); err != nil {
		return fmt.Errorf("make state folder: %w", err)
	}
	r.guard = record.Guard{Path: h.DataDir(), MinFree: r.config.minFree}
	r.keeper = record.Keeper{
		Root: root, Plugin: pluginName,
		Age: r.config.keepAge, Bytes: r.config.keepBytes, Free: r.config.keepFree,
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.work.Go(r.sweeper)
	return nil
}

// Stop waits for what is being finished until ctx ends; the next process does
// the rest.
func (r *Recorder) Stop(ctx context.Context) error {
	if r.cancel == nil {
		return nil
	}
	r.mu.Lock()
	retiring := slices.Collect(maps.Values(r.sessions))
	r.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, s := range retiring {
			s.jobs.Wait()
		}
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
	r.cancel()
	r.work.Wait()
	return nil
}

// Attach begins a stream, or goes on with the file of an earlier process.
func (r *Recorder) Attach(ctx context.Context, a sdk.Attach) (sdk.Stream, error) {
	id, err := r.nameFor(a)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	if old := r.sessions[id]; old != nil && old.over.Load() {
		old.cancel() // what it has not finished is taken over
	}
	r.mu.Unlock()
	ses, states, err := r.openSession(ctx, id, record.AcquireLock)
	if err != nil {
		return nil, err
	}
	s := &stream{
		r: r, attach: a, session: ses, cutter: r.config.cutter(),
		log: r.log.With("stream", a.App+"/"+a.Name, "session", a.Session),
	}
	if err := s.adopt(states); err != nil {
		return nil, errors.Join(fmt.Errorf("go on with recording: %w", err), ses.abandon())
	}
	r.mu.Lock()
	r.sessions[id] = ses
	r.mu.Unlock()
	return s, nil
}

// HandleEvent notes how long a publisher was away.
func (r *Recorder) HandleEvent(_ context.Context, e *event.Event) {
	if e.Event != event.StreamBack {
		return
	}
	s := r.recording(e.Session)
	if s == nil {
		return
	}
	at := s.next.Load()
	err := s.gap(record.Gap{From: at, To: at, Reason: "the publisher was away", At: e.Time, Seconds: e.Gap})
	if err != nil {
		r.log.Warn("absence of a publisher not noted", "stream", e.StreamID, "error", err)
	}
}

// recording is what is being recorded of a publish session, nil if nothing is.
func (r *Recorder) recording(publish string) *session {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.sessions {
		if publishOf(s.id) == publish && !s.over.Load() {
			return s
		}
	}
	return nil
}

// retire finishes a session in the background.
func (r *Recorder) retire(s *session) {
	s.over.Store(true)
	r.work.Go(func() {
		defer r.forget(s)
		if err := s.retire(true); err != nil {
			r.log.Error("recording not finished; the next start tries again", "session", s.id, "error", err)
		}
	})
}

// forget drops a session that is this process's no more.
func (r *Recorder) forget(s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sessions[s.id] == s {
		delete(r.sessions, s.id)
	}
}

// sweeper looks after what nobody asks for.
func (r *Recorder) sweeper() {
	tick := time.NewTimer(firstSweep)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-r.ctx.Done():
			return
		}
		r.finishOrphans()
		r.removeOld(time.Now())
		tick.Reset(sweepEvery)
	}
}

func (r *Recorder) removeOld(now time.Time) {
	removed, err := r.keeper.Run(now)
	for _, m := range removed {
		r.log.Info("old recording removed", "manifest", m)
	}
	if err != nil {
		r.log.Warn("old recordings not removed", "error", err)
	}
}

// finishOrphans finishes the records of sessions that are not live and that no
// process writes.
func (r *Recorder) finishOrphans() {
	locks, err := filepath.Glob(filepath.Join(r.stateDir, "*"+lockSuffix))
	if err != nil || len(locks) == 0 {
		return
	}
	live, err := r.host.Streams(r.ctx)
	if err != nil {
		r.log.Warn("unfinished recordings not looked for", "error", err)
		return
	}
	for _, lock := range locks {
		id := strings.TrimSuffix(filepath.Base(lock), lockSuffix)
		if r.ctx.Err() != nil {
			return
		}
		if slices.ContainsFunc(live, func(e event.Event) bool { return e.Session == publishOf(id) }) {
			continue
		}
		err := r.finishOrphan(id)
		if err != nil && !errors.Is(err, record.ErrLocked) && r.ctx.Err() == nil {
			r.log.Warn("recording of an earlier process not finished", "session", id, "error", err)
		}
	}
}

func (r *Recorder) finishOrphan(id string) error {
	s, states, err := r.openSession(r.ctx, id, func(_ context.Context, path string) (*record.Lock, error) { return record.TryLock(path) })
	if err != nil {
		return err
	}
	ended := time.Now()
	for _, st := range states {
		r.log.Info("finishing the recording of an earlier process", "stream", st.App+"/"+st.Name, "file", st.Rel)
		if info, err := os.Stat(st.file()); err == nil {
			ended = info.ModTime() // before it is patched
		}
		s.finish(*st)
	}
	return errors.Join(s.end(ended, s.final), s.retire(true))
}

// abandon lets a session go as it is.
func (s *session) abandon() error {
	s.cancel()
	return s.retire(false)
}
