package hooks

import "strings"

// section is a part of a text archive: "-- NAME --" on a line of its own, and
// what follows up to the next.
type section struct {
	name string
	body string
	line int // of its first line of body, from 1
}

// splitArchive takes an archive apart; what comes before the first section is
// its comment.
func splitArchive(text string) (comment string, sections []section) {
	var current *section
	start := 0
	finish := func(end int) {
		if current == nil {
			comment = text[start:end]
			return
		}
		current.body = text[start:end]
		sections = append(sections, *current)
	}
	line := 1
	for pos := 0; pos < len(text); line++ {
		next := len(text)
		if i := strings.IndexByte(text[pos:], '\n'); i >= 0 {
			next = pos + i + 1
		}
		if name, ok := sectionName(text[pos:next]); ok {
			finish(pos)
			current = &section{name: name, line: line + 1}
			start = next
		}
		pos = next
	}
	finish(len(text))
	return comment, sections
}

// sectionName reads "-- NAME --".
func sectionName(line string) (string, bool) {
	line = strings.TrimRight(line, "\r\n \t")
	name, ok := strings.CutPrefix(line, "-- ")
	if !ok {
		return "", false
	}
	name, ok = strings.CutSuffix(name, " --")
	name = strings.TrimSpace(name)
	return name, ok && name != ""
}
