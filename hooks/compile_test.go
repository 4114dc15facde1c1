package hooks

import (
	"regexp"
	"slices"
	"testing"
)

// TestStartSmall: tables that are made empty have room for one name, others for
// what is written, by the library's own reading of its instructions.
func TestStartSmall(t *testing.T) {
	t.Parallel()
	c, err := compile("x.lua", `local a, b, c = {}, {1, 2}, {x = 1}
		local function f() return {}, {1, 2, 3; y = 4} end`)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range regexp.MustCompile(`NEWTABLE +\| +\d+, +(\d+), +(\d+);`).FindAllStringSubmatch(c.proto.String(), -1) {
		got = append(got, m[1]+" "+m[2])
	}
	if want := []string{"0 1", "2 0", "0 1", "0 1", "3 1"}; !slices.Equal(got, want) {
		t.Errorf("values and names: %q, want %q", got, want)
	}
}
