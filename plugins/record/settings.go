package record

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/plugins/sdk"
)

// Settings reads a plugin's table, key by key, and gathers what is wrong with
// it. After a problem a key has its default.
type Settings struct {
	values   map[string]any
	known    map[string]bool
	problems []sdk.Problem
}

// ReadSettings begins to read a table.
func ReadSettings(c sdk.Config) *Settings {
	return &Settings{values: c.Values, known: map[string]bool{}}
}

// Wrong notes a problem with a key.
func (s *Settings) Wrong(key, format string, args ...any) {
	s.problems = append(s.problems, sdk.Problem{Key: key, Message: fmt.Sprintf(format, args...)})
}

// Problems are what was wrong, keys that were not asked for among it.
func (s *Settings) Problems() []sdk.Problem {
	for _, key := range slices.Sorted(maps.Keys(s.values)) {
		if !s.known[key] {
			s.Wrong(key, "unknown key")
			s.known[key] = true
		}
	}
	return s.problems
}

func (s *Settings) get(key string) (any, bool) {
	s.known[key] = true
	v, ok := s.values[key]
	return v, ok
}

// String reads text; with choices, one of them.
func (s *Settings) String(key, byDefault string, choices ...string) string {
	v, ok := s.get(key)
	if !ok {
		return byDefault
	}
	text, isText := v.(string)
	switch {
	case !isText:
		s.Wrong(key, "must be text")
	case len(choices) > 0 && !slices.Contains(choices, text):
		s.Wrong(key, "%q is none of %s", text, strings.Join(choices, ", "))
	default:
		return text
	}
	return byDefault
}

// Bool reads true or false.
func (s *Settings) Bool(key string, byDefault bool) bool {
	v, ok := s.get(key)
	if !ok {
		return byDefault
	}
	b, isBool := v.(bool)
	if !isBool {
		s.Wrong(key, "must be true or false")
		return byDefault
	}
	return b
}

// Int reads a whole number from lo to hi.
func (s *Settings) Int(key string, byDefault, lo, hi int64) int64 {
	v, ok := s.get(key)
	if !ok {
		return byDefault
	}
	n, isInt := v.(int64)
	if f, isFloat := v.(float64); isFloat && f == float64(int64(f)) {
		n, isInt = int64(f), true
	}
	if !isInt || n < lo || n > hi {
		s.Wrong(key, "must be a whole number from %d to %d", lo, hi)
		return byDefault
	}
	return n
}

// Duration reads text such as "90s", from lo to hi.
func (s *Settings) Duration(key string, byDefault, lo, hi time.Duration) time.Duration {
	v, ok := s.get(key)
	if !ok {
		return byDefault
	}
	text, _ := v.(string)
	d, err := time.ParseDuration(text)
	if err != nil || d < lo || d > hi {
		s.Wrong(key, `must be a duration such as "90s", from %v to %v`, lo, hi)
		return byDefault
	}
	return d
}

// Size reads text such as "64MiB", in bytes, from lo to hi.
func (s *Settings) Size(key string, byDefault, lo, hi int64) int64 {
	v, ok := s.get(key)
	if !ok {
		return byDefault
	}
	text, _ := v.(string)
	n, err := ParseSize(text)
	if err != nil || n < lo || n > hi {
		s.Wrong(key, `must be a size such as "64MiB", from %d to %d bytes`, lo, hi)
		return byDefault
	}
	return n
}

// Sync reads a policy; see [ParseSync].
func (s *Settings) Sync(key, byDefault string) Sync {
	p, err := ParseSync(s.String(key, byDefault))
	if err != nil {
		s.Wrong(key, "%v", err)
	}
	return p
}

var units = []struct {
	suffix string
	bytes  int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
}

// ParseSize reads a whole number of bytes with a unit; "0" needs none.
func ParseSize(s string) (int64, error) {
	for _, u := range units {
		digits, ok := strings.CutSuffix(s, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n < 0 || n > (1<<62)/u.bytes {
			return 0, fmt.Errorf("%q is no size", s)
		}
		return n * u.bytes, nil
	}
	if s == "0" {
		return 0, nil
	}
	return 0, fmt.Errorf("%q is no size", s)
}
