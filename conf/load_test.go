package conf

import (
	"bytes"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

var update = flag.Bool("update", false, "write the .err files of testdata")

// TestTestdata parses each testdata/*.toml: what it expects of NAME.toml is in
// NAME.err, nothing for valid-*.toml.
func TestTestdata(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.toml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			_, err := Parse(file, readTest(t, file), nil)
			got := ""
			if err != nil {
				got = err.Error() + "\n"
			}
			golden := strings.TrimSuffix(file, ".toml") + ".err"
			if strings.HasPrefix(filepath.Base(file), "valid-") {
				if got != "" {
					t.Fatalf("problems in a valid file:\n%s", got)
				}
				return
			}
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want := string(readTest(t, golden)); got != want || got == "" {
				t.Errorf("got:\n%swant:\n%s", got, want)
			}
		})
	}
}

func readTest(t testing.TB, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestParseValues(t *testing.T) {
	t.Parallel()
	c, err := Parse("f", readTest(t, "testdata/valid-listen.toml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Admin.Listen = ""
	want.HTTP.Listen = []Listen{{Addr: ":8501"}, {Addr: "[::1]:8601", ProxyProtocol: true}, {Addr: "127.0.0.1:0"}, {Addr: "127.0.0.1:0"}}
	want.RTMP.Listen = []Listen{{Addr: ":1935"}, {Addr: "localhost:1936", ProxyProtocol: true}}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got %+v\nwant %+v", c, want)
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	c, err := Load("", nil)
	if err != nil || !reflect.DeepEqual(c, Default()) {
		t.Errorf("no file: %+v, %v", c, err)
	}
	_, err = Load(filepath.Join(t.TempDir(), "absent.toml"), nil)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent file: %v", err)
	}
	file := filepath.Join(t.TempDir(), "c.toml")
	if err := os.WriteFile(file, []byte("[stream]\nmax_lag = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Load(file, []string{"MILLRACE_STREAM_GOP_CACHE=no"})
	want := Problems{
		problem(file, 2, "stream.max_lag", "1", `a duration such as "5s"`),
		problem("environment", 0, "MILLRACE_STREAM_GOP_CACHE", `"no"`, "true or false"),
	}
	var got Problems
	if !errors.As(err, &got) || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

func TestLoadLargeFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "large.toml")
	if err := os.WriteFile(file, bytes.Repeat([]byte("#"), maxFile+10), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Load(file, nil)
	if err == nil || !strings.Contains(err.Error(), "found more than 1MiB") {
		t.Errorf("got %v", err)
	}
}

// TestDeepNesting holds the decoder, which recurses, to the largest file.
func TestDeepNesting(t *testing.T) {
	t.Parallel()
	const depth = 100_000
	text := "[stream]\nmax_lag = " + strings.Repeat("[", depth) + strings.Repeat("]", depth)
	_, err := Parse("f", []byte(text), nil)
	if err == nil || err.Error() != `f:2: stream.max_lag: found a list of 1, expected a duration such as "5s"` {
		t.Errorf("got %.200v", err)
	}
}

// render writes c as TOML, by the table of keys.
func render(t testing.TB, c Config) []byte {
	t.Helper()
	tables := make(map[string]map[string]any)
	var b bytes.Buffer
	for _, key := range bind(&c) {
		section, name, ok := strings.Cut(key.name, ".")
		if !ok { // a list of tables, which here is a list that comes first
			b = *bytes.NewBufferString(section + " = " + key.field.text() + "\n" + b.String())
			continue
		}
		if tables[section] == nil {
			tables[section] = make(map[string]any)
			b.WriteString("[" + section + "]\n")
		}
		text := key.field.text()
		switch key.field.(type) {
		case intField, boolField, listField[Listen], listField[string]:
		default:
			if !strings.HasPrefix(key.field.accepts(), "a list") {
				text = tomlString(t, text)
			}
		}
		b.WriteString(name + " = " + text + "\n")
	}
	return b.Bytes()
}

func tomlString(t testing.TB, s string) string {
	t.Helper()
	var b bytes.Buffer
	if err := toml.NewEncoder(&b).Encode(map[string]string{"k": s}); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(strings.TrimPrefix(b.String(), "k = "))
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	files, _ := filepath.Glob("testdata/valid-*.toml")
	for _, file := range files {
		c, err := Parse(file, readTest(t, file), nil)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse("rendered", render(t, c), nil)
		if err != nil || !reflect.DeepEqual(c, again) {
			t.Errorf("%s: %v\ngot  %+v\nwant %+v", file, err, again, c)
		}
	}
}

// FuzzConfig feeds files. Whatever they hold, Parse answers with a Config that
// survives writing and reading, or with problems that are each one line that
// names a line of the file.
func FuzzConfig(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.toml")
	for _, file := range append(files, "millrace.toml") {
		f.Add(readTest(f, file), "MILLRACE_STREAM_MAX_LAG=3s")
	}
	for _, test := range envTests {
		f.Add([]byte(nil), strings.Join(test.environ, "\n"))
	}
	f.Fuzz(func(t *testing.T, data []byte, environ string) {
		c, err := Parse("f.toml", data, strings.Split(environ, "\n"))
		if err != nil {
			checkProblems(t, data, err)
			return
		}
		again, err := Parse("rendered", render(t, c), nil)
		if err != nil || len(Diff(c, again)) != 0 {
			t.Fatalf("%v: %v", err, Diff(c, again))
		}
		c.Stream.NamePattern.Regexp()
	})
}

func checkProblems(t *testing.T, data []byte, err error) {
	t.Helper()
	var problems Problems
	if !errors.As(err, &problems) || len(problems) == 0 {
		t.Fatalf("no problems: %v", err)
	}
	if len(data) > maxFile {
		return // a problem of the whole file
	}
	lines := 1 + bytes.Count(data, []byte("\n"))
	for _, p := range problems {
		inFile := p.File == "f.toml" && 1 <= p.Line && p.Line <= lines
		inEnvironment := p.File == "environment" && p.Line == 0
		if !inFile && !inEnvironment {
			t.Errorf("nowhere: %+v", p)
		}
		if p.Value == "" || p.Expected == "" || strings.ContainsAny(p.String(), "\n\r") {
			t.Errorf("not a line: %+v", p)
		}
	}
}
