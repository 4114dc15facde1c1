package conf

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// readFile takes every key of a TOML text.
func (l *loader) readFile(file string, data []byte) {
	if len(data) > maxFile {
		l.add(problem(file, 0, "", "more than "+Size(maxFile).String(), "a TOML file of at most that size"))
		return
	}
	text := strings.TrimPrefix(string(data), "\ufeff") // so that offsets are the decoder's
	d, err := decode(text)
	if err != nil {
		l.add(syntaxProblem(file, text, err))
		return
	}
	for section, p := range d.sections {
		l.readSection(file, &d, section, p)
	}
}

func (l *loader) readSection(file string, d *document, section string, p toml.Primitive) {
	n := d.node(p)
	_, isTable := n.value.(map[string]any)
	if b, ok := l.bindings[section]; ok { // a list of tables, without a section
		from := origin{file: file, key: section, line: d.line(n, section), elements: d.elementLines(n, section)}
		l.set(b, from, b.field.setTOML(n.value))
		return
	}
	switch {
	case section == pluginsSection && isTable:
		l.readPlugins(file, d, p)
	case !slices.Contains(l.sections(), section):
		l.unknownSection(file, d.line(n, section), section)
	case !isTable:
		l.add(problem(file, d.line(n, section), section, show(n.value), "a table ["+section+"]"))
	default:
		for key, value := range d.children(p) {
			l.readKey(file, d, section, key, d.node(value))
		}
	}
}

func (l *loader) readKey(file string, d *document, section, key string, n node) {
	name := section + "." + quoteKey(key)
	from := origin{file: file, key: name, line: d.line(n, section, key), elements: d.elementLines(n, name)}
	b, ok := l.bindings[name]
	if !ok {
		l.unknown(from, l.names, "a key of ["+section+"]")
		return
	}
	l.set(b, from, b.field.setTOML(n.value))
}

// sections returns the names of the tables in the order of the table of keys.
func (l *loader) sections() []string {
	var sections []string
	for _, name := range l.names {
		section, _, _ := strings.Cut(name, ".")
		if len(sections) == 0 || sections[len(sections)-1] != section {
			sections = append(sections, section)
		}
	}
	return append(sections, pluginsSection)
}

func (l *loader) unknownSection(file string, line int, name string) {
	from := origin{file: file, line: line, key: quoteKey(name)}
	l.unknown(from, l.sections(), "one of the tables "+strings.Join(l.sections(), ", "))
}

// unknown reports a name that is none of known.
func (l *loader) unknown(from origin, known []string, expected string) {
	if near := nearest(from.key, known); near != "" {
		expected += didYouMean(near)
	}
	l.add(problem(from.file, from.line, from.key, unknownName, expected))
}

// syntaxProblem is the problem of a text that is no TOML. The decoder stops at
// the first.
func syntaxProblem(file, text string, err error) Problem {
	var parse toml.ParseError
	if !errors.As(err, &parse) {
		return problem(file, 1, "", "a text that the decoder stops at", "valid TOML: "+err.Error())
	}
	number := lineAt(text, parse.Position.Start)
	line := strings.Split(text, "\n")[number-1]
	if mentionsSecret(parse.LastKey + " " + line) {
		return problem(file, number, parse.LastKey, hidden, "valid TOML")
	}
	return problem(file, number, parse.LastKey, strconv.Quote(strings.TrimSpace(line)), "valid TOML: "+parse.Message)
}

// mentionsSecret errs on the safe side: the line did not parse, so that nobody
// knows where the value of a secret begins and ends.
func mentionsSecret(s string) bool {
	return strings.Contains(s, lastPart(adminToken))
}
