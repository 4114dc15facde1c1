package hooks

import (
	"fmt"
	"math"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// strFormat is string.format with widths and precisions of at most 99, as Lua
// has it: Go's own would pad to any width.
func (st *state) strFormat(L *lua.LState) int {
	format := L.CheckString(1)
	var out strings.Builder
	arg := 1
	for i := 0; i < len(format); {
		if format[i] != '%' {
			j := strings.IndexByte(format[i:], '%')
			if j < 0 {
				j = len(format) - i
			}
			out.WriteString(format[i : i+j])
			i += j
			continue
		}
		spec, verb := cutSpec(format[i:])
		if verb == 0 {
			L.RaiseError("invalid format %q (width or precision too long?)", spec)
		}
		i += len(spec)
		if verb == '%' {
			out.WriteByte('%')
			continue
		}
		arg++
		text := st.formatOne(L, spec, verb, arg)
		if out.Len()+len(text) > maxString {
			L.RaiseError("string.format makes a string longer than the limit of %d bytes", maxString)
		}
		out.WriteString(text)
	}
	return st.pushString(L, out.String())
}

// cutSpec returns the conversion at the start of s, and its verb; 0 when it is
// none that Lua has.
func cutSpec(s string) (spec string, verb byte) {
	i := 1
	for i < len(s) && strings.IndexByte("-+ #0", s[i]) >= 0 && i < 6 {
		i++
	}
	i += digits(s[i:])
	if i < len(s) && s[i] == '.' {
		i++
		i += digits(s[i:])
	}
	if i >= len(s) || strings.IndexByte("%cdiouxXeEfgGqs", s[i]) < 0 {
		return s[:min(i+1, len(s))], 0
	}
	return s[:i+1], s[i]
}

// digits counts up to two of them.
func digits(s string) int {
	n := 0
	for n < len(s) && n < 2 && isDigit(s[n]) {
		n++
	}
	return n
}

func (st *state) formatOne(L *lua.LState, spec string, verb byte, arg int) string {
	flags := spec[:len(spec)-1]
	switch verb {
	case 'c':
		return string([]byte{byte(L.CheckInt(arg))})
	case 'd', 'i':
		return fmt.Sprintf(flags+"d", toInt64(L.CheckNumber(arg)))
	case 'u':
		return fmt.Sprintf(flags+"d", uint64(toInt64(L.CheckNumber(arg))))
	case 'o', 'x', 'X':
		return fmt.Sprintf(flags+string(verb), uint64(toInt64(L.CheckNumber(arg))))
	case 'e', 'E', 'f', 'g', 'G':
		return formatFloat(flags, verb, float64(L.CheckNumber(arg)))
	case 'q':
		return quoteLua(L.CheckString(arg))
	}
	s := L.ToStringMeta(L.CheckAny(arg)).String()
	if len(s) > maxString {
		return s // the caller refuses it
	}
	return fmt.Sprintf(flags+"s", s)
}

// toInt64 converts without the undefined results of an overflow.
func toInt64(n lua.LNumber) int64 {
	f := float64(n)
	switch {
	case f != f:
		return 0
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	}
	return int64(f)
}

func formatFloat(flags string, verb byte, f float64) string {
	if (verb == 'g' || verb == 'G') && !strings.Contains(flags, ".") {
		flags += ".6" // C's default; Go's is the shortest
	}
	return fmt.Sprintf(flags+string(verb), f)
}

// quoteLua writes s as a literal that Lua reads back.
func quoteLua(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '"', '\\', '\n':
			b.WriteByte('\\')
			b.WriteByte(c)
		case '\r':
			b.WriteString(`\r`)
		case 0:
			b.WriteString(`\000`)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
