package object

import (
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Directives are what a request for a playlist says in its query (RFC 8216bis
// section 6.2.5).
type Directives struct {
	MSN, Part int64 // -1: not asked for
	Skip      bool
	// Bad: they make no sense, and the answer is 400.
	Bad bool
}

// Unasked are those of a request that asks for nothing special.
var Unasked = Directives{MSN: -1, Part: -1}

// ParseDirectives reads them from a raw query. Everything else in it is left
// alone.
func ParseDirectives(rawQuery string) Directives {
	d := Unasked
	if !strings.Contains(rawQuery, "_HLS_") {
		return d
	}
	for pair := range strings.SplitSeq(rawQuery, "&") {
		key, value, _ := strings.Cut(pair, "=")
		value, err := url.QueryUnescape(value)
		switch key {
		case "_HLS_msn":
			d.MSN = d.number(value, err)
		case "_HLS_part":
			d.Part = d.number(value, err)
		case "_HLS_skip":
			// v2 leaves out dates as well, which a server need not.
			d.Skip = value == "YES" || value == "v2"
		}
	}
	// "_HLS_part … MUST NOT be present without _HLS_msn".
	d.Bad = d.Bad || d.Part >= 0 && d.MSN < 0
	return d
}

func (d *Directives) number(value string, err error) int64 {
	n, parseErr := strconv.ParseUint(value, 10, 53)
	if err != nil || parseErr != nil {
		d.Bad = true
		return -1
	}
	return int64(n)
}

// State says what to do with a request.
type State uint8

// The states.
const (
	Absent State = iota // no such object
	Ready               // answer with Found.Content
	Wait                // wait for a change, at most Found.Patience
	Bad                 // 400
)

// Found is what the store has for a request.
type Found struct {
	State    State
	Object   *Object
	Content  *Content // of Object
	Patience time.Duration
}

// Find looks up a path and decides whether its request has to wait.
func (s *Store) Find(path string, d Directives) Found {
	s.mu.RLock()
	defer s.mu.RUnlock()
	o := s.live(path)
	if o == nil {
		if at := s.hintedAt(path); at != nil {
			return Found{State: Wait, Patience: at.at.patience()}
		}
		return Found{State: Absent}
	}
	f := Found{State: Ready, Object: o, Content: o.Full}
	if d.Skip && o.Delta != nil {
		f.Content = o.Delta
	}
	if !o.Blocking {
		return f
	}
	switch {
	case d.Bad, d.MSN >= 0 && o.at.tooFar(d):
		return Found{State: Bad}
	case d.MSN >= 0 && !o.at.reached(d):
		return Found{State: Wait, Patience: o.at.patience()}
	}
	return f
}
