package record

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var (
	day  = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	full = Manifest{
		Version: 1, Plugin: "flv", App: "live", Name: "cam", Session: "01J", Started: day, Ended: day.Add(time.Minute), Complete: true, Final: true,
		Parts: []Part{
			{File: "a.flv", Number: 1, FromSeq: 1, ToSeq: 10, ToDTS: 400, Size: 3, Started: day, Keyframe: true},
			{File: "a_p2.flv", Number: 2, FromSeq: 12, ToSeq: 20, FromDTS: 400, ToDTS: 900, Size: 4},
		},
		Gaps:  []Gap{{From: 10, To: 12, Reason: "slow", At: day, Seconds: 0.5}},
		Extra: map[string]json.RawMessage{"flv": json.RawMessage(`{"heads":[]}`)},
	}
)

// clone is full with slices of its own.
func clone(t *testing.T) Manifest {
	t.Helper()
	b, err := json.Marshal(full)
	if err != nil {
		t.Fatal(err)
	}
	m, err := parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func save(t *testing.T, m Manifest, path string) {
	t.Helper()
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
}

func TestManifestSaves(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.flv.json")
	want := clone(t)
	save(t, want, path)
	got, err := Load(path)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if got.NextSeq() != 20 || got.Size() != 7 || got.Part("a_p2.flv") != &got.Parts[1] || got.Part("b") != nil {
		t.Errorf("next %d, size %d", got.NextSeq(), got.Size())
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"no json": "{", "other version": `{"version":2}`,
		"out of the folder": `{"version":1,"parts":[{"file":"../x"}]}`,
		"absolute":          `{"version":1,"parts":[{"file":"/etc/passwd"}]}`,
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if _, err := Load(filepath.Join(dir, "absent")); !errors.Is(err, ErrNoManifest) {
		t.Errorf("absent: %v", err)
	}
}

// Parts in the log count like those in the manifest, but for a line cut short,
// at whichever byte; Save folds them in.
func TestAppendPart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "manifest.json")
	m := clone(t)
	save(t, m, path)
	add := func(p Part) {
		if err := AppendPart(path, p); err != nil {
			t.Fatal(err)
		}
	}
	add(m.Parts[1]) // a crash between rename and removal leaves what is listed
	add(Part{File: "3.ts", Number: 3, FromSeq: 20, ToSeq: 30})
	whole, err := os.ReadFile(path + ".log")
	if err != nil {
		t.Fatal(err)
	}
	add(Part{File: "4.ts", Number: 4})
	longer, err := os.ReadFile(path + ".log")
	if err != nil {
		t.Fatal(err)
	}
	for n := len(whole); n <= len(longer); n++ {
		if err := os.WriteFile(path+".log", longer[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		add(Part{File: "5.ts", Number: 5})
		got, err := Load(path)
		want := 4
		if n == len(longer) {
			want = 5
		}
		if err != nil || len(got.Parts) != want || got.Parts[want-1].File != "5.ts" || got.NextSeq() != 30 {
			t.Fatalf("cut at %d: %+v, %v", n, got.Parts, err)
		}
	}
	got, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	save(t, got, path)
	if again, err := Load(path); err != nil || !reflect.DeepEqual(again, got) {
		t.Errorf("folded: %+v, %v", again, err)
	}
	if _, err := os.Stat(path + ".log"); err == nil {
		t.Error("the log is still there")
	}
}

// What is put takes the place of what is listed, in the log too, and a log that
// a crash left behind a Save changes nothing.
func TestPutPart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "manifest.json")
	m := clone(t)
	save(t, m, path)
	want := clone(t)
	changed := want.Parts[0]
	changed.Size, changed.Own = 99, json.RawMessage(`{"x":1}`)
	want.Parts[0] = changed
	later := Part{File: "3.ts", Number: 3, Size: 1}
	for _, p := range []Part{changed, later, {File: "3.ts", Number: 3, Size: 2}} {
		if err := PutPart(path, p); err != nil {
			t.Fatal(err)
		}
	}
	want.Parts = append(want.Parts, Part{File: "3.ts", Number: 3, Size: 2})
	got, err := Load(path)
	if err != nil || !reflect.DeepEqual(got.Parts, want.Parts) {
		t.Errorf("%+v, %v", got.Parts, err)
	}
	log, err := os.ReadFile(path + ".log")
	if err != nil {
		t.Fatal(err)
	}
	save(t, got, path)
	if err := os.WriteFile(path+".log", log, 0o600); err != nil {
		t.Fatal(err)
	}
	if again, err := Load(path); err != nil || !reflect.DeepEqual(again, got) {
		t.Errorf("with the old log: %+v, %v", again, err)
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "a.flv", "abc")
	write(t, dir, "a_p2.flv", "abcd")
	write(t, dir, "b.flv", "")
	m := clone(t)
	save(t, m, ManifestPath(filepath.Join(dir, "a.flv"), false))
	session := filepath.Join(dir, "session")
	if err := os.Mkdir(session, 0o700); err != nil {
		t.Fatal(err)
	}
	save(t, m, ManifestPath(session, true))
	for path, want := range map[string]string{
		"a.flv": "a.flv.json", "a_p2.flv": "a.flv.json", "a.flv.json": "a.flv.json", "session": "session/manifest.json",
	} {
		if got, err := Find(filepath.Join(dir, path)); err != nil || got != filepath.Join(dir, want) {
			t.Errorf("%s: %s, %v", path, got, err)
		}
	}
	for _, path := range []string{"b.flv", "."} {
		if got, err := Find(filepath.Join(dir, path)); !errors.Is(err, ErrNoManifest) {
			t.Errorf("%s: %s, %v", path, got, err)
		}
	}
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func FuzzParse(f *testing.F) {
	b, err := json.Marshal(full)
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{string(b), `{"version":1}`, "", `{"version":1,"parts":[{"file":"../x"}]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parse(b)
		if err != nil {
			return
		}
		for _, p := range m.Parts {
			if strings.HasPrefix(filepath.Join("root", p.File), "..") || filepath.IsAbs(p.File) {
				t.Errorf("%q is taken", p.File)
			}
		}
		m.NextSeq()
	})
}
