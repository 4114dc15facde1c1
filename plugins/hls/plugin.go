package hls

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/plugins/record"
	"github.com/millrace/millrace/plugins/sdk"
)

// kind is the folder below data_dir, the prefix of objects, and the plugin's
// name.
const kind = "hls"

// Plugin is the segmenter. Attach may be called from any goroutine.
type Plugin struct {
	settings settings
	host     sdk.Host
	log      *slog.Logger
	now      func() time.Time
	reaper   reaper
	guard    record.Guard

	stop context.CancelFunc
	done sync.WaitGroup
}

var (
	_ sdk.Plugin   = (*Plugin)(nil)
	_ sdk.Recorder = (*Plugin)(nil)
)

// New makes a segmenter with the default settings.
func New() sdk.Plugin {
	p := &Plugin{now: time.Now}
	p.settings, _ = readSettings(sdk.Config{})
	return p
}

// How long the server may hold frames back so that they come together.
const (
	mergeUsual = 300 * time.Millisecond
	mergeLow   = 10 * time.Millisecond
)

// Info depends on what Configure said: with low latency frames come at once.
func (p *Plugin) Info() sdk.Info {
	merge := mergeUsual
	if p.settings.part > 0 {
		merge = mergeLow
	}
	return sdk.Info{
		Name: kind, Version: "1",
		Capabilities: sdk.Capabilities{
			Media:    &sdk.MediaWanted{Merge: merge},
			Objects:  []string{kind + "/"},
			Handover: true,
		},
	}
}

// Configure takes the table; see settings for its keys.
func (p *Plugin) Configure(c sdk.Config) []sdk.Problem {
	s, problems := readSettings(c)
	if len(problems) == 0 {
		p.settings = s
	}
	return problems
}

// Start begins to clean up; first what a crash left.
func (p *Plugin) Start(_ context.Context, h sdk.Host) error {
	p.host, p.log = h, h.Logger()
	p.guard.Path, p.guard.MinFree = h.DataDir(), p.settings.minFree
	if err := os.MkdirAll(p.stateDir(), 0o700); err != nil {
		return fmt.Errorf("make the state folder: %w", err)
	}
	run, stop := context.WithCancel(context.Background())
	p.stop = stop
	p.done.Go(func() { p.tidy(run) })
	return nil
}

// Stop ends the cleaning. Segments that left the playlist and were to be
// removed later are found by the next Start.
func (p *Plugin) Stop(context.Context) error {
	if p.stop != nil {
		p.stop()
	}
	p.done.Wait()
	return nil
}

// Attach begins a stream or goes on with one.
func (p *Plugin) Attach(ctx context.Context, a sdk.Attach) (sdk.Stream, error) {
	place, err := p.host.OpenRecord(ctx, sdk.RecordRequest{
		App: a.App, Name: a.Name, Session: a.Session, Kind: kind, Started: a.Started,
	})
	if err != nil {
		return nil, fmt.Errorf("name the session's folder: %w", err)
	}
	if place.Skip {
		return skipped{}, nil
	}
	return p.openStream(ctx, a, place)
}

func (p *Plugin) stateDir() string { return filepath.Join(p.host.StateDir(), kind) }

// streamDir is where a stream's journal is.
func (p *Plugin) streamDir(app, name string) string {
	return filepath.Join(p.stateDir(), folder(app), name)
}

// folder writes the slash of a nested app as files and URLs do.
func folder(app string) string { return strings.ReplaceAll(app, "/", "~") }

// How often is looked for segments, for records and for keys that are to be
// taken care of.
const (
	reapEvery = time.Second
	keepEvery = time.Minute
	keyEvery  = 10 * time.Minute
	keyTTL    = 3 * keyEvery
)

