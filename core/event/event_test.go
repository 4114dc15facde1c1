package event

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Names are the same on every surface: snake case, one meaning each, and
// on_… for what happens only.
func TestNames(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	seen := map[string]string{}
	for i, group := range constants(t) {
		for name, value := range group {
			if !form.MatchString(value) || strings.HasPrefix(value, "on_") != (i == 0) {
				t.Errorf("%s is %q", name, value)
			}
			if other := seen[value]; other != "" {
				t.Errorf("%s and %s are both %q", name, other, value)
			}
			seen[value] = name
		}
	}
	if len(seen) < 20 {
		t.Errorf("only %d names were found", len(seen))
	}
}

// constants are the names in the groups of the source: events, then fields.
func constants(t *testing.T) (groups []map[string]string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "event.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range file.Decls {
		group := map[string]string{}
		for _, spec := range d.(*ast.GenDecl).Specs {
			if c, ok := spec.(*ast.ValueSpec); ok {
				value, err := strconv.Unquote(c.Values[0].(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				group[c.Names[0].Name] = value
			}
		}
		groups = append(groups, group)
	}
	return groups
}

// TestAllNames holds the list equal to the constants.
func TestAllNames(t *testing.T) {
	t.Parallel()
	var want []string
	for _, value := range constants(t)[0] {
		want = append(want, value)
	}
	got := Names()
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestParams(t *testing.T) {
	t.Parallel()
	tests := []struct {
		query string
		want  map[string]string
	}{
		{"", nil},
		{"token=a%20b&token=c&x", map[string]string{"token": "a b", "x": ""}},
		{"bad=%zz&good=1", map[string]string{"good": "1"}},
	}
	for _, tt := range tests {
		if got := Params(tt.query); !maps.Equal(got, tt.want) {
			t.Errorf("%q: %v, want %v", tt.query, got, tt.want)
		}
	}
}
