package conf

import (
	"log/slog"
	"math"
	"testing"
)

func TestDurationText(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text string
		want Duration
		back string // "": text itself
	}{
		{"0s", 0, ""},
		{"0", 0, "0s"},
		{"5s", 5 * Second, ""},
		{"120ms", 120 * Millisecond, ""},
		{"60s", Minute, "1m"},
		{"90s", 90 * Second, ""},
		{"1h30m", 90 * Minute, "90m"},
		{"1.5s", 1500 * Millisecond, "1500ms"},
		{"1µs", 1000, "1us"},
		{"7ns", 7, ""},
		{"-5s", -5 * Second, ""},
	} {
		var got Duration
		if err := got.UnmarshalText([]byte(test.text)); err != nil || got != test.want {
			t.Errorf("%q: %d, %v", test.text, got, err)
		}
		if back := or(test.back, test.text); got.String() != back {
			t.Errorf("%q: back as %q", test.text, got)
		}
	}
	for _, text := range []string{"", "5", "5 s", "s", "5 parsecs", "1d", "300000000h"} {
		if err := new(Duration).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func TestSizeText(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text string
		want Size
		back string // "": text itself
	}{
		{"0", 0, ""},
		{"0B", 0, "0"},
		{"1B", 1, ""},
		{"1025B", 1025, ""},
		{"64KiB", 64 << 10, ""},
		{"1024KiB", 1 << 20, "1MiB"},
		{"16MiB", 16 << 20, ""},
		{"1GiB", 1 << 30, ""},
		{"2TiB", 2 << 40, ""},
		{"3kB", 3000, ""},
		{"1024kB", 1024000, "1000KiB"},
		{"16MB", 16e6, ""},
		{"5MB", 5e6, ""},
		{"1GB", 1e9, ""},
		{"1TB", 1e12, ""},
		{"9223372036854775807B", math.MaxInt64, ""},
	} {
		var got Size
		if err := got.UnmarshalText([]byte(test.text)); err != nil || got != test.want {
			t.Errorf("%q: %d, %v", test.text, got, err)
		}
		if back := or(test.back, test.text); got.String() != back {
			t.Errorf("%q: back as %q, not %q", test.text, got, back)
		}
	}
	for _, text := range []string{
		"", "B", "5", "00", "64KB", "64Kb", "64K", "64kib", "64 KiB", "-1B", "+1B", "1.5MiB", "1KiBB", "0x10B",
		"9223372036854775808B", "8388608TiB", "9007199254740992KiB", "1e3B", "1_000B",
	} {
		if err := new(Size).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func TestMemory(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text  string
		total Size
		want  Size
	}{
		{"25%", 8 * GiB, 2 * GiB},
		{"100%", 12345, 12345},
		{"1%", 99, 0},
		{"33%", 199, 65},
		{"50%", math.MaxInt64, math.MaxInt64 / 2},
		{"64MiB", GiB, 64 * MiB},
	} {
		var m Memory
		if err := m.UnmarshalText([]byte(test.text)); err != nil || m.String() != test.text {
			t.Errorf("%q: %v, %v", test.text, m, err)
		}
		if got := m.Resolve(test.total); got != test.want {
			t.Errorf("%q of %d: %d, not %d", test.text, test.total, got, test.want)
		}
	}
	for _, text := range []string{"", "%", "0%", "-5%", "+5%", "2.5%", "25 %", "25%%", "25"} {
		if err := new(Memory).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func TestMergeWindow(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]MergeWindow{"auto": {Auto: true}, "0s": {}, "120ms": {Fixed: 120 * Millisecond}} {
		got := MergeWindow{Auto: text != "auto", Fixed: Second}
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want || got.String() != text {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	if err := new(MergeWindow).UnmarshalText([]byte("Auto")); err == nil {
		t.Error("Auto was taken")
	}
}

func TestLevel(t *testing.T) {
	t.Parallel()
	for level, want := range map[Level]slog.Level{
		LevelDebug: slog.LevelDebug, LevelInfo: slog.LevelInfo, LevelWarn: slog.LevelWarn, LevelError: slog.LevelError,
	} {
		if got := level.Slog(); got != want {
			t.Errorf("%s: %s", level, got)
		}
	}
}

func TestPattern(t *testing.T) {
	t.Parallel()
	def := Default().Stream.NamePattern.Regexp()
	for name, want := range map[string]bool{
		"stream": true, "a.b": true, "_x": true, "-x": true, "A9.": true, ".x": false, "": false,
		"..": false, "a/b": false, "a b": false, "a~b": false, "a\n": false, "é": false,
	} {
		if def.MatchString(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
	// An open alternative would match a part of a name if it stood bare.
	open := Pattern(`^a|b$`).Regexp()
	for name, want := range map[string]bool{"a": true, "b": true, "ax": false, "xb": false} {
		if open.MatchString(name) != want {
			t.Errorf("open pattern, %q: %v", name, !want)
		}
	}
	for _, p := range []Pattern{`^[A-Za-z0-9]+$`, `[a-z]+`, `^[\pL\pN]+$`} {
		if expected := checkPattern(p); expected != "" {
			t.Errorf("%s: expected %s", p, expected)
		}
	}
	for _, p := range []Pattern{``, `.*`, `^.+$`, `[^/]+`, `(`, `a)(b`, `\Qa`, `^[a-z~]+$`, `(?s).a?`, `a?`} {
		if checkPattern(p) == "" {
			t.Errorf("%s was taken", p)
		}
	}
}
