package plugintest

import (
	"context"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/plugins/host"
)

// Rig is a real plugin host with a stand-in for the server: plugins run in it
// as processes, as they would in production.
type Rig struct {
	*host.Host
	Media    *Server
	DataDir  string
	StateDir string
	t        testing.TB
	stop     func()

	mu        sync.Mutex
	announced []event.Event
	metrics   map[string]float64
}

// NewRig runs plugins until the test ends. Options that are set are kept. The
// plugins are not niced as a server's are: on a busy machine they would starve
// behind the tests of other packages.
func NewRig(t testing.TB, configs map[string]host.Config, o host.Options) *Rig {
	t.Helper()
	dir := tempDir(t)
	r := &Rig{t: t, Media: NewServer(t), DataDir: dir + "/data", StateDir: dir + "/state", metrics: map[string]float64{}}
	for _, d := range []string{r.DataDir, r.StateDir} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	o.DataDir, o.StateDir, o.MediaSocket, o.Location = r.DataDir, r.StateDir, r.Media.Socket, time.UTC
	o.IssueToken = func(host.Rights) (string, error) { return r.Media.IssueToken(), nil }
	o.RevokeToken, o.Kept = r.Media.RevokeToken, r.Media.Keeps
	o.Announced, o.Metrics = r.announce, r.metric
	if o.HealthInterval == 0 {
		o.HealthInterval = 200 * time.Millisecond
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
	}
	h, err := host.New(o)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = h
	h.Apply(notNiced(configs))
	r.run()
	return r
}

func notNiced(configs map[string]host.Config) map[string]host.Config {
	configs = maps.Clone(configs)
	for name, c := range configs {
		if c.Limits.Nice == host.DefaultConfig().Limits.Nice {
			c.Limits.Nice = 0
			configs[name] = c
		}
	}
	return configs
}

func (r *Rig) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := r.Run(ctx); err != nil {
			r.t.Errorf("run host: %v", err)
		}
	}()
	r.stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	r.t.Cleanup(r.stop)
}

// Stop stops the plugins and the host.
func (r *Rig) Stop() { r.stop() }

func (r *Rig) announce(e event.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.announced = append(r.announced, e)
}

func (r *Rig) metric(m host.Metric) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m.Counter {
		m.Value += r.metrics[m.Plugin+"/"+m.Name]
	}
	r.metrics[m.Plugin+"/"+m.Name] = m.Value
}

// Metric is the value of "PLUGIN/NAME".
func (r *Rig) Metric(key string) float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.metrics[key]
}

// Announced are the events that plugins announced.
func (r *Rig) Announced() []event.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.announced)
}

// Publish begins a session with H.264 and AAC and tells the host.
func (r *Rig) Publish(app, name string, ring int) *Publication {
	p := r.Media.Publish(app, name, ring)
	p.Headers(AVCConfig(), AACConfig())
	r.Event(p.Event(event.StreamStart))
	return p
}

// End ends a session and tells the host.
func (r *Rig) End(p *Publication) {
	p.End()
	r.Event(p.Event(event.Unpublish))
}

// patience is how long a test waits for what a quick machine does at once.
const patience = 2 * time.Minute

// Await polls until what holds.
func (r *Rig) Await(what string, holds func() bool) {
	r.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if holds() {
			return
		}
	}
	r.t.Fatalf("%s: not within %v; plugins: %+v", what, patience, r.List())
}

// Status is one plugin's.
func (r *Rig) Status(name string) host.Status {
	for _, s := range r.List() {
		if s.Name == name {
			return s
		}
	}
	return host.Status{}
}

// AwaitState polls until a plugin is in a state.
func (r *Rig) AwaitState(name string, state host.State) {
	r.t.Helper()
	r.Await(name+" is "+string(state), func() bool { return r.Status(name).State == state })
}

// Journals are the contents of the journals below data_dir, by path.
func (r *Rig) Journals() map[string]string {
	files, err := filepath.Glob(r.DataDir + "/*/*/*/*.txt")
	if err != nil {
		r.t.Error(err)
	}
	all := map[string]string{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			r.t.Error(err)
		}
		all[strings.TrimPrefix(f, r.DataDir+"/")] = string(b)
	}
	return all
}
