// Package place names records: which file or folder below data_dir a
// recorder writes to, the same session name for all recorders of a session,
// and nothing outside data_dir.
package place

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
	"github.com/millrace/millrace/plugins/sdk"
)

// Verdict is what on_record decides. A zero Verdict leaves all as it is.
type Verdict struct {
	// Path is a template for the record's path below data_dir, without the
	// extension; "" is the default. See [Namer] for its fields.
	Path   string
	Skip   bool
	Labels map[string]string
}

// Options are what a Namer works with.
type Options struct {
	// DataDir is an existing folder; records lie below it.
	DataDir string
	// Location is that of names; nil is the local one.
	Location *time.Location
	// Template is the default, "" is DefaultTemplate.
	Template string
	// Decide runs on_record; nil: there is none. After an error the default
	// name holds.
	Decide func(ctx context.Context, e event.Event) (Verdict, error)
	// Owner says which user a plugin's records are for, if another one than
	// the server's; nil: none has one.
	Owner  func(plugin string) (uid, gid int, other bool)
	Logger *slog.Logger
}

// DefaultTemplate is where a record lies if nobody says otherwise.
const DefaultTemplate = "{kind}/{app}/{name}/{session}"

// ErrRefused is returned for requests that no name can be made of.
var ErrRefused = errors.New("record refused")

// Namer names records and reserves the names. A template's fields are {kind},
// {app} (nested ones with "~" for a slash), {name}, {session} (the session's
// name), {plugin}, {year}, {month}, {day}, {hour}, {minute}, {second} and
// {label.NAME}. The files of a session after the first are named after it,
// with _p2, _p3… before the extension.
//
// A request is answered the same way when it is repeated: a recorder that
// comes back after a crash, or that takes over, finds what there is. Any
// goroutine may call.
type Namer struct {
	o    Options
	root *os.Root

	mu       sync.Mutex
	sessions map[string]*session // by ULID
}

// session is what is known of a publish session.
type session struct {
	app, stream string
	start       string // YYYYMMDD_HHMMSS, which its names begin with
	// names are those of the first recordings of it, of the second ones (after
	// somebody stopped some and started others), and so on: start, perhaps
	// with _2.
	names []string
	// records by kind and plugin, and how many were finished.
	records  map[string]*record
	finished map[string]int
}

// record is what one recorder makes of a session.
type record struct {
	mu      sync.Mutex
	decided bool
	name    string // one of the session's
	base    string // path below data_dir without part and extension
	skip    bool
	labels  map[string]string
	parts   map[int]string // paths below data_dir, reserved
}

// New opens data_dir.
func New(o Options) (*Namer, error) {
	if o.Template == "" {
		o.Template = DefaultTemplate
	}
	if o.Location == nil {
		o.Location = time.Local
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	dir, err := filepath.Abs(o.DataDir)
	if err != nil {
		return nil, fmt.Errorf("find data_dir: %w", err)
	}
	o.DataDir = dir
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open data_dir: %w", err)
	}
	n := &Namer{o: o, root: root, sessions: map[string]*session{}}
	if err := n.checkTemplate(); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return n, nil
}

// checkTemplate finds at the start what would otherwise refuse each record:
// fields that there are not. Labels are known with the record only.
func (n *Namer) checkTemplate() error {
	rec := &record{name: "20060102_150405", labels: map[string]string{}}
	for _, after := range strings.Split(n.o.Template, "{label.")[1:] {
		label, _, _ := strings.Cut(after, "}")
		rec.labels[label] = "label"
	}
	sample := sdk.RecordRequest{App: "app", Name: "name", Session: "s", Kind: "flv", Ext: ".flv", Started: time.Now()}
	_, err := n.expand(n.o.Template, rec, "flv", sample)
	if err == nil && strings.Contains(n.o.Template, "%") { // those of on_record
		err = fmt.Errorf("%w: fields are written {name}, not %%name", ErrRefused)
	}
	if err != nil {
		return fmt.Errorf("template %q of records: %w", n.o.Template, err)
	}
	return nil
}

