package hooks

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"github.com/millrace/millrace/core/event"
)

const (
	maxValue   = 4096                 // bytes of a text in a verdict
	maxEntries = 100                  // of a map in a verdict
	maxSeconds = 10 * 365 * 24 * 3600 // of a duration in a verdict
)

// resultKeys are the keys of a table that a hook may return, with what each
// does to the verdict.
var resultKeys = map[string]map[string]func(*Verdict, lua.LValue) error{
	event.Connect: {"allow": setAllow, "reason": setReason, "limits": setLimits},
	event.Publish: {
		"allow": setAllow, "reason": setReason, "app": setApp, "name": setName, "record": setRecord,
		"max_bitrate": setMaxBitrate, "max_duration": setMaxDuration, "labels": setLabels,
	},
	event.Play: {
		"allow": setAllow, "reason": setReason, "redirect": setRedirect, "limit": setLimit,
		"rate": setRate, "stream": setStream,
	},
	event.Record: {"allow": setAllow, "reason": setReason, "path": setPath, "skip": setSkip},
	event.Request: {
		"allow": setAllow, "reason": setReason, "redirect": setRedirect, "rate": setRate, "headers": setHeaders,
	},
}

// keyError is a mistake in one key of a result.
type keyError struct {
	key string
	err error
}

func (e *keyError) Error() string { return fmt.Sprintf("key %q: %v", e.key, e.err) }
func (e *keyError) Unwrap() error { return e.err }

// applyResult adds what a hook returned to the verdict of the chain so far.
func applyResult(hook string, v *Verdict, a, b lua.LValue) error {
	switch a := a.(type) {
	case lua.LBool:
		v.Allow = bool(a)
		if b == lua.LNil || b == nil {
			return nil
		}
		return setReason(v, b)
	case *lua.LTable:
		return applyTable(hook, v, a)
	case lua.LString:
		if hook == event.Record {
			return setPath(v, a)
		}
	case *lua.LNilType:
		if hook == event.Record {
			return nil
		}
		return errors.New("it returned nothing: return true, false and a reason, or a table")
	}
	return fmt.Errorf("it returned a %s: return true, false and a reason, or a table", a.Type())
}

func applyTable(hook string, v *Verdict, t *lua.LTable) error {
	keys := resultKeys[hook]
	v.Allow = true
	list, err := entries(t, maxEntries)
	if err != nil {
		return err
	}
	for _, e := range list {
		set := keys[e.name]
		if set == nil || e.key.Type() != lua.LTString {
			return &keyError{e.name, fmt.Errorf("there is no such key in a result of %s%s", hook, suggest(e.name, keys))}
		}
		if err := set(v, e.value); err != nil {
			return &keyError{e.name, err}
		}
	}
	return nil
}

// entry is one of a table; name is the key as text.
type entry struct {
	name       string
	key, value lua.LValue
}

// entries lists what is in a table by name, so that the first error is the same
// each time. Tables with more than most are refused: nothing stops us while we
// read a result.
func entries(t *lua.LTable, most int) ([]entry, error) {
	var list []entry
	for k, v := t.Next(lua.LNil); k != lua.LNil; k, v = t.Next(k) {
		if len(list) == most {
			return nil, fmt.Errorf("a table has more than %d entries", most)
		}
		list = append(list, entry{clip(k.String(), maxValue), k, v})
	}
	slices.SortFunc(list, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	return list, nil
}

// suggest names the key that was probably meant.
func suggest[T any](name string, keys map[string]T) string {
	best, least := "", 3
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		if d := distance(name, k); d < least {
			best, least = k, d
		}
	}
	if best == "" {
		return " (it has " + strings.Join(slices.Sorted(maps.Keys(keys)), ", ") + ")"
	}
	return fmt.Sprintf(" (%q was meant?)", best)
}

