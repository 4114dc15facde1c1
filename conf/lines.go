package conf

import "strings"

// elementLines returns the line of each element of the list whose "[" is right
// before start. The text is valid TOML: the decoder has accepted it.
func elementLines(text string, start int) []int {
	if start < 1 || start > len(text) || text[start-1] != '[' {
		return nil
	}
	var lines []int
	line, counted := lineAt(text, start), start // lines up to the offset counted
	depth, between := 0, true                   // between: before an element of the list itself
	for i := start; i < len(text); {
		c := text[i]
		if c == '#' {
			i = endOfLine(text, i)
			continue
		}
		if depth == 0 && c == ']' {
			return lines
		}
		if depth == 0 && between && !strings.ContainsRune(" \t\r\n,", rune(c)) {
			line, counted = line+strings.Count(text[counted:i], "\n"), i
			lines, between = append(lines, line), false
		}
		switch c {
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case ',':
			between = between || depth == 0
		case '"', '\'':
			i = endOfString(text, i)
			continue
		}
		i++
	}
	return nil
}

func endOfLine(text string, i int) int {
	if n := strings.IndexByte(text[i:], '\n'); n >= 0 {
		return i + n
	}
	return len(text)
}

// endOfString returns the offset behind the string that starts at i.
func endOfString(text string, i int) int {
	quote := text[i : i+1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(text[i:], triple) {
		end := closing(text, i+3, triple)
		// Up to two quotes may stand before the three that close the string.
		for range 2 {
			if strings.HasPrefix(text[end:], quote) {
				end++
			}
		}
		return end
	}
	return closing(text, i+1, quote)
}

// closing returns the offset behind the first quote at or after i that is not
// escaped; only strings in double quotes know escapes.
func closing(text string, i int, quote string) int {
	for i < len(text) {
		switch {
		case strings.HasPrefix(text[i:], quote):
			return i + len(quote)
		case text[i] == '\\' && quote[0] == '"':
			i += 2
		default:
			i++
		}
	}
	return len(text)
}

// headerLines returns the lines of the [[key]] headers. It reads line by line,
// so that such a line within a multi-line string would count too; the caller
// only loses the exact line by that.
func headerLines(text, key string) []int {
	var lines []int
	bare := strings.NewReplacer(" ", "", "\t", "", `"`, "", "'", "")
	number := 0
	for line := range strings.SplitSeq(text, "\n") {
		number++
		header, _, _ := strings.Cut(strings.TrimLeft(line, " \t"), "]]")
		if name, ok := strings.CutPrefix(header, "[["); ok && bare.Replace(name) == key {
			lines = append(lines, number)
		}
	}
	return lines
}
