package hooks

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

	"log/slog"

	"github.com/millrace/millrace/core/event"
)

// Check compiles scripts, as files and folders, and everything in their
// folders that they could require. Nothing runs. The error joins one
// *ScriptError for each wrong file.
func Check(paths []string) error {
	_, sources, err := readScripts(paths)
	seen := map[string]bool{}
	problems := []error{}
	add := func(err error) {
		if err != nil && !seen[err.Error()] {
			seen[err.Error()] = true
			problems = append(problems, err)
		}
	}
	if list, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range list.Unwrap() {
			add(err)
		}
	} else {
		add(err)
	}
	for _, s := range sources {
		for name := range s.texts {
			if strings.Contains(name, "/") { // a module
				_, err := s.compile(name)
				add(err)
			}
		}
	}
	return errors.Join(problems...)
}

// Run runs one hook of the scripts on e, whose field Event names it, and
// writes what the scripts logged, the verdict and the time that it took. The
// settings' scripts are used; the store begins empty, and a kick is only shown.
func Run(w io.Writer, s Settings, e *event.Event) (Verdict, error) {
	filled, err := s.filled()
	if err != nil {
		return Verdict{}, err
	}
	set, err := newSet(s.Scripts, commandServices(w, filled), uint64(filled.Memory))
	if err != nil {
		return Verdict{}, err
	}
	if hookIndex(e.Event) < 0 {
		return Verdict{}, fmt.Errorf("there is no hook %q", e.Event)
	}
	if !set.has(hookIndex(e.Event)) {
		return Verdict{}, fmt.Errorf("no script has the hook %s", e.Event)
	}
	started := time.Now()
	o := set.call(e.Event, e, callOptions{timeout: filled.Timeout, limit: uint64(filled.Memory), keepLogs: true})
	took := time.Since(started)
	if o.err != nil {
		o.verdict = filled.fallback(e.Event, o.err)
	}
	for _, l := range o.logs {
		fmt.Fprintf(w, "log      %s: %s\n", l.Level, l.Text)
	}
	if isDecision(e.Event) || o.err != nil {
		fmt.Fprintf(w, "verdict  %s\n", verdictText(o.verdict))
	}
	fmt.Fprintf(w, "time     %v\n", took.Round(time.Microsecond))
	return o.verdict, nil
}

// commandServices are those of a command: real HTTP and clock, no server.
func commandServices(w io.Writer, s Settings) *services {
	svc := &services{
		logger: slog.New(slog.DiscardHandler), now: time.Now, store: newStore(time.Now),
		patterns: newCache[*pattern](), regexps: newCache[*regexp.Regexp](),
		streams: func() []event.Event { return nil },
		kick: func(id, reason string) bool {
			fmt.Fprintf(w, "kick     %s (%s)\n", id, reason)
			return true
		},
	}
	svc.http = newHTTPService(nil, func() []string { return s.HTTPAllow })
	return svc
}

// Replayed counts what Replay found. Masked are calls from whose event secrets
// were taken out of the log: a verdict that depends on them cannot be told.
type Replayed struct {
	Calls, Same, Changed, Errors, Masked, Skipped int
}

// maxCallLine bounds a line of a call log, in bytes.
const maxCallLine = 1 << 20

// Replay runs the scripts of s on the calls of a log, and writes each verdict
// that would change. The clock is the one of the log; HTTP goes to the hosts
// that s allows.
func Replay(w io.Writer, calls io.Reader, s Settings) (Replayed, error) {
	var n Replayed
	filled, err := s.filled()
	if err != nil {
		return n, err
	}
	var clock time.Time
	svc := commandServices(io.Discard, filled)
	svc.now = func() time.Time { return clock }
	svc.store = newStore(svc.now)
	clock = time.Now()
	set, err := newSet(s.Scripts, svc, uint64(filled.Memory))
	if err != nil {
		return n, err
	}
	lines := bufio.NewScanner(calls)
	lines.Buffer(nil, maxCallLine)
	for number := 1; lines.Scan(); number++ {
		var rec CallRecord
		if err := json.Unmarshal(lines.Bytes(), &rec); err != nil {
			return n, fmt.Errorf("line %d: read a call: %w", number, err)
		}
		clock = rec.Time
		if problem := n.replay(set, filled, &rec); problem != "" {
			fmt.Fprintf(w, "line %d: %s %s: %s\n", number, rec.Hook, rec.Event.StreamID, problem)
		}
	}
	if err := lines.Err(); err != nil {
		return n, fmt.Errorf("read the calls: %w", err)
	}
	return n, nil
}

// replay runs one call and says what is different; "" is nothing.
func (n *Replayed) replay(set *scriptSet, s Settings, rec *CallRecord) string {
	n.Calls++
	if !isDecision(rec.Hook) || rec.Verdict == nil {
		n.Skipped++
		if set.has(hookIndex(rec.Hook)) { // for what it stores
			set.call(rec.Hook, &rec.Event, callOptions{timeout: s.Timeout, limit: uint64(s.Memory)})
		}
		return ""
	}
	note := ""
	if isMasked(&rec.Event) {
		n.Masked++
		note = " (the log's secrets are masked)"
	}
	o := outcome{verdict: Verdict{Allow: true}}
	if set.has(hookIndex(rec.Hook)) {
		o = set.call(rec.Hook, &rec.Event, callOptions{timeout: s.Timeout, limit: uint64(s.Memory)})
	}
	if o.err != nil {
		n.Errors++
		o.verdict = s.fallback(rec.Hook, o.err)
	}
	if sameVerdict(*rec.Verdict, o.verdict) {
		n.Same++
		return ""
	}
	n.Changed++
	return fmt.Sprintf("%s  ->  %s%s", verdictText(*rec.Verdict), verdictText(o.verdict), note)
}

// OpenCallLog opens a file for Options.CallLog, for its owner only: it shows
// addresses and names of viewers.
func OpenCallLog(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of hook calls: %w", err)
	}
	return f, nil
}
