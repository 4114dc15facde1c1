package conf

import (
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

func TestElementLines(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text string
		want []int
	}{
		{`[]`, nil},
		{"[\n# none\n]", nil},
		{`[1, 2]`, []int{1, 1}},
		{"[\n1,\n\n2 # two, [3]\n, 3\n]", []int{2, 4, 5}},
		{"[\"a,b\", # c\n'd\\', \"\\\"]\",\n\"\"]", []int{1, 2, 2, 3}},
		{"[\"\"\"a\n,\\\"\"\"\"\"\",\n'''\n'']'''']", []int{1, 3}},
		{"[[1,\n2], [3,\n[4]],\n{a = [1,\n2], b = \"}\"}, 5]", []int{1, 2, 4, 5}},
		{"[1,\r\n2,\r\n]", []int{1, 2}},
	} {
		var doc map[string]any
		if _, err := toml.Decode("a = "+test.text, &doc); err != nil {
			t.Errorf("%q is no TOML: %v", test.text, err)
		}
		if got := elementLines(test.text, 1); !slices.Equal(got, test.want) {
			t.Errorf("%q: %v, not %v", test.text, got, test.want)
		}
	}
	for _, text := range []string{"", "x", `["`, `["""`, `["\`, "[{", "[1,", "[#"} {
		if got := elementLines(text, 1); got != nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestHeaderLines(t *testing.T) {
	t.Parallel()
	text := "[[a.b]]\n\n [[ a . \"b\" ]] # [[a.b]]\n[[a.c]]\n[a.b]\n[['a'.b]]"
	if got := headerLines(text, "a.b"); !slices.Equal(got, []int{1, 3, 6}) {
		t.Errorf("got %v", got)
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"server.loops", "stream.max_lag", "stream.ring_time", "stream.ring_bytes"}
	for name, want := range map[string]string{
		"stream.max_lagg": "stream.max_lag", "stream.maxlag": "stream.max_lag", "server.max_lag": "stream.max_lag",
		"stream.ring_tim": "stream.ring_time", "xyzzy": "", "": "", strings.Repeat("x", 200): "",
	} {
		if got := nearest(name, known); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
