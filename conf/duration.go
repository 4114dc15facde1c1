package conf

import (
	"fmt"
	"strconv"
	"time"
)

// Duration is a time.Duration that is written as text: "5s", "120ms", "1h30m",
// "0s". A bare number has no unit and is refused.
type Duration time.Duration

// Units of a Duration.
const (
	Millisecond = Duration(time.Millisecond)
	Second      = Duration(time.Second)
	Minute      = Duration(time.Minute)
	Hour        = Duration(time.Hour)
)

// durationUnits are in the order in which String tries them.
var durationUnits = [...]struct {
	size Duration
	name string
}{
	{Hour, "h"}, {Minute, "m"}, {Second, "s"}, {Millisecond, "ms"},
	{Duration(time.Microsecond), "us"}, {Duration(time.Nanosecond), "ns"},
}

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("parse duration: %w", err)
	}
	*d = Duration(v)
	return nil
}

// String returns d in its largest unit that leaves no rest: "90s", "1h",
// "1500ms". UnmarshalText reads it back unchanged.
func (d Duration) String() string {
	if d == 0 {
		return "0s"
	}
	i := 0
	for d%durationUnits[i].size != 0 { // ends at the nanosecond
		i++
	}
	return strconv.FormatInt(int64(d/durationUnits[i].size), 10) + durationUnits[i].name
}
