package admin

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
)

// README.md holds these two tables between comments that name them.
func TestReadme(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"routes": routeTable(), "metrics": metricTable()} {
		open, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
		_, rest, ok := strings.Cut(string(readme), open)
		got, _, closed := strings.Cut(rest, end)
		if !ok || !closed || got != want {
			t.Errorf("README.md should hold, between %s and %s:\n%s", strings.TrimSpace(open), end, want)
		}
	}
}

func routeTable() string {
	var b strings.Builder
	b.WriteString("| method | path | what |\n|---|---|---|\n")
	a := &api{metrics: metricsHandler(&fakeServer{}, "", slog.New(slog.DiscardHandler), nil)}
	for _, r := range a.routes() {
		fmt.Fprintf(&b, "| %s | `%s` | %s |\n", r.method, r.path(), r.about)
	}
	return b.String()
}

func metricTable() string {
	var b strings.Builder
	b.WriteString("| metric | type | labels | meaning |\n|---|---|---|---|\n")
	for _, f := range families("") {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.name, f.kind, strings.Join(f.labels, ", "), f.help)
	}
	return b.String()
}
