package record

import (
	"testing"
	"time"
)

func TestCutter(t *testing.T) {
	t.Parallel()
	byTime, bySize := Cutter{Target: 2 * time.Second}, Cutter{Bytes: 1000}
	both := Cutter{Target: 2 * time.Second, Bytes: 1000}
	for _, c := range []struct {
		name string
		c    Cutter
		p    Point
		want Cut
	}{
		{"never", Cutter{}, Point{DTS: 1 << 40, Keyframe: true, Size: 1 << 40}, NoCut},
		{"never but for parameters", Cutter{}, Point{Params: true}, NewParams},
		{"early key", byTime, Point{DTS: 2099, Keyframe: true}, NoCut},
		{"key in time", byTime, Point{DTS: 2100, Keyframe: true}, AtKeyframe},
		{"no key", byTime, Point{DTS: 4099}, NoCut},
		{"no key for long", byTime, Point{DTS: 4100}, Forced},
		{"late key", byTime, Point{DTS: 9000, Keyframe: true}, AtKeyframe},
		{"time does not count bytes", byTime, Point{DTS: 100, Keyframe: true, Size: 1 << 40}, NoCut},
		{"small", bySize, Point{Keyframe: true, Size: 999}, NoCut},
		{"large", bySize, Point{Keyframe: true, Size: 1000}, AtKeyframe},
		{"large without key", bySize, Point{Size: 1999}, NoCut},
		{"too large", bySize, Point{Size: 2000}, Forced},
		{"size does not count time", bySize, Point{DTS: 1 << 40, Keyframe: true}, NoCut},
		{"both by time", both, Point{DTS: 2100, Keyframe: true}, AtKeyframe},
		{"both by size", both, Point{DTS: 200, Keyframe: true, Size: 1000}, AtKeyframe},
		{"back in time", byTime, Point{DTS: -5000, Keyframe: true}, NoCut},
		{"parameters first", byTime, Point{DTS: 9000, Keyframe: true, Params: true}, NewParams},
	} {
		c.c.Begin(100)
		if got := c.c.Next(c.p); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func TestSync(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		want Sync
		due  [2]bool // 0.5 s and 1 s after the last
	}{
		{"never", Sync{}, [2]bool{}},
		{"fragment", Sync{Fragment: true}, [2]bool{true, true}},
		{"1s", Sync{Every: time.Second}, [2]bool{false, true}},
	} {
		s, err := ParseSync(c.text)
		if err != nil || s != c.want {
			t.Errorf("%s: %+v, %v", c.text, s, err)
		}
		for i, want := range c.due {
			if got := s.Due(day.Add(time.Duration(i+1)*time.Second/2), day); got != want {
				t.Errorf("%s after %d halves: %t", c.text, i+1, got)
			}
		}
	}
	for _, text := range []string{"", "0s", "-1s", "always"} {
		if _, err := ParseSync(text); err == nil {
			t.Errorf("%q is a policy", text)
		}
	}
}
