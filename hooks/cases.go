package hooks

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/core/event"
)

// caseFile is a parsed file of test cases; README.md describes its form.
type caseFile struct {
	scripts map[string]string // Lua files in it, by name
	parts   []casePart        // in order
}

// casePart is one section: exactly one of its fields after name is set.
type casePart struct {
	name    string
	line    int
	clock   time.Time
	answer  *fakeAnswer
	streams []event.Event
	steps   []caseStep
}

// caseStep is one call and what is expected of it.
type caseStep struct {
	line  int
	event event.Event
	want  *wanted // nil: nothing but that it does not fail
	logs  []string
	kicks []string
	sent  []string // requests: "METHOD URL BODY"
}

// wanted is a line "=> …".
type wanted struct {
	verdict   Verdict
	anyReason bool
	err       string // part of the error's text; "" expects none
	isErr     bool
}

// fakeAnswer is what a request gets instead of the network.
type fakeAnswer struct {
	method, url string
	status      int
	headers     map[string]string
	body        string
}

// parseCases reads a file of cases; its errors say the line.
func parseCases(text string) (*caseFile, error) {
	f := &caseFile{scripts: map[string]string{}}
	_, sections := splitArchive(text)
	for _, s := range sections {
		if strings.HasSuffix(s.name, ".lua") {
			f.scripts[s.name] = s.body
			continue
		}
		part, err := parsePart(s)
		if err != nil {
			return nil, err
		}
		f.parts = append(f.parts, part)
	}
	return f, nil
}

func parsePart(s section) (part casePart, err error) {
	part = casePart{name: s.name, line: s.line}
	switch {
	case s.name == "clock":
		part.clock, err = time.Parse(time.RFC3339Nano, strings.TrimSpace(s.body))
	case s.name == "streams":
		part.streams = []event.Event{}
		err = decodeStrict([]byte(s.body), &part.streams)
	case strings.HasPrefix(s.name, "http "):
		part.answer, err = parseAnswer(s)
	default:
		part.steps, err = parseSteps(s)
		return part, err
	}
	if err != nil {
		err = fmt.Errorf("line %d: %s: %w", s.line, s.name, err)
	}
	return part, err
}

// parseAnswer reads "http METHOD URL": a status, headers, an empty line, the
// body; the line break at its end does not count.
func parseAnswer(s section) (*fakeAnswer, error) {
	words := strings.Fields(s.name)
	if len(words) != 3 {
		return nil, errors.New(`it must be named "http METHOD URL"`)
	}
	head, body, _ := strings.Cut(s.body, "\n\n")
	lines := strings.Split(strings.TrimSpace(head), "\n")
	status, err := strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil || status < 100 || status > 999 {
		return nil, errors.New("its first line must be a status, such as 200")
	}
	a := &fakeAnswer{method: words[1], url: words[2], status: status, headers: map[string]string{}, body: strings.TrimSuffix(body, "\n")}
	for _, line := range lines[1:] {
		k, v, ok := strings.Cut(line, ":")
		if !ok {
			return nil, fmt.Errorf("%q is no header", line)
		}
		a.headers[strings.TrimSpace(k)] = strings.TrimSpace(v)
	}
	return a, nil
}

// parseSteps reads the calls of a case.
func parseSteps(s section) ([]caseStep, error) {
	var steps []caseStep
	lines := strings.Split(s.body, "\n")
	for i := 0; i < len(lines); {
		line := strings.TrimSpace(lines[i])
		at := s.line + i
		if line == "" || strings.HasPrefix(line, "#") {
			i++
			continue
		}
		n, err := 1, error(nil)
		if strings.HasPrefix(line, "on_") {
			var step caseStep
			n, step, err = parseStep(lines[i:], at)
			steps = append(steps, step)
		} else if len(steps) == 0 {
			err = errors.New("a case begins with a hook and its event")
		} else {
			err = steps[len(steps)-1].expect(line)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %s: %w", at, s.name, err)
		}
		i += n
	}
	if len(steps) == 0 {
		return nil, fmt.Errorf("line %d: %s: it has no calls", s.line, s.name)
	}
	return steps, nil
}

// parseStep reads "HOOK JSON", which may go on over lines, and says how many it
// took.
func parseStep(lines []string, at int) (int, caseStep, error) {
	hook, text, _ := strings.Cut(strings.TrimSpace(lines[0]), " ")
	if hookIndex(hook) < 0 {
		return 0, caseStep{}, fmt.Errorf("there is no hook %q", hook)
	}
	step := caseStep{line: at}
	n := 1
	for ; n < len(lines) && !json.Valid([]byte(text)); n++ {
		next := strings.TrimSpace(lines[n])
		if strings.HasPrefix(next, "=>") {
			break
		}
		text += "\n" + lines[n]
	}
	if strings.TrimSpace(text) == "" {
		text = "{}"
	}
	if err := decodeStrict([]byte(text), &step.event); err != nil {
		return 0, step, fmt.Errorf("event of %s: %w", hook, err)
	}
	step.event.Event = hook
	if step.event.StreamID == "" && step.event.Name != "" {
		step.event.StreamID = step.event.App + "/" + step.event.Name
	}
	return n, step, nil
}

// expect reads a line after the event.
func (s *caseStep) expect(line string) (err error) {
	word, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	switch word {
	case "=>":
		if s.want != nil {
			return errors.New("there are two verdicts")
		}
		s.want, err = parseWanted(rest)
	case "log:":
		s.logs = append(s.logs, rest)
	case "kick:":
		s.kicks = append(s.kicks, rest)
	case "request:":
		s.sent = append(s.sent, rest)
	default:
		err = fmt.Errorf("%q begins with none of on_…, =>, log:, kick: and request: that a line may begin with", line)
	}
	return err
}

// parseWanted reads `allow`, `deny "reason"`, `allow {…}`, `error "part"`.
func parseWanted(text string) (*wanted, error) {
	word, rest, _ := strings.Cut(text, " ")
	rest = strings.TrimSpace(rest)
	w := &wanted{}
	switch word {
	case "allow", "deny":
		w.anyReason = rest == ""
	case "error":
		w.isErr = true
		if rest == "" {
			return w, nil
		}
		return w, json.Unmarshal([]byte(rest), &w.err)
	default:
		return nil, fmt.Errorf("verdict %q is none of allow, deny, error", word)
	}
	if err := w.fields(rest); err != nil {
		return nil, fmt.Errorf("verdict: %w", err)
	}
	w.verdict.Allow = word == "allow"
	return w, nil
}

func (w *wanted) fields(rest string) error {
	switch {
	case rest == "":
		return nil
	case rest[0] == '"':
		return json.Unmarshal([]byte(rest), &w.verdict.Reason)
	}
	return json.Unmarshal([]byte(rest), &w.verdict)
}

// matches tells whether an outcome is what was wanted.
func (w *wanted) matches(o outcome) bool {
	if w.isErr {
		return o.err != nil && strings.Contains(o.err.Error(), w.err)
	}
	if o.err != nil {
		return false
	}
	got := o.verdict
	if w.anyReason {
		got.Reason = ""
	}
	return sameVerdict(w.verdict, got)
}

func (w *wanted) String() string {
	if w.isErr {
		return fmt.Sprintf("error %q", w.err)
	}
	return verdictText(w.verdict)
}

// names of the scripts in the file, in order.
func (f *caseFile) names() []string { return slices.Sorted(maps.Keys(f.scripts)) }
