package conf

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes that is written as text with a unit: "64KiB",
// "16MB", "512B"; only "0" needs none.
type Size int64

// Units of a Size.
const (
	KiB Size = 1 << 10
	MiB Size = 1 << 20
	GiB Size = 1 << 30
	TiB Size = 1 << 40
)

var errSize = errors.New("parse size: not a number with a unit")

// sizeUnits are in the order in which String tries them.
var sizeUnits = [...]struct {
	size Size
	name string
}{
	{TiB, "TiB"}, {1e12, "TB"}, {GiB, "GiB"}, {1e9, "GB"},
	{MiB, "MiB"}, {1e6, "MB"}, {KiB, "KiB"}, {1e3, "kB"}, {1, "B"},
}

// UnmarshalText reads digits and a unit, with nothing between them. Units are
// exact in case: a "KB" could mean either kind, so it is refused.
func (s *Size) UnmarshalText(text []byte) error {
	digits := strings.TrimRight(string(text), "BTGMKik")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || digits[0] == '+' {
		return errSize
	}
	unit, ok := sizeUnit(string(text[len(digits):]))
	if !ok && string(text) != "0" || n > math.MaxInt64/int64(unit) {
		return errSize
	}
	*s = Size(n) * unit
	return nil
}

// sizeUnit returns the unit of that name; otherwise one byte, and false.
func sizeUnit(name string) (Size, bool) {
	for _, unit := range sizeUnits {
		if unit.name == name {
			return unit.size, true
		}
	}
	return 1, false
}

// String returns s in its largest unit that leaves no rest: "16MiB", "3MB",
// "1025B", "0". UnmarshalText reads it back unchanged.
func (s Size) String() string {
	if s == 0 {
		return "0"
	}
	i := 0
	for s%sizeUnits[i].size != 0 { // ends at the byte
		i++
	}
	return strconv.FormatInt(int64(s/sizeUnits[i].size), 10) + sizeUnits[i].name
}
