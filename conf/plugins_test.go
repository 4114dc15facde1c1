package conf

import (
	"reflect"
	"strings"
	"testing"
)

// TestPlugins has tables of plugins merged with the defaults, and the
// environment over them.
func TestPlugins(t *testing.T) {
	t.Parallel()
	c, err := Parse("f.toml", []byte(`
[plugins.flv]
split_time = "1h"
limits = {nice = 5}
[plugins.own]
command = "mine"
args = ["-x"]
`), []string{"MILLRACE_PLUGINS_HLS_ENABLED=false", "MILLRACE_PLUGINS_OWN_SPLIT=7"})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]map[string]any{}
	for _, p := range c.Plugins {
		got[p.Name] = p.Values
	}
	want := map[string]map[string]any{
		"flv": {"enabled": true, "command": "millrace-flv-recorder", "split_time": "1h", "limits": map[string]any{"nice": int64(5)}},
		"hls": {"enabled": false, "command": "millrace-hls"},
		"mp4": {"enabled": true, "command": "millrace-fmp4"},
		"own": {"command": "mine", "args": []any{"-x"}, "split": int64(7)},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
	p := c.Plugins[0].Problem("limits.nice", "less")
	if got, want := p.String(), "f.toml:4: plugins.flv.limits.nice: found 5: less"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := c.Plugins[2].Problem("command", "is gone").String(), `defaults: plugins.mp4.command: found "millrace-fmp4": is gone`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if p := (Plugin{Name: "x", Values: map[string]any{"api_token": "abc"}}).Problem("api_token", "is short"); p.Value != hidden {
		t.Errorf("a secret is shown: %+v", p)
	}
	if p := c.Plugins[0].Problem("absent", "something"); p.Line != 2 {
		t.Errorf("a key that is not there: %+v", p)
	}
	changes := Diff(Default(), c)
	if len(changes) != 6 || changes[0].Key != "plugins.flv.limits.nice" || !changes[0].Live {
		t.Errorf("%+v", changes)
	}
}

func TestPluginProblems(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"[plugins]\nflv = 1":           "f:2: plugins.flv: found 1, expected a table [plugins.flv]",
		"[plugins.\"Up_1\"]\na = 1":    "f:1: plugins.Up_1",
		"plugins = 3":                  "f:1: plugins: found 3, expected a table [plugins]",
		"[plugin.flv]\nenabled = true": "f:1: plugin: found an unknown",
	} {
		_, err := Parse("f", []byte(text), nil)
		if err == nil || !strings.HasPrefix(err.Error(), strings.Split(want, "found an unknown")[0]) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
