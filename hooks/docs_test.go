package hooks

import (
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/core/event"
)

// TestFields: the table of an event has the JSON names of event.Event, all of
// them, with their values.
func TestFields(t *testing.T) {
	t.Parallel()
	var names []string
	typ := reflect.TypeFor[event.Event]()
	for i := range typ.NumField() {
		name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	listed := slices.Sorted(slices.Values(eventFields[:]))
	if got := slices.Sorted(slices.Values(names)); !slices.Equal(got, listed) {
		t.Errorf("events have %q\nhooks see %q", got, listed)
	}
	// Each field, set alone, is seen under its name.
	r := start(t, `function on_play(v) local n = {} for k, x in pairs(v) do if type(x) ~= "table" or next(x) then n[#n + 1] = k end end
		table.sort(n) return false, table.concat(n, " ") end`)
	for i, name := range names {
		if name == "event" {
			continue
		}
		e := event.Event{Event: event.Play}
		setField(t, reflect.ValueOf(&e).Elem().Field(i))
		want := slices.Sorted(slices.Values([]string{"event", name}))
		if v := ask(t, r, e); v.Reason != strings.Join(want, " ") {
			t.Errorf("with %s, a hook sees %s", name, verdictText(v))
		}
	}
}

func setField(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint64:
		v.SetUint(7)
	case reflect.Float64:
		v.SetFloat(7)
	case reflect.Map:
		m := reflect.MakeMap(v.Type())
		value := reflect.New(v.Type().Elem()).Elem()
		if value.Kind() == reflect.Bool {
			value.SetBool(true)
		} else {
			value.SetString("v")
		}
		m.SetMapIndex(reflect.ValueOf("k"), value)
		v.Set(m)
	default:
		v.Set(reflect.ValueOf(benchClock))
	}
}

// TestAnnotations: hooks/millrace.lua names every field, key and function that
// exists, and nothing else; README.md mentions each.
func TestAnnotations(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("millrace.lua")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := compile("millrace.lua", string(text)); err != nil {
		t.Error(err)
	}
	classes := map[string][]string{"Event": eventFields[:], "Limits": slices.Collect(maps.Keys(limitKeys))}
	for hook, keys := range resultKeys {
		short := strings.TrimPrefix(hook, "on_")
		classes[strings.ToUpper(short[:1])+short[1:]+"Result"] = slices.Collect(maps.Keys(keys))
	}
	for class, want := range classes {
		sameNames(t, class, annotatedFields(string(text), class), want)
	}
	sameNames(t, "functions", annotatedFunctions(string(text)), existingFunctions())
}

func TestReadme(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```lua\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	for _, m := range examples {
		// Each example is loaded as a script.
		start(t, m[1])
	}
	if len(examples) < 10 {
		t.Errorf("%d examples", len(examples))
	}
	var names []string
	for _, f := range existingFunctions() {
		names = append(names, strings.TrimPrefix(f, "millrace."))
	}
	names = append(names, eventFields[:]...)
	for _, keys := range resultKeys {
		names = slices.AppendSeq(names, maps.Keys(keys))
	}
	names = slices.AppendSeq(names, maps.Keys(limitKeys))
	for _, name := range names {
		if !regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\b`).Match(text) {
			t.Errorf("README.md does not mention %s", name)
		}
	}
}

func sameNames(t *testing.T, what string, got, want []string) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s: annotated are %q\nthere are %q", what, got, want)
	}
}

func annotatedFields(text, class string) []string {
	_, after, _ := strings.Cut(text, "---@class millrace."+class+"\n")
	var names []string
	for line := range strings.Lines(after) {
		rest, ok := strings.CutPrefix(line, "---@field ")
		if !ok {
			break
		}
		name, _, _ := strings.Cut(rest, " ")
		names = append(names, strings.TrimSuffix(name, "?"))
	}
	return names
}

func annotatedFunctions(text string) []string {
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^function ([a-z0-9_.]+)\(`).FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	return names
}

func existingFunctions() []string {
	var st state
	names := append([]string{selfCheck}, hooksInOrder[:]...)
	for name := range st.apiTop() {
		names = append(names, "millrace."+name)
	}
	for lib, members := range st.apiTables() {
		for name := range members {
			names = append(names, "millrace."+lib+"."+name)
		}
	}
	return names
}
