package place

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/plugins/sdk"
)

var at = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func namer(t *testing.T, o Options) *Namer {
	t.Helper()
	o.DataDir, o.Location = t.TempDir(), time.UTC
	n, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

func open(t *testing.T, n *Namer, plugin string, r sdk.RecordRequest) sdk.RecordPlace {
	t.Helper()
	p, err := n.Open(t.Context(), plugin, r)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func flv(session string, part int) sdk.RecordRequest {
	return sdk.RecordRequest{App: "live", Name: "cam", Session: session, Kind: "flv", Part: part, Ext: ".flv", Started: at}
}

func dir(session, kind string) sdk.RecordRequest {
	return sdk.RecordRequest{App: "live", Name: "cam", Session: session, Kind: kind, Started: at}
}

func TestNames(t *testing.T) {
	t.Parallel()
	n := namer(t, Options{})
	for _, tt := range []struct {
		plugin string
		r      sdk.RecordRequest
		rel    string
	}{
		{"flv", flv("A", 1), "flv/live/cam/20260102_030405.flv"},
		{"flv", flv("A", 1), "flv/live/cam/20260102_030405.flv"}, // repeated
		{"flv", flv("A", 2), "flv/live/cam/20260102_030405_p2.flv"},
		{"mp4", dir("A", "mp4"), "mp4/live/cam/20260102_030405"},
		{"hls", dir("A", "hls"), "hls/live/cam/20260102_030405"},
		{"flv", flv("B", 1), "flv/live/cam/20260102_030405_2.flv"}, // taken on disk
		{"mp4", dir("B", "mp4"), "mp4/live/cam/20260102_030405_2"},
		{"flv", flv("B", 3), "flv/live/cam/20260102_030405_2_p3.flv"},
		{"mp4", dir("C", "mp4"), "mp4/live/cam/20260102_030405_3"},
		{"own", flv("C", 1), "flv/live/cam/20260102_030405_3.flv"},
		{"flv", flv("C", 1), "flv/live/cam/20260102_030405_3_2.flv"}, // of the same kind as another's
	} {
		p := open(t, n, tt.plugin, tt.r)
		if p.Rel != tt.rel || p.URL != "/"+tt.rel || p.Alias != filepath.Join(n.o.DataDir, tt.r.Kind, "live/cam") {
			t.Errorf("%s %+v: %+v, want %s", tt.plugin, tt.r, p, tt.rel)
		}
		info, err := os.Stat(filepath.Join(p.Dir, p.Name))
		if err != nil || info.IsDir() != (tt.r.Part == 0) {
			t.Errorf("%s: %v, %v", tt.rel, info, err)
		}
	}
}

func TestNestedAppAndKind(t *testing.T) {
	t.Parallel()
	n := namer(t, Options{})
	r := flv("A", 1)
	r.App, r.Kind = "live/deep/er", "thumbs"
	if p := open(t, n, "thumbs", r); p.Rel != "thumbs/live~deep~er/cam/20260102_030405.flv" || p.URL != "" {
		t.Errorf("%+v", p)
	}
}

func TestOnRecord(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		v    Verdict
		err  error
		rel  string
		part string
	}{
		{name: "template", v: Verdict{Path: "archive/{year}/{month}/{label.camera}-{session}", Labels: map[string]string{"camera": "c1"}},
			rel: "archive/2026/01/c1-20260102_030405.flv", part: "archive/2026/01/c1-20260102_030405_p2.flv"},
		{name: "fixed, with extension", v: Verdict{Path: "flv/fixed.flv"}, rel: "flv/fixed.flv", part: "flv/fixed_p2.flv"},
		{name: "outside", v: Verdict{Path: "../../etc/{name}"}, rel: "flv/live/cam/20260102_030405.flv"},
		{name: "absolute", v: Verdict{Path: "/etc/passwd"}, rel: "flv/live/cam/20260102_030405.flv"},
		{name: "dot file", v: Verdict{Path: "flv/.hidden"}, rel: "flv/live/cam/20260102_030405.flv"},
		{name: "unknown field", v: Verdict{Path: "flv/{nonsense}"}, rel: "flv/live/cam/20260102_030405.flv"},
		{name: "open brace", v: Verdict{Path: "flv/{name"}, rel: "flv/live/cam/20260102_030405.flv"},
		{name: "broken", err: errors.New("script broke"), rel: "flv/live/cam/20260102_030405.flv"},
		{name: "skip", v: Verdict{Skip: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			calls := 0
			n := namer(t, Options{Decide: func(_ context.Context, e event.Event) (Verdict, error) {
				calls++
				if e.Event != event.Record || e.StreamID != "live/cam" || e.Plugin != "flv" {
					t.Errorf("asked with %+v", e)
				}
				return tt.v, tt.err
			}})
			p := open(t, n, "flv", flv("A", 1))
			if p.Skip != tt.v.Skip || p.Rel != tt.rel {
				t.Errorf("%+v", p)
			}
			if p := open(t, n, "flv", flv("A", 2)); tt.part != "" && p.Rel != tt.part {
				t.Errorf("part 2: %+v", p)
			}
			if calls != 1 {
				t.Errorf("on_record ran %d times", calls)
			}
		})
	}
}

func TestFixedNameIsNotTakenTwice(t *testing.T) {
	t.Parallel()
	n := namer(t, Options{Decide: func(context.Context, event.Event) (Verdict, error) { return Verdict{Path: "flv/x"}, nil }})
	if a, b := open(t, n, "flv", flv("A", 1)), open(t, n, "flv", flv("B", 1)); a.Rel != "flv/x.flv" || b.Rel != "flv/x_2.flv" {
		t.Errorf("%s, %s", a.Rel, b.Rel)
	}
	if p := open(t, n, "flv", flv("B", 2)); p.Rel != "flv/x_2_p2.flv" {
		t.Error(p.Rel)
	}
}

// TestTemplates has templates checked beforehand, and one that cannot be
// filled in give way to the default.
func TestTemplates(t *testing.T) {
	t.Parallel()
	for template, ok := range map[string]bool{
		"": true, DefaultTemplate: true, "{kind}/{label.room}/{year}-{month}-{day}/{name}": true,
		"{kind}/{nonsense}": false, "{kind}/../x": false, "/x": false, "{kind": false, "{label.x": false, "a//b": false,
	} {
		if err := CheckTemplate(template); (err == nil) != ok {
			t.Errorf("%q: %v", template, err)
		}
	}
	n := namer(t, Options{Template: "{kind}/{label.room}/{name}"})
	if p := open(t, n, "flv", flv("A", 1)); p.Rel != "flv/live/cam/20260102_030405.flv" {
		t.Errorf("%+v", p)
	}
}

func TestFinishAndForget(t *testing.T) {
	t.Parallel()
	n := namer(t, Options{})
	open(t, n, "mp4", dir("A", "mp4"))
	open(t, n, "flv", flv("A", 1))
	n.Finish("flv", "A")
	if p := open(t, n, "flv", flv("A", 1)); p.Rel != "flv/live/cam/20260102_030405_2.flv" || p.SessionName != "20260102_030405_2" {
		t.Errorf("%+v", p)
	}
	if p := open(t, n, "mp4", dir("A", "mp4")); p.SessionName != "20260102_030405" {
		t.Errorf("%+v", p)
	}
	n.Finish("mp4", "A")
	later := dir("A", "mp4")
	later.Started = at.Add(3 * time.Second) // as a recorder may see it
	if p := open(t, n, "mp4", later); p.SessionName != "20260102_030405_2" {
		t.Errorf("%+v", p)
	}
	n.Finish("mp4", "A")
	if p := open(t, n, "mp4", later); p.SessionName != "20260102_030405_3" {
		t.Errorf("%+v", p)
	}
	n.Forget("A")
	if p := open(t, n, "mp4", dir("A", "mp4")); p.SessionName != "20260102_030405_4" {
		t.Errorf("%+v", p)
	}
	n.Finish("flv", "nobody")
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	n := namer(t, Options{})
	for name, change := range map[string]func(*sdk.RecordRequest){
		"app":        func(r *sdk.RecordRequest) { r.App = ".." },
		"nested app": func(r *sdk.RecordRequest) { r.App = "../x" },
		"no app":     func(r *sdk.RecordRequest) { r.App = "" },
		"name":       func(r *sdk.RecordRequest) { r.Name = "a/b" },
		"dot name":   func(r *sdk.RecordRequest) { r.Name = ".a" },
		"control":    func(r *sdk.RecordRequest) { r.Name = "a\nb" },
		"kind":       func(r *sdk.RecordRequest) { r.Kind = "../flv" },
		"long":       func(r *sdk.RecordRequest) { r.Name = strings.Repeat("x", 300) },
		"ext":        func(r *sdk.RecordRequest) { r.Ext = ".flv/../../x" },
		"no dot":     func(r *sdk.RecordRequest) { r.Ext = "flv" },
		"no ext":     func(r *sdk.RecordRequest) { r.Ext = "" },
		"negative":   func(r *sdk.RecordRequest) { r.Part = -1 },
		"no session": func(r *sdk.RecordRequest) { r.Session = "" },
	} {
		r := flv("A", 1)
		change(&r)
		if p, err := n.Open(t.Context(), "flv", r); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

// A link that leads out of data_dir is not followed.
func TestSymlinkOutside(t *testing.T) {
	t.Parallel()
	n := namer(t, Options{})
	outside := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(n.o.DataDir, "flv")); err != nil {
		t.Fatal(err)
	}
	if p, err := n.Open(t.Context(), "flv", flv("A", 1)); err == nil {
		t.Errorf("%+v", p)
	}
	if entries, err := fs.ReadDir(os.DirFS(outside), "."); err != nil || len(entries) > 0 {
		t.Errorf("%v, %v", entries, err)
	}
}

func TestConcurrent(t *testing.T) {
	t.Parallel()
	n := namer(t, Options{})
	var wg sync.WaitGroup
	names := make([]string, 40)
	for i := range names {
		wg.Go(func() {
			p, err := n.Open(t.Context(), "flv", flv(fmt.Sprint(i/2), 1))
			if err != nil {
				t.Error(err)
			}
			names[i] = p.SessionName
		})
	}
	wg.Wait()
	seen := map[string]int{}
	for i, name := range names {
		seen[name]++
		if name != names[i/2*2] {
			t.Errorf("session %d is %s and %s", i/2, name, names[i/2*2])
		}
	}
	if len(seen) != len(names)/2 {
		t.Errorf("%d names for %d sessions", len(seen), len(names)/2)
	}
}

func TestNewRefusesTemplates(t *testing.T) {
	t.Parallel()
	for _, template := range []string{"{kind}/{unknown}", "{app", "../{name}", "%kind/%app/%name"} {
		if _, err := New(Options{DataDir: t.TempDir(), Template: template}); !errors.Is(err, ErrRefused) {
			t.Errorf("%q: %v", template, err)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	for _, s := range []string{DefaultTemplate, "{", "a/{label.x}/b", "../{name}", "/", "{kind}{app}", "a//b", "{year}-{month}-{day}/{hour}"} {
		f.Add(s)
	}
	root := f.TempDir()
	n, err := New(Options{DataDir: root, Location: time.UTC})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, template string) {
		p, err := n.expand(template, &record{name: "s", labels: map[string]string{"x": "../.."}}, "flv", flv("A", 1))
		if err == nil && !filepath.IsLocal(filepath.FromSlash(p)) {
			t.Errorf("%q became %q", template, p)
		}
	})
}
