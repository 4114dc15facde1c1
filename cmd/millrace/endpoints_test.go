package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestEndpointsInReadme holds the admin listener's README to the endpoints of
// hooks, plugins and faults.
func TestEndpointsInReadme(t *testing.T) {
	t.Parallel()
	var table strings.Builder
	table.WriteString("| method | path | what |\n|---|---|---|\n")
	for _, e := range slices.Concat(hookEndpoints(nil), (&recorders{}).endpoints(), (&faults{}).endpoints()) {
		path := strings.Replace(e.Pattern, "{stream...}", "{app}/{name}", 1)
		fmt.Fprintf(&table, "| %s | `%s` | %s |\n", e.Method, path, e.About)
	}
	readme, err := os.ReadFile("../../core/admin/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "<!-- endpoints -->\n")
	if got, _, ok := strings.Cut(rest, "<!-- /endpoints -->"); !ok || got != table.String() {
		t.Errorf("core/admin/README.md should hold, between the comments endpoints:\n%s", &table)
	}
}
