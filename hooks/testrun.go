package hooks

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace/core/event"
)

// Test runs the files of cases (*.txtar) in a folder and the folders below, and
// writes a line for each case. It returns how many passed and failed; the error
// is for what could not be run at all. A file tests the script of the same name
// beside it, or those that it contains.
func Test(w io.Writer, dir string) (passed, failed int, err error) {
	var files []string
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(path) == ".txtar" {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("find cases: %w", err)
	}
	if len(files) == 0 {
		return 0, 0, fmt.Errorf("there are no cases (*.txtar) in %s", dir)
	}
	for _, file := range files {
		results, err := testFile(file)
		if err != nil {
			failed++
			fmt.Fprintf(w, "FAIL %s: %v\n", file, err)
			continue
		}
		for _, r := range results {
			if len(r.problems) == 0 {
				passed++
				fmt.Fprintf(w, "ok   %s: %s\n", file, r.name)
				continue
			}
			failed++
			fmt.Fprintf(w, "FAIL %s: %s\n     %s\n", file, r.name, strings.Join(r.problems, "\n     "))
		}
	}
	return passed, failed, nil
}

type caseResult struct {
	name     string
	problems []string
}

// testFile runs the cases of one file, in order, on one set of scripts: what
// one case stores, the next one finds.
func testFile(path string) ([]caseResult, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the cases: %w", err)
	}
	cases, err := parseCases(string(text))
	if err != nil {
		return nil, err
	}
	b := newBench()
	if b.set, err = b.load(path, cases); err != nil {
		return nil, err
	}
	var results []caseResult
	for _, p := range cases.parts {
		switch {
		case p.answer != nil:
			b.answers = append(b.answers, *p.answer)
		case p.streams != nil:
			b.streams = p.streams
		case !p.clock.IsZero():
			b.clock = p.clock
		default:
			results = append(results, caseResult{p.name, b.runCase(p)})
		}
	}
	return results, nil
}

// bench is a world for scripts without a server or network, whose clock stands
// still.
type bench struct {
	set     *scriptSet
	svc     *services
	clock   time.Time
	answers []fakeAnswer
	streams []event.Event
	kicks   []string
	sent    []string
}

// benchClock is the time where a file says none.
var benchClock = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func newBench() *bench {
	b := &bench{clock: benchClock}
	b.svc = &services{
		logger: slog.New(slog.DiscardHandler), now: func() time.Time { return b.clock },
		patterns: newCache[*pattern](), regexps: newCache[*regexp.Regexp](),
		streams: func() []event.Event { return b.streams },
		kick: func(id, reason string) bool {
			b.kicks = append(b.kicks, strings.TrimSpace(id+" "+reason))
			return true
		},
	}
	b.svc.store = newStore(b.svc.now)
	b.svc.http = newHTTPService(b, func() []string { return []string{"*"} })
	return b
}

// load takes the scripts in the file, else the one beside it.
func (b *bench) load(path string, cases *caseFile) (*scriptSet, error) {
	src, err := readFolder(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	names := []string{strings.TrimSuffix(filepath.Base(path), ".txtar") + ".lua"}
	if len(cases.scripts) > 0 {
		names = slices.DeleteFunc(cases.names(), func(n string) bool { return strings.Contains(n, "/") })
	}
	for name, text := range cases.scripts {
		src.texts[name] = text
	}
	var scripts []*script
	for _, name := range names {
		c, err := src.compile(name)
		if err != nil {
			return nil, err
		}
		scripts = append(scripts, &script{chunk: c, source: src, name: name})
	}
	return loadSet(scripts, []*source{src}, b.svc, DefaultMemory)
}

// runCase returns what was not as expected.
func (b *bench) runCase(p casePart) []string {
	var problems []string
	for _, s := range p.steps {
		b.kicks, b.sent = nil, nil
		if s.event.Time.IsZero() {
			s.event.Time = b.clock
		}
		index := hookIndex(s.event.Event)
		if !b.set.has(index) {
			problems = append(problems, fmt.Sprintf("line %d: the script has no %s", s.line, s.event.Event))
			continue
		}
		o := b.set.call(s.event.Event, &s.event, callOptions{timeout: loadTimeout, limit: DefaultMemory, keepLogs: true})
		for _, problem := range s.compare(o, b) {
			problems = append(problems, fmt.Sprintf("line %d: %s", s.line, problem))
		}
	}
	return problems
}

func (s *caseStep) compare(o outcome, b *bench) []string {
	var problems []string
	shown := verdictText(o.verdict)
	if o.err != nil {
		shown = "error: " + o.err.Error()
	}
	switch {
	case s.want != nil && !s.want.matches(o):
		problems = append(problems, fmt.Sprintf("%s: got  %s\n             want %s", s.event.Event, shown, s.want))
	case s.want == nil && o.err != nil:
		problems = append(problems, shown)
	}
	for _, want := range s.logs {
		if !slices.ContainsFunc(o.logs, func(l LogLine) bool { return strings.Contains(l.Level+" "+l.Text, want) }) {
			problems = append(problems, fmt.Sprintf("no log line contains %q: %v", want, o.logs))
		}
	}
	for _, want := range s.kicks {
		if !slices.Contains(b.kicks, want) {
			problems = append(problems, fmt.Sprintf("no kick %q: %q", want, b.kicks))
		}
	}
	for _, want := range s.sent {
		if !slices.Contains(b.sent, want) {
			problems = append(problems, fmt.Sprintf("no request %q: %q", want, b.sent))
		}
	}
	return problems
}

// RoundTrip answers a request from the file; what is not in it cannot be
// reached.
func (b *bench) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	b.sent = append(b.sent, strings.TrimSpace(r.Method+" "+r.URL.String()+" "+string(body)))
	for i := len(b.answers) - 1; i >= 0; i-- { // the newest holds
		a := b.answers[i]
		if a.method != r.Method || a.url != r.URL.String() {
			continue
		}
		res := &http.Response{
			StatusCode: a.status, Status: http.StatusText(a.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{}, Body: io.NopCloser(strings.NewReader(a.body)), Request: r,
		}
		for k, v := range a.headers {
			res.Header.Set(k, v)
		}
		return res, nil
	}
	return nil, errors.New("the cases have no answer for " + r.Method + " " + r.URL.String())
}
