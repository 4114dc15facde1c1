package host

import (
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ParseConfig takes a table apart into the host's keys and the plugin's own,
// and says what is wrong with the former.
func ParseConfig(table map[string]any) (Config, []Problem) {
	c := DefaultConfig()
	p := &parser{values: maps.Clone(table)}
	p.bool("enabled", &c.Enabled)
	p.string("command", &c.Command)
	p.strings("args", &c.Args)
	p.stringMap("env", &c.Env)
	p.string("restart", &c.Restart)
	p.string("sha256", &c.SHA256)
	p.size("buffer", &c.Buffer)
	p.size("objects_max", &c.ObjectsMax)
	p.duration("start_timeout", &c.StartTimeout)
	p.duration("stop_timeout", &c.StopTimeout)
	p.duration("stuck_timeout", &c.StuckTimeout)
	p.bool("mtls", &c.MTLS)
	p.limits(&c.Limits)
	c.Values = p.values
	p.check(&c)
	return c, p.problems
}

func (p *parser) check(c *Config) {
	if c.Enabled && c.Command == "" {
		p.note("command", "is missing")
	}
	if !slices.Contains([]string{"always", "on-failure", "never"}, c.Restart) {
		p.note("restart", `is none of "always", "on-failure", "never"`)
	}
	if b, err := hex.DecodeString(c.SHA256); c.SHA256 != "" && (err != nil || len(b) != 32) {
		p.note("sha256", "is not 64 hexadecimal digits")
	}
	for key, d := range map[string]time.Duration{
		"start_timeout": c.StartTimeout, "stop_timeout": c.StopTimeout, "stuck_timeout": c.StuckTimeout,
	} {
		if d <= 0 {
			p.note(key, "is not more than 0s")
		}
	}
	if c.Limits.Nice < -20 || c.Limits.Nice > 19 {
		p.note("limits.nice", "is not between -20 and 19")
	}
	slices.SortFunc(p.problems, func(a, b Problem) int { return strings.Compare(a.Key, b.Key) })
}

// parser takes the keys that it knows out of values.
type parser struct {
	prefix   string
	values   map[string]any
	problems []Problem
}

func (p *parser) note(key, message string) {
	p.problems = append(p.problems, Problem{Key: p.prefix + key, Message: message})
}

// take returns a key's value as a T.
func take[T any](p *parser, key, kind string) (v T, ok bool) {
	raw, there := p.values[key]
	if !there {
		return v, false
	}
	delete(p.values, key)
	if v, ok = raw.(T); !ok {
		p.note(key, "is not "+kind)
	}
	return v, ok
}

func (p *parser) bool(key string, to *bool) {
	if v, ok := take[bool](p, key, "true or false"); ok {
		*to = v
	}
}

func (p *parser) string(key string, to *string) {
	if v, ok := take[string](p, key, "text"); ok {
		*to = v
	}
}

func (p *parser) strings(key string, to *[]string) {
	list, ok := take[[]any](p, key, "a list of texts")
	if !ok {
		return
	}
	for _, item := range list {
		s, ok := item.(string)
		if !ok {
			p.note(key, "is not a list of texts")
			return
		}
		*to = append(*to, s)
	}
}

func (p *parser) stringMap(key string, to *map[string]string) {
	table, ok := take[map[string]any](p, key, "a table of texts")
	if !ok {
		return
	}
	*to = map[string]string{}
	for name, value := range table {
		s, ok := value.(string)
		if !ok {
			p.note(key+"."+name, "is not text")
			continue
		}
		(*to)[name] = s
	}
}

func (p *parser) duration(key string, to *time.Duration) {
	s, ok := take[string](p, key, `a duration such as "10s"`)
	if !ok {
		return
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		p.note(key, `is not a duration such as "10s"`)
		return
	}
	*to = d
}

func (p *parser) size(key string, to *int64) {
	s, ok := take[string](p, key, `a size such as "64MiB"`)
	if !ok {
		return
	}
	n, err := parseSize(s)
	if err != nil {
		p.note(key, `is not a size such as "64MiB"`)
		return
	}
	*to = n
}

func (p *parser) limits(to *Limits) {
	table, ok := take[map[string]any](p, "limits", "a table")
	if !ok {
		return
	}
	inner := &parser{prefix: "limits.", values: maps.Clone(table)}
	inner.size("memory", &to.Memory)
	inner.string("user", &to.User)
	if v, ok := take[int64](inner, "nice", "a whole number"); ok {
		to.Nice = int(v)
	}
	if v, ok := take[int64](inner, "files", "a whole number"); ok {
		if v != 0 && v < 16 {
			inner.note("files", "is less than 16, and not 0 for no limit")
		}
		to.Files = uint64(max(v, 0))
	}
	for key := range inner.values {
		inner.note(key, "is unknown")
	}
	p.problems = append(p.problems, inner.problems...)
}

var units = []struct {
	name string
	size int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

func parseSize(s string) (int64, error) {
	for _, u := range units {
		digits, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64/u.size {
			return 0, fmt.Errorf("size %q: not a number of %s", s, u.name)
		}
		return n * u.size, nil
	}
	return 0, fmt.Errorf("size %q: no unit", s)
}

// sizeText is the size that parseSize reads as n.
func sizeText(n int64) string {
	for _, u := range units {
		if n%u.size == 0 {
			return strconv.FormatInt(n/u.size, 10) + u.name
		}
	}
	return "0B"
}