// Close lets data_dir go.
func (n *Namer) Close() error { return n.root.Close() }

// Open names a record for a plugin and reserves the name: by an empty file
// (O_EXCL), or by a folder for Part 0. It waits for on_record.
func (n *Namer) Open(ctx context.Context, plugin string, r sdk.RecordRequest) (sdk.RecordPlace, error) {
	if err := check(r); err != nil {
		return sdk.RecordPlace{}, err
	}
	s, rec, err := n.record(plugin, r)
	if err != nil {
		return sdk.RecordPlace{}, err
	}
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if !rec.decided {
		if err := n.decide(ctx, s, rec, plugin, r); err != nil {
			return sdk.RecordPlace{}, err
		}
	}
	if rec.skip {
		return sdk.RecordPlace{Skip: true, SessionName: rec.name, Labels: rec.labels}, nil
	}
	rel, err := n.reserve(rec, r)
	if err != nil {
		return sdk.RecordPlace{}, err
	}
	if err := n.give(plugin, rel); err != nil {
		return sdk.RecordPlace{}, err
	}
	return n.answer(rec, r, rel), nil
}

// Finish ends a recording of a session: when it is started once more, it gets
// another name, the same as other plugins' recordings that were started as
// often.
func (n *Namer) Finish(plugin, sessionID string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.sessions[sessionID]
	if s == nil {
		return
	}
	for key := range s.records {
		if strings.HasSuffix(key, "\x00"+plugin) {
			delete(s.records, key)
			s.finished[key]++
		}
	}
}

// Forget drops what is known of a session that is over.
func (n *Namer) Forget(sessionID string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.sessions, sessionID)
}

func check(r sdk.RecordRequest) error {
	for _, segment := range []string{folder(r.App), r.Name, r.Kind} {
		if err := checkSegment(segment); err != nil {
			return err
		}
	}
	if r.Session == "" {
		return fmt.Errorf("%w: no session", ErrRefused)
	}
	if r.Part < 0 || (r.Part == 0) != (r.Ext == "") {
		return fmt.Errorf("%w: part %d with extension %q", ErrRefused, r.Part, r.Ext)
	}
	if r.Ext != "" && (r.Ext[0] != '.' || checkSegment(r.Ext[1:]) != nil) {
		return fmt.Errorf("%w: extension %q", ErrRefused, r.Ext)
	}
	return nil
}

// folder is a nested app as one folder.
func folder(app string) string { return strings.ReplaceAll(app, "/", "~") }

// record finds the entries of a session and of a recorder in it.
func (n *Namer) record(plugin string, r sdk.RecordRequest) (*session, *record, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.sessions[r.Session]
	if s == nil {
		s = &session{app: r.App, stream: r.Name, records: map[string]*record{}, finished: map[string]int{}}
		s.start = started(r).In(n.o.Location).Format(sessionForm)
	}
	key := r.Kind + "\x00" + plugin
	if rec := s.records[key]; rec != nil {
		return s, rec, nil
	}
	for len(s.names) <= s.finished[key] {
		name, err := n.freeSession(r, s)
		if err != nil {
			return nil, nil, err
		}
		s.names = append(s.names, name)
	}
	n.sessions[r.Session] = s
	rec := &record{name: s.names[s.finished[key]], parts: map[int]string{}}
	s.records[key] = rec
	return s, rec, nil
}

// decide runs on_record and chooses the base.
func (n *Namer) decide(ctx context.Context, s *session, rec *record, plugin string, r sdk.RecordRequest) error {
	v := n.verdict(ctx, plugin, r)
	rec.skip, rec.labels, rec.decided = v.Skip, v.Labels, true
	if v.Skip {
		return nil
	}
	if v.Path != "" {
		base, err := n.expand(v.Path, rec, plugin, r)
		if err == nil {
			rec.base = strings.TrimSuffix(base, r.Ext)
			return nil
		}
		n.o.Logger.Warn("path from on_record refused, default used", "plugin", plugin,
			"stream_id", r.App+"/"+r.Name, "path", v.Path, "error", err)
	}
	base, err := n.expand(n.o.Template, rec, plugin, r)
	if err != nil && n.o.Template != DefaultTemplate { // a label that is not there, or no file name
		n.o.Logger.Warn("template of records refused, default used", "plugin", plugin,
			"stream_id", r.App+"/"+r.Name, "template", n.o.Template, "error", err)
		base, err = n.expand(DefaultTemplate, rec, plugin, r)
	}
	if err != nil {
		rec.decided = false
		return fmt.Errorf("expand template of records: %w", err)
	}
	rec.base = base
	return nil
}

