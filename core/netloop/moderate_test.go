package netloop

import (
	"testing"
	"time"
)

// TestModerator has publishers send at steady rates for a second: naps are for
// thousands of reads only, and never fill the time.
func TestModerator(t *testing.T) {
	t.Parallel()
	for rate, want := range map[int64]bool{68: false, 2000: false, 6000: true, 34_000: true} {
		var m moderator
		naps, now := int64(0), int64(0)
		for now < int64(time.Second) {
			now += int64(time.Second) / rate
			if m.event(now) {
				naps++
				now += napTime
			}
		}
		if (naps > 0) != want {
			t.Errorf("%d naps at %d reads a second", naps, rate)
		}
		if share := float64(naps*napTime) / 1e9; share > 0.9 {
			t.Errorf("it naps for %.2f of the time at %d reads a second", share, rate)
		}
	}
}
