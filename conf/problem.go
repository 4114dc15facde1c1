package conf

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// environment stands in Problem.File for the environment variables.
const environment = "environment"

// defaults stands there for what nobody wrote.
const defaults = "defaults"

// hidden stands for a value that must not reach a log.
const hidden = "(hidden)"

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	File     string // as handed to Load; "environment" for a variable
	Line     int    // from 1; 0 in the environment
	Key      string // "stream.max_lag", a variable's name, or "" when no key was read
	Value    string // what was found, as TOML would write it; secrets are hidden. "": see Message
	Expected string // what would be right
	// Message says in place of Expected what is wrong, in the words of who
	// found it.
	Message string
}

// problem is one with what was found and what was expected.
func problem(file string, line int, key, value, expected string) Problem {
	return Problem{File: file, Line: line, Key: key, Value: value, Expected: expected}
}

// String returns the problem on one line, such as
//
//	conf/millrace.toml:12: stream.max_lag: found "5 parsecs", expected a duration such as "5s"
//	conf/millrace.toml:40: plugins.flv.sync: found "now": must be a duration
//	hooks/auth.lua:3: on_publish: unknown field 'alow'
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		b.WriteString(":" + strconv.Itoa(p.Line))
	}
	if p.Key != "" {
		b.WriteString(": " + p.Key)
	}
	if p.Value != "" {
		b.WriteString(": found " + p.Value)
	}
	if p.Message != "" {
		b.WriteString(": " + p.Message)
	} else {
		b.WriteString(", expected " + p.Expected)
	}
	return oneLine(b.String())
}

// oneLine keeps a hostile key or a quoting decoder from forging a second line.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

// Problems is every problem of a configuration, in the order of the file, then
// those of the environment. It is never an empty error.
type Problems []Problem

// Error returns one line for each problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Sort brings problems into the order in which a reader of the file meets them.
func (ps Problems) Sort() {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		if envA, envB := a.File == environment, b.File == environment; envA != envB {
			return cmp.Compare(rank(envA), rank(envB))
		}
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key))
	})
}

func rank(last bool) int {
	if last {
		return 1
	}
	return 0
}
