package conf

import (
	"regexp"
	"strconv"
)

// Pattern is a regular expression (Go's RE2 syntax) that a whole path segment
// of a stream's name must match.
type Pattern string

// neverNames are segments that no pattern may let through: they would leave
// their folder in a file path, end it early, or break a log line or a header.
// "~" stands for the slash of a nested app in file paths, so that "a~b" and
// "a/b" would be one folder.
var neverNames = [...]string{"", ".", "..", ".hidden", "a/b", `a\b`, "a~b", "a\x00b", "a\nb", "a\r", "a\n", "/", `\`}

// Regexp compiles p so that it matches whole segments only, whether or not it
// is written with ^ and $. It panics on a Pattern that Parse would refuse.
func (p Pattern) Regexp() *regexp.Regexp {
	return regexp.MustCompile(`\A(?:` + string(p) + `)\z`)
}

// checkPattern says what is expected instead of p, "" when p is fine.
func checkPattern(p Pattern) string {
	if _, err := regexp.Compile(string(p)); err != nil {
		return "a regular expression: " + err.Error()
	}
	if _, err := regexp.Compile(`\A(?:` + string(p) + `)\z`); err != nil {
		return "a regular expression that is closed in itself: " + err.Error()
	}
	whole := p.Regexp()
	for _, name := range neverNames {
		if whole.MatchString(name) {
			return "a regular expression that refuses the name " + strconv.Quote(name)
		}
	}
	return ""
}
