package netloop

import (
	"fmt"
	"strings"

	"github.com/millrace/millrace/core/stream"
)

// maxSegments bounds the depth of an app, maxSegment the length of each part
// of a name, in bytes.
const (
	maxSegments = 8
	maxSegment  = 128
)

// reservedNames cannot be stream names: they are folders of recordings.
var reservedNames = []string{"output_merge", "output_separate"}

// checkName says what is wrong with k as the name of a stream.
func (e *Engine) checkName(k stream.Key) error {
	segments := strings.Split(k.App, "/")
	if e.reserved(segments[0]) {
		return fmt.Errorf("app %q is reserved", segments[0])
	}
	if len(segments) > maxSegments {
		return fmt.Errorf("app has more than %d segments", maxSegments)
	}
	for _, s := range append(segments, k.Name) {
		if err := e.checkSegment(s); err != nil {
			return err
		}
	}
	for _, r := range reservedNames {
		if k.Name == r {
			return fmt.Errorf("name %q is reserved", k.Name)
		}
	}
	if looksLikeSession(k.Name) {
		return fmt.Errorf("name %q has the form of a recording's session", k.Name)
	}
	return nil
}

// reserved reports whether no app may begin with a path segment.
func (e *Engine) reserved(first string) bool {
	return e.options.Reserved != nil && e.options.Reserved(first)
}

func (e *Engine) checkSegment(s string) error {
	switch pattern := e.Settings().NamePattern; {
	case s == "":
		return fmt.Errorf("app or name is empty")
	case len(s) > maxSegment:
		return fmt.Errorf("app or name has more than %d bytes in a segment", maxSegment)
	case pattern != nil && !pattern.MatchString(s):
		return fmt.Errorf("%q does not match stream.name_pattern %s", s, pattern)
	}
	return nil
}

// looksLikeSession reports whether s is YYYYMMDD_HHMMSS, with _N behind it or
// not.
func looksLikeSession(s string) bool {
	const form = "00000000_000000"
	if len(s) < len(form) {
		return false
	}
	for i := range form {
		if digit := s[i] >= '0' && s[i] <= '9'; digit != (form[i] == '0') || !digit && s[i] != '_' {
			return false
		}
	}
	rest := s[len(form):]
	return rest == "" || strings.HasPrefix(rest, "_") && strings.Trim(rest[1:], "0123456789") == ""
}
