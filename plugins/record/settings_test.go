package record

import (
	"slices"
	"testing"
	"time"

	"github.com/millrace/millrace/plugins/sdk"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	s := ReadSettings(sdk.Config{Values: map[string]any{
		"text": "b", "yes": true, "n": int64(3), "f": 4.0, "d": "90s", "size": "64MiB", "sync": "1s",
	}})
	if got := s.String("text", "a", "a", "b"); got != "b" {
		t.Errorf("text %q", got)
	}
	if !s.Bool("yes", false) || s.Int("n", 0, 1, 3) != 3 || s.Int("f", 0, 1, 4) != 4 {
		t.Error("yes, n or f")
	}
	if s.Duration("d", 0, 0, time.Hour) != 90*time.Second || s.Size("size", 0, 0, 1<<30) != 64<<20 {
		t.Error("d or size")
	}
	if s.Sync("sync", "never") != (Sync{Every: time.Second}) {
		t.Error("sync")
	}
	if s.String("t", "x") != "x" || !s.Bool("b", true) || s.Int("i", 7, 0, 1) != 7 ||
		s.Duration("dd", time.Minute, 0, 0) != time.Minute || s.Size("s", 5, 0, 0) != 5 || s.Sync("y", "fragment") != (Sync{Fragment: true}) {
		t.Error("defaults")
	}
	if p := s.Problems(); p != nil {
		t.Errorf("%v", p)
	}
}

func TestSettingsRefuse(t *testing.T) {
	t.Parallel()
	s := ReadSettings(sdk.Config{Values: map[string]any{
		"a": int64(1), "b": "x", "c": "yes", "d": 1.5, "e": int64(9), "f": "soon", "g": "2h", "h": int64(5), "i": "5", "j": "2GiB", "k": "often",
		"unknown": "x", "other": "y",
	}})
	s.String("a", "")
	s.String("b", "", "c")
	s.Bool("c", false)
	s.Int("d", 0, 0, 9)
	s.Int("e", 0, 0, 8)
	s.Duration("f", 0, 0, time.Hour)
	s.Duration("g", 0, 0, time.Hour)
	s.Size("h", 0, 0, 9)
	s.Size("i", 0, 0, 9)
	s.Size("j", 0, 0, 1<<30)
	s.Sync("k", "never")
	var keys []string
	for _, p := range s.Problems() {
		keys = append(keys, p.Key)
	}
	want := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "other", "unknown"}
	if !slices.Equal(keys, want) {
		t.Errorf("%v", keys)
	}
}

func TestParseSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"0": 0, "5B": 5, "1KiB": 1024, "2 MB": 2e6, "3GiB": 3 << 30, "1TiB": 1 << 40} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "5", "-1B", "1.5MiB", "99999999TiB", "MiB"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%s: %d", text, got)
		}
	}
}
