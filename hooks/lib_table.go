package hooks

import (
	"sort"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

func (st *state) openTable() {
	st.setFunctions(st.library("table"), map[string]lua.LGFunction{
		"concat": st.tableConcat,
		"sort":   st.tableSort,
	})
}

func (st *state) tableConcat(L *lua.LState) int {
	t, sep := L.CheckTable(1), L.OptString(2, "")
	first, last := L.OptInt(3, 1), L.OptInt(4, t.Len())
	total := 0
	for i := first; i <= last; i++ {
		v := t.RawGet(lua.LNumber(i))
		if !lua.LVCanConvToString(v) {
			L.RaiseError("invalid value (%s) at index %d in table for concat", v.Type().String(), i)
		}
		total += len(lua.LVAsString(v)) + len(sep)
		if total > maxString+len(sep) {
			L.RaiseError("table.concat makes a string longer than the limit of %d bytes", maxString)
		}
		st.check(L, st.call.tick(1))
	}
	st.check(L, st.call.grow(total))
	var b strings.Builder
	for i := first; i <= last; i++ {
		if i > first {
			b.WriteString(sep)
		}
		b.WriteString(lua.LVAsString(t.RawGet(lua.LNumber(i))))
	}
	L.Push(lua.LString(b.String()))
	return 1
}

// tableSort sorts a copy of the array, so that a comparison that changes the
// table, or fails, leaves it whole.
func (st *state) tableSort(L *lua.LState) int {
	t := L.CheckTable(1)
	s := luaSorter{st: st, L: L}
	if L.GetTop() > 1 {
		s.less = L.CheckFunction(2)
	}
	n := t.Len()
	st.check(L, st.call.grow(16*n))
	s.values = make([]lua.LValue, n)
	for i := range s.values {
		s.values[i] = t.RawGetInt(i + 1)
	}
	sort.Sort(&s)
	for i, v := range s.values {
		t.RawSetInt(i+1, v)
	}
	return 0
}

type luaSorter struct {
	st     *state
	L      *lua.LState
	less   *lua.LFunction
	values []lua.LValue
}

func (s *luaSorter) Len() int      { return len(s.values) }
func (s *luaSorter) Swap(i, j int) { s.values[i], s.values[j] = s.values[j], s.values[i] }

// Less counts what the comparison costs: strings may be long.
func (s *luaSorter) Less(i, j int) bool {
	a, b := s.values[i], s.values[j]
	cost := 1
	if text, ok := a.(lua.LString); ok {
		cost += len(text) / 64
	}
	s.st.check(s.L, s.st.call.tick(cost))
	if s.less == nil {
		return s.L.LessThan(a, b)
	}
	s.L.Push(s.less)
	s.L.Push(a)
	s.L.Push(b)
	s.L.Call(2, 1)
	less := lua.LVAsBool(s.L.Get(-1))
	s.L.Pop(1)
	return less
}
