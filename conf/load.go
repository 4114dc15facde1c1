package conf

import (
	"fmt"
	"io"
	"os"
)

// maxFile bounds a configuration file, so that a wrong path does not make the
// decoder, whose lists nest by recursion, chew on something else.
const maxFile = 1 << 20

// Load reads the file at path, then the environment over it; an empty path
// means the defaults and the environment. environ is in the form of
// os.Environ. The error is Problems when something is wrong with the content,
// otherwise that of the operating system; the Config is then of no use.
func Load(path string, environ []string) (Config, error) {
	if path == "" {
		return Parse("", nil, environ)
	}
	data, err := readBounded(path)
	if err != nil {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	return Parse(path, data, environ)
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}

// Parse is Load without the file system: data is the content of file, whose
// name only stands in problems. The error is nil or Problems.
func Parse(file string, data []byte, environ []string) (Config, error) {
	l := newLoader()
	l.readFile(file, data)
	l.readEnvironment(environ)
	l.crossCheck()
	if len(l.problems) > 0 {
		l.problems.Sort()
		return Config{}, l.problems
	}
	return *l.config, nil
}

// origin is where a key got its value.
type origin struct {
	file     string
	key      string // as the reader wrote it: the key, or the variable's name
	line     int
	elements []int // lines of a list's elements, where known
}

// at returns the line of an element; of the key for -1.
func (o origin) at(element int) int {
	if element < 0 || element >= len(o.elements) {
		return o.line
	}
	return o.elements[element]
}

// loader gathers one configuration from its sources.
type loader struct {
	config   *Config
	bindings map[string]binding // by key
	names    []string           // the keys in the order of the table
	origins  map[string]origin  // of the keys that a source has set
	bad      map[string]bool    // keys whose value is not to be used
	problems Problems
}

func newLoader() *loader {
	c := Default()
	l := &loader{
		config:   &c,
		bindings: make(map[string]binding),
		origins:  make(map[string]origin),
		bad:      make(map[string]bool),
	}
	for _, b := range bind(l.config) {
		l.bindings[b.name] = b
		l.names = append(l.names, b.name)
	}
	return l
}

// isSet reports whether a source has set the key; otherwise its default holds.
func (l *loader) isSet(name string) bool {
	_, ok := l.origins[name]
	return ok
}

// set notes where a key got its value from, and what was wrong with that.
func (l *loader) set(b binding, from origin, ms mismatches) {
	l.origins[b.name] = from
	l.bad[b.name] = len(ms) > 0
	for _, m := range ms {
		if b.secret() {
			m.found = hidden
		}
		l.add(problem(from.file, from.at(m.element), from.key+m.sub, m.found, m.expected))
	}
}

func (l *loader) add(p Problem) { l.problems = append(l.problems, p) }