// tidy removes what is due until ctx ends.
func (p *Plugin) tidy(ctx context.Context) {
	p.recover(ctx)
	ticker := time.NewTicker(reapEvery)
	defer ticker.Stop()
	var keys, keep time.Time
	for {
		now := time.Now()
		p.reaper.run(p.now())
		if now.Sub(keys) >= keyEvery && p.publishKeys() {
			keys = now
		}
		if now.Sub(keep) >= keepEvery {
			p.keep()
			keep = now
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// keep removes old sessions.
func (p *Plugin) keep() {
	if p.settings.keepAge == 0 && p.settings.keepBytes == 0 {
		return
	}
	var keys []string
	k := record.Keeper{
		Root: filepath.Join(p.host.DataDir(), kind), Plugin: kind, Age: p.settings.keepAge, Bytes: p.settings.keepBytes,
		Removing: func(manifest string) {
			keys = append(keys, keysIn(filepath.Join(filepath.Dir(manifest), playlistName))...)
		},
	}
	removed, err := k.Run(p.now())
	for _, uri := range keys {
		p.removeKey(uri)
	}
	if err != nil {
		p.log.Warn("cannot remove old sessions", "err", err)
	}
	if len(removed) > 0 {
		p.log.Info("removed old sessions", "manifests", removed)
	}
}

// publishKeys sees to it that all keys are objects for some time, and reports
// whether the host took them.
func (p *Plugin) publishKeys() bool {
	folders, err := filepath.Glob(filepath.Join(p.stateDir(), "*", "*", "keys"))
	if err != nil {
		return true // the pattern is not malformed
	}
	all := true
	for _, f := range folders {
		rel, _ := filepath.Rel(p.stateDir(), f)
		all = p.publishKeysOf(f, kind+"/"+filepath.ToSlash(rel)+"/") && all
	}
	return all
}

// publishKeysOf does it for a stream: there is a key for each few seconds that
// were ever recorded of it, so that only those are sent that the server has not.
func (p *Plugin) publishKeysOf(dir, folder string) bool {
	entries, err := os.ReadDir(dir)
	if err != nil {
		p.log.Warn("cannot look for keys", "err", err)
		return true
	}
	has := p.refreshed(folder)
	all := true
	for _, e := range entries {
		object := folder + e.Name()
		if has[object] {
			delete(has, object)
			continue
		}
		key, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			p.log.Warn("cannot read a key", "err", err)
			continue
		}
		all = p.publishKey(object, key) && all
	}
	for object := range has {
		if _, err := os.Stat(filepath.Join(dir, path.Base(object))); errors.Is(err, fs.ErrNotExist) { // it may have come meanwhile
			p.deleteObject(object)
		}
	}
	return all
}

// refreshed are the keys in a folder that the server has, and goes on to have.
func (p *Plugin) refreshed(folder string) map[string]bool {
	has := map[string]bool{}
	host, ok := p.host.(sdk.Refresher)
	if !ok {
		return has
	}
	ctx, cancel := context.WithTimeout(context.Background(), hostTimeout)
	defer cancel()
	paths, err := host.RefreshObjects(ctx, folder, keyTTL)
	if err != nil {
		p.log.Debug("cannot refresh keys; all are sent", "err", err)
	}
	for _, object := range paths {
		has[object] = true
	}
	return has
}

func (p *Plugin) publishKey(object string, key []byte) bool {
	return p.put(sdk.Object{
		Path: object, ContentType: "application/octet-stream", CacheControl: "private, no-store", TTL: keyTTL, Body: key,
	})
}

// hostTimeout bounds how long a stream waits for the host.
const hostTimeout = 5 * time.Second

// put stores an object. What is on disk is served from there if that fails.
func (p *Plugin) put(o sdk.Object) bool {
	ctx, cancel := context.WithTimeout(context.Background(), hostTimeout)
	defer cancel()
	return p.stored(o.Path, p.host.PutObject(ctx, o))
}

// putTagged is put for what may grow: with the tag that grow wants, "" if it
// cannot.
func (p *Plugin) putTagged(o sdk.Object) (tag string, stored bool) {
	host, ok := p.host.(sdk.Grower)
	if !ok {
		return "", p.put(o)
	}
	ctx, cancel := context.WithTimeout(context.Background(), hostTimeout)
	defer cancel()
	tag, err := host.GrowObject(ctx, o, "", 0)
	return tag, p.stored(o.Path, err)
}

// grow stores an object whose body comes behind what stays of the one that has
// a tag, and returns the tag of the new one.
func (p *Plugin) grow(o sdk.Object, tag string, keep int64) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), hostTimeout)
	defer cancel()
	return p.host.(sdk.Grower).GrowObject(ctx, o, tag, keep) // the tag is from it
}

// stored reports whether the host took an object, and tells the operator if not.
func (p *Plugin) stored(path string, err error) bool {
	if err != nil {
		p.log.Warn("cannot store an object", "path", path, "err", err)
		p.host.Count("objects_refused_total", 1)
	}
	return err == nil
}

func (p *Plugin) deleteObject(path string) {
	ctx, cancel := context.WithTimeout(context.Background(), hostTimeout)
	defer cancel()
	if err := p.host.DeleteObject(ctx, path); err != nil {
		p.log.Debug("cannot remove an object", "path", path, "err", err)
	}
}

func (p *Plugin) announce(e event.Event) {
	ctx, cancel := context.WithTimeout(context.Background(), hostTimeout)
	defer cancel()
	e.Time = p.now()
	if err := p.host.Announce(ctx, e); err != nil {
		p.log.Warn("cannot announce", "event", e.Event, "file", e.File, "err", err)
	}
}

// skipped takes a stream that is not to be recorded.
type skipped struct{}

func (skipped) Write([]sdk.Item) error { return nil }

func (skipped) Detach(_ context.Context, d sdk.Detach) (sdk.Detached, error) {
	return sdk.Detached{Durable: d.At}, nil
}

// recover ends the sessions that were open when an earlier process died and
// whose stream is not there any more.
func (p *Plugin) recover(ctx context.Context) {
	live := map[string]bool{}
	streams, err := p.host.Streams(ctx)
	if ctx.Err() != nil {
		return // the next process does it
	}
	if err != nil {
		p.log.Error("cannot finish what a crash left: the live streams are not known", "err", err)
		return
	}
	for _, e := range streams {
		live[e.Session] = true
	}
	found, err := filepath.Glob(filepath.Join(p.stateDir(), "*", "*", "stream.json"))
	if err != nil {
		return // the pattern is not malformed
	}
	for _, f := range found {
		if ctx.Err() != nil {
			return
		}
		if err := p.recoverStream(filepath.Dir(f), live); err != nil && !errors.Is(err, record.ErrLocked) {
			p.log.Error("cannot finish what a crash left", "dir", filepath.Dir(f), "err", err)
		}
	}
}

// recoverStream ends one session, unless it is live or another process has it.
func (p *Plugin) recoverStream(dir string, live map[string]bool) error {
	lock, err := record.TryLock(filepath.Join(dir, "lock"))
	if err != nil {
		return err
	}
	j := &journal{dir: dir}
	s, found, err := j.load()
	if err != nil || !found || live[s.header.Session] {
		return errors.Join(err, lock.Release())
	}
	if s.header.Ended {
		p.sweep(j, &s)
		return lock.Release()
	}
	err = p.finishSaved(j, s)
	return errors.Join(err, lock.Release())
}
