package conf

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A mismatch is a value that a field did not take.
type mismatch struct {
	sub      string // ".addr": below the key; else ""
	element  int    // index in a list; -1: the value as a whole
	found    string
	expected string
}

// mismatches is everything that is wrong with one value; nil: nothing.
type mismatches []mismatch

// wrong is the one mismatch of a whole value.
func wrong(found any, expected string) mismatches {
	return mismatches{{element: -1, found: show(found), expected: expected}}
}

// unknownName stands for the value of a name that is no key. The value itself
// may be a secret whose name was mistyped.
const unknownName = "an unknown name"

// unknownIn is the mismatch of a table's key that is none of known.
func unknownIn(name string, known ...string) mismatches {
	expected := strings.Join(known, " or ")
	if near := nearest(name, known); near != "" {
		expected += didYouMean(near)
	}
	return mismatches{{sub: "." + quoteKey(name), element: -1, found: unknownName, expected: expected}}
}

// in says that the value stood below its key.
func (ms mismatches) in(sub string) mismatches {
	for i := range ms {
		ms[i].sub = "." + sub
	}
	return ms
}

// at says that the value was an element of a list.
func (ms mismatches) at(element int) mismatches {
	for i := range ms {
		ms[i].element = element
	}
	return ms
}

// show writes a decoded value as TOML would, lists and tables by their kind
// only. Long strings are cut: the line number leads to the rest.
func show(v any) string {
	switch v := v.(type) {
	case nil:
		return "nothing"
	case string:
		return showString(v)
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1e15 {
			return strconv.FormatFloat(v, 'f', 1, 64) // 5.0, which is no integer
		}
	case time.Time:
		return "the time " + v.Format(time.RFC3339Nano)
	case []any:
		return fmt.Sprintf("a list of %d", len(v))
	case []map[string]any:
		return fmt.Sprintf("a list of %d tables", len(v))
	case map[string]any:
		return "a table"
	}
	return fmt.Sprint(v)
}

func showString(s string) string {
	const most = 120 // runes
	if runes := []rune(s); len(runes) > most {
		return strconv.Quote(string(runes[:most]) + "…")
	}
	return strconv.Quote(s)
}

func sortedKeys(table map[string]any) []string {
	return slices.Sorted(maps.Keys(table))
}
