package hooks

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// strFormat is string.format with widths and precisions of at most 99, as Lua
// has it: Go's own would pad to any width.
func (st *state) strFormat(L *lua.LState) int {
	format := L.CheckString(1)
	out, arg := st.bytes[:0], 1
	st.bytes = nil // a __tostring may format too
	for i := 0; i < len(format); {
		if format[i] != '%' {
			j := strings.IndexByte(format[i:], '%')
			if j < 0 {
				j = len(format) - i
			}
			out = append(out, format[i:i+j]...)
			i += j
			continue
		}
		spec, verb := cutSpec(format[i:])
		if verb == 0 {
			L.RaiseError("invalid format %q (width or precision too long?)", spec)
		}
		i += len(spec)
		if verb == '%' {
			out = append(out, '%')
			continue
		}
		arg++
		if out = st.formatOne(L, out, spec, verb, arg); len(out) > maxString {
			L.RaiseError("string.format makes a string longer than the limit of %d bytes", maxString)
		}
	}
	st.text(L, len(out))
	L.Push(lua.LString(out))
	st.bytes = out
	return 1
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

// formatOne appends an argument to out.
func (st *state) formatOne(L *lua.LState, out []byte, spec string, verb byte, arg int) []byte {
	flags := spec[:len(spec)-1]
	switch verb {
	case 'c':
		return append(out, byte(L.CheckInt(arg)))
	case 'd', 'i':
		n := toInt64(L.CheckNumber(arg))
		if plain, ok := appendPlain(out, flags, n, 10); ok {
			return plain
		}
		return fmt.Appendf(out, flags+"d", n)
	case 'u':
		return fmt.Appendf(out, flags+"d", uint64(toInt64(L.CheckNumber(arg))))
	case 'x':
		n := toInt64(L.CheckNumber(arg))
		if plain, ok := appendPlain(out, flags, n, 16); ok {
			return plain
		}
		return fmt.Appendf(out, spec, uint64(n))
	case 'o', 'X':
		return fmt.Appendf(out, spec, uint64(toInt64(L.CheckNumber(arg))))
	case 'e', 'E', 'f', 'g', 'G':
		return appendFloat(out, flags, verb, float64(L.CheckNumber(arg)))
	case 'q':
		return appendQuoted(out, L.CheckString(arg))
	}
	s := L.ToStringMeta(L.CheckAny(arg)).String()
	if len(s) > maxString || flags == "%" {
		return append(out, s...) // what is too long, the caller refuses
	}
	return fmt.Appendf(out, spec, s)
}

// appendPlain appends n when nothing but a width is asked for, as in %04x; false:
// there is more, or a sign.
func appendPlain(out []byte, flags string, n int64, base int) ([]byte, bool) {
	width, pad := 0, byte(' ')
	for i := 1; i < len(flags); i++ {
		switch c := flags[i]; {
		case !isDigit(c):
			return out, false
		case i == 1 && c == '0':
			pad = c
		default:
			width = 10*width + int(c-'0')
		}
	}
	if n < 0 {
		return out, false
	}
	var room [20]byte
	digits := strconv.AppendInt(room[:0], n, base)
	for range width - len(digits) {
		out = append(out, pad)
	}
	return append(out, digits...), true
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

func appendFloat(out []byte, flags string, verb byte, f float64) []byte {
	if (verb == 'g' || verb == 'G') && !strings.Contains(flags, ".") {
		flags += ".6" // C's default; Go's is the shortest
	}
	return fmt.Appendf(out, flags+string(verb), f)
}

// appendQuoted writes s as a literal that Lua reads back.
func appendQuoted(out []byte, s string) []byte {
	out = append(out, '"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '"', '\\', '\n':
			out = append(out, '\\', c)
		case '\r':
			out = append(out, `\r`...)
		case 0:
			out = append(out, `\000`...)
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}
