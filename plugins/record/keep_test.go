package record

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestFree(t *testing.T) {
	t.Parallel()
	if n, err := Free(t.TempDir()); err != nil || n <= 0 {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := Free("/nowhere/at/all"); err == nil {
		t.Error("a path that is not there has room")
	}
}

func TestGuard(t *testing.T) {
	t.Parallel()
	var free int64
	var failed error
	g := Guard{MinFree: 1000, Ask: func(string) (int64, error) { return free, failed }}
	for i, c := range []struct {
		after time.Duration
		free  int64
		err   error
		want  bool
	}{
		{0, 1000, nil, false},
		{500 * time.Millisecond, 10, nil, false}, // not asked yet
		{time.Second, 999, nil, true},
		{2 * time.Second, 1249, nil, true}, // some more has to be free
		{3 * time.Second, 5000, errors.New("gone"), true},
		{4 * time.Second, 1250, nil, false},
		{5 * time.Second, 1000, nil, false},
	} {
		free, failed = c.free, c.err
		if got := g.Low(day.Add(c.after)); got != c.want {
			t.Errorf("%d: low %t", i, got)
		}
	}
	off := Guard{Ask: func(string) (int64, error) { panic("asked") }}
	if off.Low(day) {
		t.Error("low without a limit")
	}
}

// keeps makes five records of 7 bytes: 1 to 3 ended a day after each other,
// 4 grows, 5 is another plugin's. 2 is a folder.
func keeps(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for i := 1; i <= 5; i++ {
		m := clone(t)
		m.Ended = day.AddDate(0, 0, i)
		dir, folder := root, i == 2
		name := fmt.Sprintf("%d.flv", i)
		switch i {
		case 2:
			dir = filepath.Join(root, name)
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
		case 4:
			m.Ended = time.Time{}
		case 5:
			m.Plugin = "mp4"
		}
		m.Parts[0].File, m.Parts[1].File = fmt.Sprintf("a%d", i), fmt.Sprintf("b%d", i)
		write(t, dir, m.Parts[0].File, "abc")
		write(t, dir, m.Parts[1].File, "abcd")
		save(t, m, ManifestPath(filepath.Join(root, name), folder))
	}
	return root
}

func TestKeeper(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		k    Keeper
		now  time.Time
		want []int // that stay
	}{
		{"no rule", Keeper{}, day.AddDate(1, 0, 0), []int{1, 2, 3, 4, 5}},
		{"young", Keeper{Age: 24 * time.Hour}, day.AddDate(0, 0, 2), []int{1, 2, 3, 4, 5}},
		{"one is old", Keeper{Age: 24 * time.Hour}, day.AddDate(0, 0, 2).Add(time.Second), []int{2, 3, 4, 5}},
		{"all are old", Keeper{Age: time.Hour}, day.AddDate(1, 0, 0), []int{4, 5}},
		{"few bytes", Keeper{Bytes: 28}, day, []int{1, 2, 3, 4, 5}},
		{"too many bytes", Keeper{Bytes: 20}, day, []int{3, 4, 5}},
		{"room", Keeper{Free: 100, Ask: func(string) (int64, error) { return 100, nil }}, day, []int{1, 2, 3, 4, 5}},
		{"little room", Keeper{Free: 100, Ask: func(string) (int64, error) { return 95, nil }}, day, []int{2, 3, 4, 5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.k.Root, c.k.Plugin = keeps(t), "flv"
			if _, err := c.k.Run(c.now); err != nil {
				t.Fatal(err)
			}
			c.k.Free = 0 // room was made: the second run, from memory, finds nothing to do
			if removed, err := c.k.Run(c.now); err != nil || len(removed) > 0 {
				t.Errorf("again %v, %v", removed, err)
			}
			var got []int
			for i := 1; i <= 5; i++ {
				path := filepath.Join(c.k.Root, fmt.Sprintf("a%d", i))
				if i == 2 {
					path = filepath.Join(c.k.Root, "2.flv", "a2")
				}
				if _, err := os.Stat(path); err == nil {
					got = append(got, i)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%v stay, want %v", got, c.want)
			}
			left, err := filepath.Glob(filepath.Join(c.k.Root, "*.json"))
			if err != nil || len(left) != len(c.want)-count(c.want, 2) {
				t.Errorf("manifests %v", left)
			}
		})
	}
}

func count(s []int, v int) (n int) {
	for _, x := range s {
		if x == v {
			n++
		}
	}
	return n
}
