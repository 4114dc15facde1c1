package httpflv

import (
	"strconv"
	"strings"
)

// Range is a part of a representation: Length bytes from Start on.
type Range struct{ Start, Length int64 }

// RangeKind says what a Range field asks for.
type RangeKind uint8

// The kinds of ranges.
const (
	// RangeNone: the field is to be ignored; the answer is the whole.
	RangeNone RangeKind = iota
	// RangeOne: one range that can be satisfied.
	RangeOne
	// RangeBad: no part of it lies within the representation; 416.
	RangeBad
)

// ParseRange reads the value of a Range field (RFC 9110 section 14.2) for a
// representation of size bytes. Malformed values, units other than bytes and
// lists of ranges are ignored, as "a server MAY ignore the Range header
// field": no player asks for several at once, and who downloads in pieces
// takes the whole as well.
func ParseRange(value string, size int64) (Range, RangeKind) {
	unit, set, ok := strings.Cut(value, "=")
	if !ok || !equalFold(trimSpace(unit), "bytes") || strings.Contains(set, ",") {
		return Range{}, RangeNone
	}
	first, last, ok := strings.Cut(trimSpace(set), "-")
	if !ok {
		return Range{}, RangeNone
	}
	if first == "" {
		return suffixRange(last, size)
	}
	start, ok := position(first)
	if !ok {
		return Range{}, RangeNone
	}
	end := size - 1
	if last != "" {
		if end, ok = position(last); !ok || end < start {
			return Range{}, RangeNone
		}
	}
	if start >= size {
		return Range{}, RangeBad
	}
	return Range{start, min(end, size-1) - start + 1}, RangeOne
}

// suffixRange is "-N", the last N bytes.
func suffixRange(last string, size int64) (Range, RangeKind) {
	n, ok := position(last)
	switch {
	case !ok:
		return Range{}, RangeNone
	case n == 0 || size == 0:
		return Range{}, RangeBad
	}
	n = min(n, size)
	return Range{size - n, n}, RangeOne
}

// position reads a byte position: digits only. One that is too large for us
// is past every end.
func position(s string) (int64, bool) {
	if s == "" || len(s) > 18 {
		return 1 << 62, s != "" && allDigits(s)
	}
	if !allDigits(s) {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