// distance is the number of single changes between two short words; words that
// are long or of very different length are far apart.
func distance(a, b string) int {
	if len(a) > 40 || len(a)-len(b) > 3 || len(b)-len(a) > 3 {
		return 99
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

func wrongType(want string, v lua.LValue) error {
	return fmt.Errorf("it must be %s, not a %s", want, v.Type())
}

func boolOf(v lua.LValue) (bool, error) {
	b, ok := v.(lua.LBool)
	if !ok {
		return false, wrongType("true or false", v)
	}
	return bool(b), nil
}

// textOf takes a text of one line.
func textOf(v lua.LValue) (string, error) {
	s, ok := v.(lua.LString)
	if !ok {
		return "", wrongType("a string", v)
	}
	if len(s) > maxValue {
		return "", fmt.Errorf("it is longer than %d bytes", maxValue)
	}
	if strings.ContainsFunc(string(s), func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", errors.New("it contains control characters")
	}
	return string(s), nil
}

// filledOf is a text that is not empty.
func filledOf(v lua.LValue) (string, error) {
	s, err := textOf(v)
	if err == nil && s == "" {
		err = errors.New("it is empty")
	}
	return s, err
}

func countOf(v lua.LValue) (int64, error) {
	n, ok := v.(lua.LNumber)
	if !ok {
		return 0, wrongType("a number", v)
	}
	if !(n >= 0 && n <= 1<<53) {
		return 0, errors.New("it must be a number from 0 to 2^53")
	}
	return int64(n), nil
}

func secondsOf(v lua.LValue) (time.Duration, error) {
	n, ok := v.(lua.LNumber)
	if !ok {
		return 0, wrongType("a number of seconds", v)
	}
	if !(n >= 0 && n <= maxSeconds) {
		return 0, errors.New("it must be a number of seconds, at most ten years")
	}
	return time.Duration(math.Round(float64(n) * float64(time.Second))), nil
}

// rateOf takes bytes a second, or a text such as "512k" (1,024) or "2m".
func rateOf(v lua.LValue) (int64, error) {
	s, ok := v.(lua.LString)
	if !ok {
		return countOf(v)
	}
	text, factor := string(s), int64(1)
	switch {
	case strings.HasSuffix(text, "k"):
		factor = 1 << 10
	case strings.HasSuffix(text, "m"):
		factor = 1 << 20
	}
	if factor > 1 {
		text = text[:len(text)-1]
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 0 {
		return 0, errors.New(`it must be bytes a second, as a number or like "512k"`)
	}
	return n * factor, nil
}

// mapOf reads a table of texts.
func mapOf[T any](v lua.LValue, one func(lua.LValue) (T, error)) (map[string]T, error) {
	t, ok := v.(*lua.LTable)
	if !ok {
		return nil, wrongType("a table", v)
	}
	list, err := entries(t, maxEntries)
	if err != nil {
		return nil, err
	}
	out := map[string]T{}
	for _, e := range list {
		name, err := filledOf(e.key)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.name, err)
		}
		if out[name], err = one(e.value); err != nil {
			return nil, fmt.Errorf("%s: %w", e.name, err)
		}
	}
	return out, nil
}

// merge adds entries to a map of the verdict without changing the map itself.
func merge[T any](old, add map[string]T) map[string]T {
	out := make(map[string]T, len(old)+len(add))
	maps.Copy(out, old)
	maps.Copy(out, add)
	return out
}

func set[T any](to *T, v lua.LValue, read func(lua.LValue) (T, error)) error {
	x, err := read(v)
	if err == nil {
		*to = x
	}
	return err
}

func setAllow(v *Verdict, x lua.LValue) error       { return set(&v.Allow, x, boolOf) }
func setReason(v *Verdict, x lua.LValue) error      { return set(&v.Reason, x, textOf) }
func setApp(v *Verdict, x lua.LValue) error         { return set(&v.App, x, filledOf) }
func setName(v *Verdict, x lua.LValue) error        { return set(&v.Name, x, filledOf) }
func setMaxBitrate(v *Verdict, x lua.LValue) error  { return set(&v.MaxBitrate, x, countOf) }
func setMaxDuration(v *Verdict, x lua.LValue) error { return set(&v.MaxDuration, x, secondsOf) }
func setLimit(v *Verdict, x lua.LValue) error       { return set(&v.Limit, x, secondsOf) }
func setRate(v *Verdict, x lua.LValue) error        { return set(&v.Rate, x, rateOf) }
func setRedirect(v *Verdict, x lua.LValue) error    { return set(&v.Redirect, x, filledOf) }
func setPath(v *Verdict, x lua.LValue) error        { return set(&v.Path, x, filledOf) }
func setSkip(v *Verdict, x lua.LValue) error        { return set(&v.Skip, x, boolOf) }

func setStream(v *Verdict, x lua.LValue) error {
	s, err := filledOf(x)
	if err != nil {
		return err
	}
	if i := strings.LastIndexByte(s, '/'); i <= 0 || i == len(s)-1 {
		return errors.New(`it must be "APP/NAME"`)
	}
	v.Stream = s
	return nil
}

func setRecord(v *Verdict, x lua.LValue) error {
	add, err := mapOf(x, boolOf)
	if err == nil {
		v.Record = merge(v.Record, add)
	}
	return err
}

func setLabels(v *Verdict, x lua.LValue) error {
	add, err := mapOf(x, textOf)
	if err == nil {
		v.Labels = merge(v.Labels, add)
	}
	return err
}

func setHeaders(v *Verdict, x lua.LValue) error {
	add, err := mapOf(x, textOf)
	if err != nil {
		return err
	}
	for name := range add {
		if strings.ContainsFunc(name, func(r rune) bool { return !isToken(r) }) {
			return fmt.Errorf("%q is no name of a header", name)
		}
	}
	v.Headers = merge(v.Headers, add)
	return nil
}

// isToken tells the characters of a header's name (RFC 9110, section 5.6.2).
func isToken(r rune) bool {
	return r < 0x80 && (isAlpha(byte(r)) || isDigit(byte(r)) || strings.ContainsRune("!#$%&'*+-.^_`|~", r))
}

// limitKeys are the keys of limits in a result of on_connect.
var limitKeys = map[string]func(*Limits, lua.LValue) error{
	"max_bitrate":  func(l *Limits, x lua.LValue) error { return set(&l.MaxBitrate, x, countOf) },
	"max_duration": func(l *Limits, x lua.LValue) error { return set(&l.MaxDuration, x, secondsOf) },
	"rate":         func(l *Limits, x lua.LValue) error { return set(&l.Rate, x, rateOf) },
	"idle_timeout": func(l *Limits, x lua.LValue) error { return set(&l.IdleTimeout, x, secondsOf) },
}

func setLimits(v *Verdict, x lua.LValue) error {
	t, ok := x.(*lua.LTable)
	if !ok {
		return wrongType("a table", x)
	}
	list, err := entries(t, maxEntries)
	if err != nil {
		return err
	}
	for _, e := range list {
		f := limitKeys[e.name]
		if f == nil {
			return &keyError{e.name, fmt.Errorf("there is no such limit%s", suggest(e.name, limitKeys))}
		}
		if err := f(&v.Limits, e.value); err != nil {
			return &keyError{e.name, err}
		}
	}
	return nil
}