// verdict asks on_record. No recording is refused because a script broke.
func (n *Namer) verdict(ctx context.Context, plugin string, r sdk.RecordRequest) Verdict {
	if n.o.Decide == nil {
		return Verdict{}
	}
	v, err := n.o.Decide(ctx, event.Event{
		Event: event.Record, Time: time.Now(), App: r.App, Name: r.Name, StreamID: r.App + "/" + r.Name,
		Session: r.Session, Plugin: plugin, Part: r.Part, Started: r.Started,
	})
	if err != nil {
		n.o.Logger.Warn("on_record gave no verdict, default name used", "plugin", plugin,
			"stream_id", r.App+"/"+r.Name, "error", err)
		return Verdict{}
	}
	return v
}

// reserve makes the file or folder, or finds the one made before.
func (n *Namer) reserve(rec *record, r sdk.RecordRequest) (string, error) {
	if rel, ok := rec.parts[r.Part]; ok {
		return rel, nil
	}
	if err := n.root.MkdirAll(path.Dir(rec.base), 0o755); err != nil {
		return "", fmt.Errorf("make folder of record: %w", err)
	}
	first := len(rec.parts) == 0
	for i := 1; i <= maxTries; i++ {
		base := numbered(rec.base, i)
		rel := base + partSuffix(r.Part) + r.Ext
		err := n.create(rel, r.Part)
		if err == nil {
			if first {
				rec.base = base
			}
			rec.parts[r.Part] = rel
			return rel, nil
		}
		if !errors.Is(err, fs.ErrExist) || !first {
			return "", fmt.Errorf("reserve record: %w", err)
		}
	}
	return "", fmt.Errorf("%w: %s and %d names after it are taken", ErrRefused, rec.base, maxTries)
}

// give hands a record, and the folder that its manifest and links are put in,
// to the user that the plugin runs as.
func (n *Namer) give(plugin, rel string) error {
	if n.o.Owner == nil {
		return nil
	}
	uid, gid, other := n.o.Owner(plugin)
	if !other {
		return nil
	}
	for _, p := range []string{path.Dir(rel), rel} {
		if err := n.root.Chown(p, uid, gid); err != nil {
			return fmt.Errorf("give record to the plugin's user: %w", err)
		}
	}
	return nil
}

const maxTries = 10_000

func (n *Namer) create(rel string, part int) error {
	if part == 0 {
		return n.root.Mkdir(rel, 0o755)
	}
	f, err := n.root.OpenFile(rel, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}

// numbered is base for 1, then base_2, base_3…
func numbered(base string, i int) string {
	if i == 1 {
		return base
	}
	return fmt.Sprintf("%s_%d", base, i)
}

func partSuffix(part int) string {
	if part <= 1 {
		return ""
	}
	return fmt.Sprintf("_p%d", part)
}

func (n *Namer) answer(rec *record, r sdk.RecordRequest, rel string) sdk.RecordPlace {
	p := sdk.RecordPlace{
		Dir:         filepath.Join(n.o.DataDir, filepath.FromSlash(path.Dir(rel))),
		Name:        path.Base(rel),
		SessionName: rec.name,
		Rel:         rel,
		Alias:       filepath.Join(n.o.DataDir, r.Kind, folder(r.App), r.Name),
		Labels:      rec.labels,
	}
	// The server serves records below these prefixes only.
	switch first, _, _ := strings.Cut(rel, "/"); first {
	case "flv", "hls", "mp4":
		p.URL = "/" + rel
	}
	return p
}
