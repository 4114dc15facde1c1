package host

import (
	"reflect"
	"testing"
	"time"
)

func TestParseConfig(t *testing.T) {
	t.Parallel()
	full := map[string]any{
		"enabled": true, "command": "x", "args": []any{"-a", "b"}, "env": map[string]any{"K": "v"}, "restart": "never",
		"sha256": "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", "buffer": "1GiB", "objects_max": "3KiB",
		"start_timeout": "1s", "stop_timeout": "2s", "stuck_timeout": "3s", "mtls": false,
		"limits": map[string]any{"memory": "512MiB", "nice": int64(5), "user": "nobody", "files": int64(100)},
		"split":  "10m", "own": map[string]any{"key": int64(1)},
	}
	c, problems := ParseConfig(full)
	want := Config{
		Enabled: true, Command: "x", Args: []string{"-a", "b"}, Env: map[string]string{"K": "v"}, Restart: "never",
		SHA256: "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", Buffer: 1 << 30, ObjectsMax: 3 << 10,
		StartTimeout: time.Second, StopTimeout: 2 * time.Second, StuckTimeout: 3 * time.Second,
		Limits: Limits{Memory: 512 << 20, Nice: 5, User: "nobody", Files: 100},
		Values: map[string]any{"split": "10m", "own": map[string]any{"key": int64(1)}},
	}
	if len(problems) > 0 || !reflect.DeepEqual(c, want) {
		t.Errorf("%v\n%+v", problems, c)
	}
	if len(full) != 15 {
		t.Error("the table was changed")
	}
}

func TestParseConfigProblems(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		table map[string]any
		keys  []string
	}{
		{map[string]any{"enabled": false}, nil},
		{map[string]any{}, []string{"command"}},
		{map[string]any{"command": int64(1), "enabled": "yes"}, []string{"command", "command", "enabled"}},
		{map[string]any{"command": "x", "args": []any{int64(1)}, "env": map[string]any{"A": true}}, []string{"args", "env.A"}},
		{map[string]any{"command": "x", "restart": "sometimes", "sha256": "abc"}, []string{"restart", "sha256"}},
		{map[string]any{"command": "x", "buffer": "64", "objects_max": "-1MiB", "start_timeout": "0s", "stop_timeout": "soon"},
			[]string{"buffer", "objects_max", "start_timeout", "stop_timeout"}},
		{map[string]any{"command": "x", "limits": map[string]any{"memory": int64(5), "nice": int64(50), "files": int64(1), "more": true}},
			[]string{"limits.files", "limits.memory", "limits.more", "limits.nice"}},
	} {
		var keys []string
		_, problems := ParseConfig(tt.table)
		for _, p := range problems {
			keys = append(keys, p.Key)
		}
		if !reflect.DeepEqual(keys, tt.keys) {
			t.Errorf("%v: %v", tt.table, problems)
		}
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for text, n := range map[string]int64{"64MiB": 64 << 20, "0B": 0, "7KiB": 7 << 10, "1001B": 1001, "2GiB": 2 << 30} {
		if got, err := parseSize(text); err != nil || got != n {
			t.Errorf("%s: %d, %v", text, got, err)
		}
		if back, err := parseSize(sizeText(n)); err != nil || back != n {
			t.Errorf("%d is %s", n, sizeText(n))
		}
	}
	for _, text := range []string{"", "MiB", "1MB", "-1B", "9999999999GiB", "1.5MiB"} {
		if n, err := parseSize(text); err == nil {
			t.Errorf("%q is %d", text, n)
		}
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pattern, s string
		want       bool
	}{
		{"*", "live/deep/cam", true}, {"live/*", "live/deep/cam", true}, {"live/*", "alive/cam", false},
		{"*/cam", "live/deep/cam", true}, {"*/cam", "live/cam2", false}, {"live/c?m", "live/cam", true},
		{"live/c?m", "live/cm", false}, {"", "", true}, {"", "a", false}, {"a*b*c", "aXXbYYbZc", true},
		{"a*b*c", "aXXcYY", false}, {"**", "", true}, {"[a", "[a", true},
	} {
		if got := match(tt.pattern, tt.s); got != tt.want {
			t.Errorf("match(%q, %q) = %t", tt.pattern, tt.s, got)
		}
	}
	if !anyCodec([]string{"H.264"}, "h264", "aac") || anyCodec([]string{"hevc"}, "h264", "") || !anyCodec(nil) {
		t.Error("codecs are compared wrongly")
	}
}
