package record

import (
	"fmt"
	"time"
)

// Sync says when files are brought from the page cache to the disk: what a
// power cut may cost. A crash of a process costs nothing that was written.
type Sync struct {
	// Fragment: after each fragment.
	Fragment bool
	// Every: at most this long after it was written; 0: never, but at the end.
	Every time.Duration
}

// ParseSync reads "never", "fragment" or a duration such as "1s".
func ParseSync(s string) (Sync, error) {
	switch s {
	case "never":
		return Sync{}, nil
	case "fragment":
		return Sync{Fragment: true}, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return Sync{}, fmt.Errorf(`%q is none of "never", "fragment" and a duration such as "1s"`, s)
	}
	return Sync{Every: d}, nil
}

// Due reports whether it is time, after a write.
func (s Sync) Due(now, last time.Time) bool {
	return s.Fragment || s.Every > 0 && now.Sub(last) >= s.Every
}
