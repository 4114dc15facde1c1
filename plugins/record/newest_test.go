package record

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
)

// The link leads to the session that began last, in whatever order they come.
func TestLinkNewest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	link := filepath.Join(dir, "set")
	id := func(after time.Duration) string {
		return ulid.MustNew(ulid.Timestamp(day.Add(after)), ulid.DefaultEntropy()).String()
	}
	for _, c := range []struct {
		name, session string
		stays         bool
	}{
		{"second", id(time.Minute), false},
		{"first", id(0), true},
		{"third", id(2 * time.Minute), false},
		{"fourth", id(3 * time.Hour), false},
		{"after the clock was set back", id(30 * time.Minute), false},
		{"no ULID", "S", false},
		{"after that", id(40 * time.Minute), false},
	} {
		before, _ := os.Readlink(link)
		folder := filepath.Join(dir, c.name)
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		m := Manifest{Session: c.session}
		save(t, m, ManifestPath(folder, true))
		if err := LinkNewest(link, filepath.Join(folder, "set"), c.session, day.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		want := filepath.Join(c.name, "set")
		if c.stays {
			want = before
		}
		if got, err := os.Readlink(link); err != nil || got != want {
			t.Errorf("%s: leads to %q, want %q, %v", c.name, got, want, err)
		}
	}
}
