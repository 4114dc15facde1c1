package main_test

import (
	"strconv"
	"strings"
	"sync"
	"testing"
)

// serverLog keeps what the server writes on stderr.
type serverLog struct {
	mu  sync.Mutex
	buf strings.Builder
}

func (l *serverLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *serverLog) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *serverLog) lines() []string { return strings.Split(l.text(), "\n") }

// find returns the fields of the lines that have all of want.
func (l *serverLog) find(want map[string]string) []map[string]string {
	var found []map[string]string
	for _, line := range l.lines() {
		if fields := logFields(line); hasAll(fields, want) {
			found = append(found, fields)
		}
	}
	return found
}

// waitLog waits for a line with all of want.
func (s *server) waitLog(t *testing.T, want map[string]string) map[string]string {
	t.Helper()
	var found []map[string]string
	if err := poll(patience, func() bool { found = s.log.find(want); return len(found) > 0 }); err != nil {
		t.Fatalf("no log line with %v", want)
	}
	return found[0]
}

func hasAll(fields, want map[string]string) bool {
	for key, value := range want {
		if got, ok := fields[key]; !ok || got != value {
			return false
		}
	}
	return true
}

// logFields splits a line of slog's text format.
func logFields(line string) map[string]string {
	fields := map[string]string{}
	for line != "" {
		key, rest, ok := strings.Cut(line, "=")
		if !ok {
			break
		}
		var value string
		value, line = logValue(rest)
		fields[strings.TrimSpace(key)] = value
	}
	return fields
}

func logValue(rest string) (value, left string) {
	if quoted, err := strconv.QuotedPrefix(rest); err == nil {
		value, _ = strconv.Unquote(quoted)
		return value, strings.TrimPrefix(rest[len(quoted):], " ")
	}
	value, left, _ = strings.Cut(rest, " ")
	return value, left
}
