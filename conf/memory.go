package conf

import (
	"errors"
	"strconv"
	"strings"
)

// Memory is a part of the machine's memory: a size ("2GiB") or a percentage
// ("25%").
type Memory struct {
	Size    Size
	Percent int // when not 0, Size is not looked at
}

// Resolve returns m in bytes on a machine (or in a control group) with total
// bytes of memory.
func (m Memory) Resolve(total Size) Size {
	if m.Percent == 0 {
		return m.Size
	}
	// Whole hundreds first, so that a large total does not overflow.
	return total/100*Size(m.Percent) + total%100*Size(m.Percent)/100
}

// UnmarshalText reads a Size, or an integer with "%".
func (m *Memory) UnmarshalText(text []byte) error {
	digits, isPercent := strings.CutSuffix(string(text), "%")
	if !isPercent {
		var size Size
		err := size.UnmarshalText(text)
		*m = Memory{Size: size}
		return err
	}
	percent, err := strconv.ParseUint(digits, 10, 31)
	if err != nil || percent == 0 {
		return errors.New("parse memory: not a percentage")
	}
	*m = Memory{Percent: int(percent)}
	return nil
}

// String returns what UnmarshalText reads back.
func (m Memory) String() string {
	if m.Percent != 0 {
		return strconv.Itoa(m.Percent) + "%"
	}
	return m.Size.String()
}
