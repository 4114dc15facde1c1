package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const whole = `syntax = "proto3";
package a.b.v1;
// Door is a service.
service Door {
  // Open opens.
  rpc Open(OpenRequest) returns (OpenResponse);
}
// OpenRequest asks.
message OpenRequest {
  // How wide.
  uint32 width = 1;
  // By whom.
  map<string, string> people = 2;
}
// OpenResponse answers.
message OpenResponse {
  // How it is.
  State state = 1;
}
// State is one.
enum State {
  // None.
  STATE_UNSPECIFIED = 0;
  // Open.
  STATE_OPEN = 1;
}
`

func load(t *testing.T, text string) (lintProblems, breakProblems []string) {
	t.Helper()
	dir := t.TempDir()
	descriptor := func(text string) []string {
		if err := os.WriteFile(filepath.Join(dir, source), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		file, _, err := compile(context.Background(), dir)
		if err != nil {
			t.Fatal(err)
		}
		problems := lint(file)
		if text == whole {
			if err := writeReleased(dir, file); err != nil {
				t.Fatal(err)
			}
			return problems
		}
		old, err := readReleased(dir)
		if err != nil {
			t.Fatal(err)
		}
		breakProblems = breaks(old, file)
		return problems
	}
	if problems := descriptor(whole); len(problems) > 0 {
		t.Fatal(problems)
	}
	return descriptor(text), breakProblems
}

func TestRules(t *testing.T) {
	for _, tt := range []struct{ name, old, new, lint, breaks string }{
		{"comment", "  // How wide.\n", "", "OpenRequest.width: not documented", ""},
		{"more", "  // By whom.", "  // More.\n  bool more = 3;\n  // By whom.", "", ""},
		{"number", "width = 1", "width = 4", "", "OpenRequest = 1: was released and is gone"},
		{"type", "uint32 width", "uint64 width", "", "OpenRequest = 1: was released as"},
		{"name", "width = 1", "wide = 1", "", "OpenRequest = 1: was released as"},
		{"case", "width = 1", "Width = 1", "OpenRequest.Width: not of the form", "OpenRequest = 1"},
		{"map", "map<string, string>", "map<string, bytes>", "", "OpenRequest.PeopleEntry = 2"},
		{"prefix", "STATE_OPEN", "OPEN", "OPEN: does not begin with STATE_", "State = 1"},
		{"zero", "STATE_UNSPECIFIED", "STATE_NONE", "State: 0 is not STATE_UNSPECIFIED", "State = 0"},
		{"stream", "rpc Open(OpenRequest)", "rpc Open(stream OpenRequest)", "", "Door.Open: was released as"},
		{"shared", "returns (OpenResponse)", "returns (OpenRequest)", "is not called OpenResponse", "Door.Open: was released as"},
		{"package", "package a.b.v1", "package a.b", "a package's last part is its version", "package: was released as"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(whole, tt.old, tt.new, 1)
			if text == whole {
				t.Fatal("nothing was replaced")
			}
			lint, breaks := load(t, text)
			for _, c := range []struct {
				got  []string
				want string
			}{{lint, tt.lint}, {breaks, tt.breaks}} {
				all := strings.Join(c.got, "\n")
				if c.want == "" && all != "" || !strings.Contains(all, c.want) {
					t.Errorf("problems:\n%s\nwant %q", all, c.want)
				}
			}
		})
	}
}
