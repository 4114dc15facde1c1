package httpflv

import (
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Feed is what a plugin's request for a stream says beyond [Live]: how it is
// to be fed.
type Feed struct {
	// Session is the publish session, and From the first frame wanted, of the
	// parameter from=SESSION:SEQ. Session is "" without it; From 0 is where a
	// newcomer starts.
	Session string
	From    uint64
	// Merge is how long frames may be held back so that they come together.
	Merge time.Duration
	// Lag and LagTime are how much may wait for the plugin, in bytes and by
	// age, before it misses some: lag=SIZE or lag=SIZE,DURATION. Zero is what
	// the ring holds anyway, and no bound of age.
	Lag     int64
	LagTime time.Duration
}

// MaxMerge is the longest merge, and the default: recorders are no hurry.
const MaxMerge = 300 * time.Millisecond

// maxSession bounds the name of a session, in bytes.
const maxSession = 64

// ParseFeed reads the parameters of a plugin's request; a refusal is the
// answer to one that is wrong.
func ParseFeed(q url.Values) (f Feed, r *Refusal) {
	var ok bool
	if f.Session, f.From, ok = parseFrom(q); !ok {
		return Feed{}, badRequest("parameter from is not SESSION:SEQ")
	}
	if f.Merge, ok = parseMerge(q); !ok {
		return Feed{}, badRequest("parameter merge is not a duration from 0 to " + MaxMerge.String())
	}
	if f.Lag, f.LagTime, ok = parseLag(q); !ok {
		return Feed{}, badRequest("parameter lag is not a size, or a size and a duration: 64MiB or 64MiB,60s")
	}
	return f, nil
}

func parseFrom(q url.Values) (session string, seq uint64, ok bool) {
	if !q.Has("from") {
		return "", 0, true
	}
	session, number, _ := strings.Cut(q.Get("from"), ":")
	seq, err := strconv.ParseUint(number, 10, 63)
	return session, seq, err == nil && session != "" && len(session) <= maxSession
}

func parseMerge(q url.Values) (time.Duration, bool) {
	if !q.Has("merge") {
		return MaxMerge, true
	}
	d, err := time.ParseDuration(q.Get("merge"))
	return d, err == nil && d >= 0 && d <= MaxMerge
}

func parseLag(q url.Values) (size int64, age time.Duration, ok bool) {
	if !q.Has("lag") {
		return 0, 0, true
	}
	bytes, duration, timed := strings.Cut(q.Get("lag"), ",")
	size, ok = parseSize(bytes)
	if !ok || !timed {
		return size, 0, ok
	}
	age, err := time.ParseDuration(duration)
	return size, age, err == nil && age >= 0
}

// sizeUnits are the units of sizes, as in the configuration.
var sizeUnits = []struct {
	name  string
	shift uint
}{{"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"B", 0}}

// parseSize reads a number of bytes, with a unit or without.
func parseSize(s string) (int64, bool) {
	shift := uint(0)
	for _, u := range sizeUnits {
		if rest, ok := strings.CutSuffix(s, u.name); ok {
			s, shift = rest, u.shift
			break
		}
	}
	n, err := strconv.ParseUint(s, 10, 63)
	return int64(n << shift), err == nil && n <= 1<<62>>shift
}
