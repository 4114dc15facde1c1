package hooks

import (
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// openString replaces what cannot be interrupted or bounded, inside the string
// table itself: methods reach it through the strings' metatable.
func (st *state) openString() {
	lib := st.library("string")
	for _, name := range []string{"dump", "gfind"} {
		lib.RawSetString(name, lua.LNil)
	}
	lib.RawSetString("__metatable", lua.LFalse)
	st.setFunctions(lib, map[string]lua.LGFunction{
		"byte":    strByte,
		"find":    st.strFind,
		"format":  st.strFormat,
		"gmatch":  st.strGmatch,
		"gsub":    st.strGsub,
		"lower":   st.strLower,
		"match":   st.strMatch,
		"rep":     st.strRep,
		"reverse": st.strReverse,
		"upper":   st.strUpper,
	})
}

// byteValues are the numbers of all bytes, ready to be pushed: making one anew
// allocates, and loops over a string make many.
var byteValues = func() (values [256]lua.LValue) {
	for i := range values {
		values[i] = lua.LNumber(i)
	}
	return values
}()

// integer is n as a value.
func integer(n int) lua.LValue {
	if n >= 0 && n < len(byteValues) {
		return byteValues[n]
	}
	return lua.LNumber(n)
}

func strByte(L *lua.LState) int {
	s := L.CheckString(1)
	if i, ok := L.Get(2).(lua.LNumber); ok && i >= 1 && i <= lua.LNumber(len(s)) && L.GetTop() == 2 {
		L.Push(byteValues[s[int(i)-1]]) // what loops ask for
		return 1
	}
	first := startIndex(L.OptInt(2, 1), len(s))
	last := endIndex(L.OptInt(3, first+1), len(s))
	if last-first > maxResults {
		L.RaiseError("string slice too long (at most %d)", maxResults)
	}
	n := 0
	for i := first; i < last; i++ {
		L.Push(byteValues[s[i]])
		n++
	}
	return n
}

// startIndex turns a position of Lua (from 1, or from the end) into an index
// in [0, n], and endIndex one that is included into an index past it.
func startIndex(i, n int) int {
	switch {
	case i > 0:
		return min(i-1, n)
	case i == 0 || i < -n:
		return 0
	}
	return n + i
}

func endIndex(i, n int) int {
	if i < 0 {
		return max(n+i+1, 0)
	}
	return min(i, n)
}

func (st *state) strLower(L *lua.LState) int {
	return st.mapBytes(L, func(b byte) byte {
		if b >= 'A' && b <= 'Z' {
			b |= 0x20
		}
		return b
	})
}

func (st *state) strUpper(L *lua.LState) int {
	return st.mapBytes(L, func(b byte) byte {
		if b >= 'a' && b <= 'z' {
			b &^= 0x20
		}
		return b
	})
}

func (st *state) mapBytes(L *lua.LState, f func(byte) byte) int {
	s := L.CheckString(1)
	st.text(L, len(s))
	out := []byte(s)
	for i := range out {
		out[i] = f(out[i])
	}
	L.Push(lua.LString(out))
	return 1
}

func (st *state) strReverse(L *lua.LState) int {
	s := L.CheckString(1)
	st.text(L, len(s))
	out := make([]byte, len(s))
	for i := range len(s) {
		out[len(s)-1-i] = s[i]
	}
	L.Push(lua.LString(out))
	return 1
}

func (st *state) strRep(L *lua.LState) int {
	s, n := L.CheckString(1), L.CheckInt(2)
	if n <= 0 || s == "" {
		L.Push(lua.LString(""))
		return 1
	}
	if n > maxString/len(s) {
		L.RaiseError("string.rep makes a string longer than the limit of %d bytes", maxString)
	}
	st.text(L, n*len(s))
	L.Push(lua.LString(strings.Repeat(s, n)))
	return 1
}

// pattern returns the parsed form of p: one that the state used lately, or from
// the cache of all states.
func (st *state) pattern(L *lua.LState, p string) *pattern {
	for _, parsed := range st.recent {
		if parsed != nil && parsed.text == p {
			return parsed
		}
	}
	parsed, err := st.svc.patterns.get(p, parsePattern)
	if err != nil {
		L.RaiseError("%s", err.Error())
	}
	st.recent[st.oldest] = parsed
	st.oldest = (st.oldest + 1) % len(st.recent)
	return parsed
}

// matchOnce is matcher for a function that is through with it before the script
// goes on.
func (st *state) matchOnce(L *lua.LState, src, p string) *matcher {
	st.match.begin(src, st.pattern(L, p), st.tick)
	return &st.match
}

// search finds, and ends the script's function when the call has to stop.
func (st *state) search(L *lua.LState, m *matcher, from int) (start, end int) {
	start, end = m.find(from)
	st.check(L, !m.stopped)
	return start, end
}

// pushCaptures pushes the captures of a match; without any, the whole of it.
func pushCaptures(L *lua.LState, m *matcher, start, end int) int {
	if m.p.captures == 0 {
		L.Push(lua.LString(m.src[start:end]))
		return 1
	}
	for i := range m.p.captures {
		L.Push(m.capture1(i))
	}
	return m.p.captures
}

// capture1 is the value of a capture.
func (m *matcher) capture1(i int) lua.LValue {
	c := m.caps[i]
	if c.end == isPosition {
		return integer(c.start + 1)
	}
	return lua.LString(m.src[c.start:c.end])
}

func (st *state) strFind(L *lua.LState) int {
	s, p := L.CheckString(1), L.CheckString(2)
	from := L.OptInt(3, 1)
	if from > len(s)+1 {
		L.Push(lua.LNil)
		return 1
	}
	begin := startIndex(from, len(s))
	if L.ToBool(4) || !strings.ContainsAny(p, "^$*+?.([%-") {
		return st.plainFind(L, s, p, begin)
	}
	m := st.matchOnce(L, s, p)
	start, end := st.search(L, m, begin)
	if start < 0 {
		L.Push(lua.LNil)
		return 1
	}
	L.Push(integer(start + 1))
	L.Push(integer(end))
	if m.p.captures == 0 {
		return 2
	}
	return 2 + pushCaptures(L, m, start, end)
}

func (st *state) plainFind(L *lua.LState, s, p string, begin int) int {
	st.check(L, st.call.tick((len(s)-begin)/16))
	i := strings.Index(s[begin:], p)
	if i < 0 {
		L.Push(lua.LNil)
		return 1
	}
	L.Push(integer(begin + i + 1))
	L.Push(integer(begin + i + len(p)))
	return 2
}

func (st *state) strMatch(L *lua.LState) int {
	s, p := L.CheckString(1), L.CheckString(2)
	m := st.matchOnce(L, s, p)
	start, end := st.search(L, m, startIndex(L.OptInt(3, 1), len(s)))
	if start < 0 {
		L.Push(lua.LNil)
		return 1
	}
	return pushCaptures(L, m, start, end)
}

func (st *state) strGmatch(L *lua.LState) int {
	s, p := L.CheckString(1), L.CheckString(2)
	if strings.HasPrefix(p, "^") {
		p = "%" + p // in an iteration it is no anchor, but a character
	}
	it := &iteration{st: st}
	it.m.begin(s, st.pattern(L, p), st.tick)
	L.Push(L.NewFunction(it.next))
	return 1
}

// iteration is a string.gmatch under way.
type iteration struct {
	st  *state
	m   matcher
	pos int
}

// next pushes the captures of the next match, or nil.
func (it *iteration) next(L *lua.LState) int {
	if it.pos > len(it.m.src) {
		L.Push(lua.LNil)
		return 1
	}
	start, end := it.st.search(L, &it.m, it.pos)
	if start < 0 {
		it.pos = len(it.m.src) + 1
		L.Push(lua.LNil)
		return 1
	}
	it.pos = max(end, start+1)
	return pushCaptures(L, &it.m, start, end)
}
