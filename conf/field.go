package conf

import (
	"encoding"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const boolWant = "true or false"

// A field is the place of one key's value in a Config. It is the only way in
// which files, the environment, the manual and Diff touch that value.
type field interface {
	// setTOML stores a decoded TOML value. After a mismatch the field's value
	// is not to be used.
	setTOML(v any) mismatches
	// setText stores the text of an environment variable.
	setText(s string) mismatches
	// accepts says which values are right, range included.
	accepts() string
	// text returns the value for a reader: 5s, 64, [":1935"].
	text() string
}

// intField is an integer within a range.
type intField struct {
	dst    *int
	lo, hi int
}

func integer(dst *int, lo, hi int) field { return intField{dst, lo, hi} }

func (f intField) setTOML(v any) mismatches {
	n, ok := v.(int64)
	if !ok || n < int64(f.lo) || n > int64(f.hi) {
		return wrong(v, f.accepts())
	}
	*f.dst = int(n)
	return nil
}

func (f intField) setText(s string) mismatches {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return wrong(s, f.accepts())
	}
	return f.setTOML(n)
}

func (f intField) accepts() string { return fmt.Sprintf("an integer from %d to %d", f.lo, f.hi) }
func (f intField) text() string    { return strconv.Itoa(*f.dst) }

// boolField is true or false, and in the environment nothing but these words.
type boolField struct{ dst *bool }

func boolean(dst *bool) field { return boolField{dst} }

func (f boolField) setTOML(v any) mismatches {
	b, ok := v.(bool)
	if !ok {
		return wrong(v, boolWant)
	}
	*f.dst = b
	return nil
}

func (f boolField) setText(s string) mismatches {
	if s != "true" && s != "false" {
		return wrong(s, boolWant)
	}
	*f.dst = s == "true"
	return nil
}

func (f boolField) accepts() string { return boolWant }
func (f boolField) text() string    { return strconv.FormatBool(*f.dst) }

// stringField is a string. Its check returns what is expected instead, "" when
// the string is fine.
type stringField[T ~string] struct {
	dst   *T
	want  string
	check func(T) string
}

func (f stringField[T]) setTOML(v any) mismatches {
	s, ok := v.(string)
	if !ok {
		return wrong(v, f.want)
	}
	return f.setText(s)
}

func (f stringField[T]) setText(s string) mismatches {
	if expected := f.check(T(s)); expected != "" {
		return wrong(s, expected)
	}
	*f.dst = T(s)
	return nil
}

func (f stringField[T]) accepts() string { return f.want }
func (f stringField[T]) text() string    { return string(*f.dst) }

// str is a stringField whose every refusal expects the same.
func str[T ~string](dst *T, want string, ok func(string) bool) field {
	check := func(s T) string {
		if ok(string(s)) {
			return ""
		}
		return want
	}
	return stringField[T]{dst, want, check}
}

// oneOf is a stringField of a few words.
func oneOf[T ~string](dst *T, words ...string) field {
	last := len(words) - 1
	want := strings.Join(words[:last], ", ") + " or " + words[last]
	return str(dst, want, func(s string) bool { return slices.Contains(words, s) })
}

func pattern(dst *Pattern) field {
	return stringField[Pattern]{dst, "a regular expression in Go's syntax (RE2)", checkPattern}
}

// unitField is a value that TOML writes as a string with a unit.
type unitField struct {
	dst interface {
		encoding.TextUnmarshaler
		fmt.Stringer
	}
	example string // such as `a duration such as "5s"`: for text that does not parse
	limits  string // such as "a duration from 1s to 1h": for a value out of range
	inside  func() bool
}

func (f unitField) setTOML(v any) mismatches {
	s, ok := v.(string)
	if !ok {
		return wrong(v, f.example)
	}
	return f.setText(s)
}

func (f unitField) setText(s string) mismatches {
	if f.dst.UnmarshalText([]byte(s)) != nil {
		return wrong(s, f.example)
	}
	if !f.inside() {
		return wrong(s, f.limits)
	}
	return nil
}

func (f unitField) accepts() string { return f.limits }
func (f unitField) text() string    { return f.dst.String() }

func duration(dst *Duration, lo, hi Duration) field {
	return unitField{
		dst:     dst,
		example: `a duration such as "5s"`,
		limits:  fmt.Sprintf("a duration from %s to %s", lo, hi),
		inside:  func() bool { return lo <= *dst && *dst <= hi },
	}
}

func size(dst *Size, lo, hi Size) field {
	return unitField{
		dst:     dst,
		example: `a size such as "64KiB" or "16MB"`,
		limits:  fmt.Sprintf("a size from %s to %s", lo, hi),
		inside:  func() bool { return lo <= *dst && *dst <= hi },
	}
}

func mergeWindow(dst *MergeWindow, hi Duration) field {
	return unitField{
		dst:     dst,
		example: `"auto" or a duration such as "120ms"`,
		limits:  fmt.Sprintf("auto, or a duration from 0s to %s", hi),
		inside:  func() bool { return 0 <= dst.Fixed && dst.Fixed <= hi },
	}
}

func memory(dst *Memory, lo, hi Size) field {
	return unitField{
		dst:     dst,
		example: `a percentage such as "25%" or a size such as "2GiB"`,
		limits:  fmt.Sprintf("a percentage from 1%% to 100%%, or a size from %s to %s", lo, hi),
		inside: func() bool {
			if dst.Percent != 0 {
				return dst.Percent <= 100
			}
			return lo <= dst.Size && dst.Size <= hi
		},
	}
}

// listField is a list; in the environment its elements stand between commas.
type listField[T any] struct {
	dst  *[]T
	want string
	read func(v any) (T, mismatches) // one element
	show func(T) string              // one element as TOML
}

func (f listField[T]) setTOML(v any) mismatches {
	switch v := v.(type) {
	case []any:
		return f.set(v)
	case []map[string]any: // [[section.key]] tables
		elements := make([]any, len(v))
		for i, table := range v {
			elements[i] = table
		}
		return f.set(elements)
	}
	return wrong(v, f.want)
}

func (f listField[T]) setText(s string) mismatches {
	var elements []any
	if strings.TrimSpace(s) != "" {
		for part := range strings.SplitSeq(s, ",") {
			elements = append(elements, strings.TrimSpace(part))
		}
	}
	return f.set(elements)
}

func (f listField[T]) set(elements []any) mismatches {
	list := make([]T, 0, len(elements))
	var all mismatches
	for i, element := range elements {
		value, ms := f.read(element)
		all = append(all, ms.at(i)...)
		list = append(list, value)
	}
	*f.dst = list
	return all
}

func (f listField[T]) accepts() string { return f.want }

func (f listField[T]) text() string {
	parts := make([]string, len(*f.dst))
	for i, element := range *f.dst {
		parts[i] = f.show(element)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}
