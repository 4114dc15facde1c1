package hooks

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

// FuzzResult gives every decision results made of arbitrary values: nothing
// panics, and what gets into a verdict is fit for headers and logs.
func FuzzResult(f *testing.F) {
	for _, d := range decisions {
		f.Add([]byte(d.result))
	}
	keys := []string{"allow", "reason", "limits", "app", "name", "record", "max_bitrate", "max_duration", "labels",
		"redirect", "limit", "rate", "stream", "path", "skip", "headers", "idle_timeout", "x"}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, hook := range hooksInOrder {
			if !isDecision(hook) {
				continue
			}
			g := valueMaker{data: data, keys: keys}
			v := Verdict{Allow: true}
			if applyResult(hook, &v, g.value(0), g.value(0)) != nil {
				continue
			}
			checkVerdict(t, &v)
		}
	})
}

func checkVerdict(t *testing.T, v *Verdict) {
	t.Helper()
	texts := []string{v.Reason, v.App, v.Name, v.Stream, v.Redirect, v.Path}
	for _, m := range []map[string]string{v.Labels, v.Headers} {
		for k, s := range m {
			texts = append(texts, k, s)
		}
	}
	for _, s := range texts {
		if len(s) > maxValue || strings.ContainsAny(s, "\r\n\x00") {
			t.Errorf("text %q in a verdict", s)
		}
	}
	for _, n := range []int64{v.MaxBitrate, v.Rate, int64(v.MaxDuration), int64(v.Limit), v.Limits.Rate, v.Limits.MaxBitrate, int64(v.Limits.IdleTimeout)} {
		if n < 0 {
			t.Errorf("number %d in a verdict", n)
		}
	}
}

// valueMaker builds Lua values from bytes.
type valueMaker struct {
	data []byte
	keys []string
}

func (g *valueMaker) next() int {
	if len(g.data) == 0 {
		return 0
	}
	b := g.data[0]
	g.data = g.data[1:]
	return int(b)
}

func (g *valueMaker) text() string {
	n := min(g.next()%16, len(g.data))
	s := string(g.data[:n])
	g.data = g.data[n:]
	return s
}

func (g *valueMaker) value(depth int) lua.LValue {
	switch g.next() % 7 {
	case 0:
		return lua.LNil
	case 1:
		return lua.LBool(g.next()%2 == 0)
	case 2:
		return lua.LNumber(float64(g.next()-128) * float64(g.next()) / float64(g.next()))
	case 3:
		return lua.LString(g.text())
	case 4:
		return &lua.LUserData{}
	}
	t := &lua.LTable{Metatable: lua.LNil}
	for range g.next() % 6 {
		if depth > 3 {
			break
		}
		key := lua.LValue(lua.LString(g.keys[g.next()%len(g.keys)]))
		if g.next()%4 == 0 {
			key = lua.LString(g.text())
		}
		if v := g.value(depth + 1); v != lua.LNil {
			t.RawSet(key, v)
		}
	}
	return t
}

// queries seed the fuzzing and are its table.
var queries = []struct{ text, key, value string }{
	{"a=1", "a", "1"},
	{"?a=1&b=2", "b", "2"},
	{"a=x%20y+z", "a", "x y z"},
	{"a=1&a=2", "a", "1"},
	{"a", "a", ""},
	{"a=b=c", "a", "b=c"},
	{"a=%zz", "a", "%zz"},
	{"%61=1", "a", "1"},
	{"&&a=1&", "a", "1"},
	{"a=1;b=2", "a", "1;b=2"},
	{"=1", "", ""},
}

// firstValues is the first value of each parameter.
func firstValues(text string) map[string]string {
	all := map[string]string{}
	for key, value := range parameters(text) {
		if _, ok := all[key]; !ok {
			all[key] = value
		}
	}
	return all
}

func TestQuery(t *testing.T) {
	t.Parallel()
	for _, q := range queries {
		if got := firstValues(q.text)[q.key]; got != q.value {
			t.Errorf("%q: %q is %q, want %q", q.text, q.key, got, q.value)
		}
	}
}

// FuzzQuery: what net/url accepts is read the same.
func FuzzQuery(f *testing.F) {
	for _, q := range queries {
		f.Add(q.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := firstValues(text)
		want, err := url.ParseQuery(text)
		if err != nil || strings.HasPrefix(text, "?") || len(want) >= maxParams {
			return
		}
		for k, v := range want {
			if k != "" && got[k] != v[0] {
				t.Errorf("%q: %q is %q, want %q", text, k, got[k], v[0])
			}
		}
	})
}

// FuzzCases: a file of cases is read or refused.
func FuzzCases(f *testing.F) {
	files, err := filepath.Glob("../examples/hooks/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("-- a --\non_play\n=> error\n")
	f.Add("-- http GET x --\n200\na: b\n\nbody\n-- x.lua --\nreturn 1\n-- clock --\n2026-01-02T03:04:05Z")
	f.Fuzz(func(t *testing.T, text string) {
		comment, sections := splitArchive(text)
		size := len(comment)
		for _, s := range sections {
			size += len(s.body) + len(s.name)
		}
		if size > len(text) {
			t.Errorf("%d bytes of %d", size, len(text))
		}
		cases, err := parseCases(text)
		if err != nil {
			return
		}
		for _, p := range cases.parts {
			for _, s := range p.steps {
				if hookIndex(s.event.Event) < 0 || s.line < 1 {
					t.Errorf("step %+v", s)
				}
			}
		}
	})
}

// FuzzPattern: any pattern on any text ends, within its steps.
func FuzzPattern(f *testing.F) {
	for _, p := range []string{"a*b", "^(%w+)=(.-)$", "%b()", "%f[%w]%w+", "(a)%1", "[^%]x-z]+", "()a()", "[]]", "[^]]", "%", "[a", "(", "a-?", ".-.-.-b"} {
		f.Add(p, "hello (world) a=b aab")
	}
	f.Fuzz(func(t *testing.T, p, text string) {
		parsed, err := parsePattern(p)
		if err != nil {
			return
		}
		find := func(parsed *pattern) (m matcher, start, end int) {
			steps := 0
			m.begin(text, parsed, func(n int) bool { steps += n; return steps < 1e5 })
			start, end = m.find(0)
			return m, start, end
		}
		m, start, end := find(parsed)
		if start > end || end > len(text) {
			t.Errorf("%q in %q: %d to %d", p, text, start, end)
		}
		everywhere := *parsed
		everywhere.first, everywhere.items = nil, slices.Clone(parsed.items)
		for i := range everywhere.items {
			everywhere.items[i].next = nil
		}
		if m2, s, e := find(&everywhere); (s != start || e != end) && !m.stopped && !m2.stopped {
			t.Errorf("%q in %q: %d to %d, but %d to %d when each place is tried", p, text, start, end, s, e)
		}
		if start < 0 {
			return
		}
		for i := range parsed.captures {
			m.capture1(i)
		}
	})
}

// FuzzCompile: any text compiles or is refused, and what compiles can be
// loaded.
func FuzzCompile(f *testing.F) {
	for _, d := range decisions {
		f.Add(decisionScript(d.hook, d.result))
	}
	for _, x := range fences {
		f.Add(x.body)
	}
	f.Add("#!/bin/lua\ngoto x ::x:: return ... .. ...")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := compile("fuzz.lua", text); err != nil {
			if _, ok := err.(*ScriptError); !ok {
				t.Errorf("error %T", err)
			}
		}
	})
}
