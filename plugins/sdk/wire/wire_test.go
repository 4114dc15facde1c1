package wire

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/millrace/millrace/core/event"
	pluginv1 "github.com/millrace/millrace/plugins/proto/v1"
)

// ofTheHost is the field that plugins are not told: by it the host decides
// which of them record.
const ofTheHost = "record"

// Each field of an event is one of the message, under the same name.
func TestEventNames(t *testing.T) {
	t.Parallel()
	fields := (&pluginv1.Event{}).ProtoReflect().Descriptor().Fields()
	have := map[string]bool{}
	for i := range fields.Len() {
		have[string(fields.Get(i).Name())] = true
	}
	kind := reflect.TypeFor[event.Event]()
	for i := range kind.NumField() {
		name, _, _ := strings.Cut(kind.Field(i).Tag.Get("json"), ",")
		if name == ofTheHost {
			continue
		}
		if !have[name] {
			t.Errorf("the message lacks %s", name)
		}
		delete(have, name)
	}
	for name := range have {
		t.Errorf("the event lacks %s", name)
	}
}

// fill gives every field of an event a value of its own.
func fill(t *testing.T, e *event.Event) {
	t.Helper()
	v := reflect.ValueOf(e).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i).Addr().Interface().(type) {
		case *string:
			*f = v.Type().Field(i).Name
		case *int:
			*f = i + 1
		case *int64:
			*f = int64(i + 1)
		case *uint64:
			*f = uint64(i + 1)
		case *float64:
			*f = float64(i) + 0.5
		case *time.Time:
			*f = time.Unix(int64(i), 5).UTC()
		case *map[string]string:
			*f = map[string]string{"k": v.Type().Field(i).Name}
		case *map[string]bool: // ofTheHost
		default:
			t.Fatalf("%s is a %T", v.Type().Field(i).Name, f)
		}
	}
}

func TestEventTravels(t *testing.T) {
	t.Parallel()
	var full event.Event
	fill(t, &full)
	for _, e := range []event.Event{{}, full} {
		b, err := proto.Marshal(EventMessage(&e))
		if err != nil {
			t.Fatal(err)
		}
		m := &pluginv1.Event{}
		if err := proto.Unmarshal(b, m); err != nil {
			t.Fatal(err)
		}
		if got := Event(m); !reflect.DeepEqual(got, e) {
			t.Errorf("got %+v\nwant %+v", got, e)
		}
	}
}

func TestValuesTravel(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	s, err := Struct(map[string]any{
		"text": "a", "whole": int64(3), "part": 1.5, "yes": true, "day": day,
		"list": []any{int64(1), "b"}, "tables": []map[string]any{{"x": int64(1)}}, "table": map[string]any{"y": int64(-2)},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"text": "a", "whole": int64(3), "part": 1.5, "yes": true, "day": "2026-05-06T07:08:09Z",
		"list": []any{int64(1), "b"}, "tables": []any{map[string]any{"x": int64(1)}}, "table": map[string]any{"y": int64(-2)},
	}
	if got := Values(s); !reflect.DeepEqual(got, want) {
		a, _ := json.Marshal(got)
		t.Errorf("got %s", a)
	}
	if _, err := Struct(map[string]any{"channel": make(chan int)}); err == nil {
		t.Error("a channel became a message")
	}
	deep := map[string]any{}
	for range 100 {
		deep = map[string]any{"a": deep}
	}
	if _, err := Struct(deep); err == nil {
		t.Error("a deep table became a message")
	}
}
