package hooks

import (
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// maxResults bounds how many values one function pushes.
const maxResults = 4096

// maxLoad is the size of a text that load compiles, in bytes: the compiler is
// not interrupted.
const maxLoad = 16 << 10

func (st *state) openBase() {
	st.setFunctions(st.base, map[string]lua.LGFunction{
		concatName:   st.luaConcat,
		passName:     (*lua.LState).GetTop, // its arguments are its results
		"load":       st.luaLoad,
		"loadstring": st.luaLoad,
		"next":       st.luaNext,
		"pairs":      st.luaPairs,
		"rawget":     st.luaRawGet,
		"print":      st.luaPrint,
		"rawset":     st.luaRawSet,
		"require":    st.luaRequire,
		"unpack":     luaUnpack,
	})
}

// luaConcat is "..": see rewriter.
func (st *state) luaConcat(L *lua.LState) int {
	n, total := L.GetTop(), 0
	for i := 1; i <= n; i++ {
		switch v := L.Get(i).(type) {
		case lua.LString:
			total += len(v)
		case lua.LNumber:
			total += 8
		default:
			return st.concatMeta(L, n)
		}
	}
	st.text(L, total)
	var b strings.Builder
	b.Grow(total)
	for i := 1; i <= n; i++ {
		b.WriteString(lua.LVAsString(L.Get(i)))
	}
	L.Push(lua.LString(b.String()))
	return 1
}

// concatMeta joins n operands from the right, with __concat where an operand
// is neither a string nor a number.
func (st *state) concatMeta(L *lua.LState, n int) int {
	right := L.Get(n)
	for i := n - 1; i >= 1; i-- {
		right = st.concatTwo(L, L.Get(i), right)
	}
	L.Push(right)
	return 1
}

func (st *state) concatTwo(L *lua.LState, a, b lua.LValue) lua.LValue {
	if lua.LVCanConvToString(a) && lua.LVCanConvToString(b) {
		left, right := lua.LVAsString(a), lua.LVAsString(b)
		st.text(L, len(left)+len(right))
		return lua.LString(left + right)
	}
	fn := L.GetMetaField(a, "__concat")
	if fn == lua.LNil {
		fn = L.GetMetaField(b, "__concat")
	}
	if fn == lua.LNil {
		bad := a
		if lua.LVCanConvToString(a) {
			bad = b
		}
		L.RaiseError("attempt to concatenate a %s value", bad.Type().String())
	}
	L.Push(fn)
	L.Push(a)
	L.Push(b)
	L.Call(2, 1)
	v := L.Get(-1)
	L.Pop(1)
	return v
}

// luaLoad compiles a text; it is nil and the error when that fails.
func (st *state) luaLoad(L *lua.LState) int {
	text, name := L.CheckString(1), L.OptString(2, "=(load)")
	if len(text) > maxLoad {
		L.RaiseError("a text of %d bytes is longer than load takes (%d)", len(text), maxLoad)
	}
	// A tree and its code are many times the text.
	st.check(L, st.call.grow(len(text)*64) && st.call.tick(len(text)))
	c, err := compile(strings.TrimPrefix(name, "="), text)
	if err != nil {
		return fail(L, err)
	}
	fn := L.NewFunctionFromProto(c.proto)
	fn.Env = st.current.env
	L.Push(fn)
	return 1
}

// luaNext counts the entries that were deleted, over which the table walks.
func (st *state) luaNext(L *lua.LState) int {
	t := L.CheckTable(1)
	st.fill(t)
	key := lua.LValue(lua.LNil)
	if L.GetTop() >= 2 {
		key = L.Get(2)
	}
	st.check(L, st.call.tick(1))
	k, v := t.Next(key)
	L.Push(k)
	if k == lua.LNil {
		return 1
	}
	L.Push(v)
	return 2
}

func (st *state) luaPairs(L *lua.LState) int {
	t := L.CheckTable(1)
	L.Push(st.base.RawGetString("next"))
	L.Push(t)
	L.Push(lua.LNil)
	return 3
}

func (st *state) luaRawGet(L *lua.LState) int {
	t := L.CheckTable(1)
	st.fill(t)
	L.Push(L.RawGet(t, L.CheckAny(2)))
	return 1
}

// luaPrint logs its arguments at the level info.
func (st *state) luaPrint(L *lua.LState) int {
	parts := make([]string, 0, L.GetTop())
	for i := 1; i <= L.GetTop(); i++ {
		parts = append(parts, L.ToStringMeta(L.Get(i)).String())
	}
	st.log(L, LevelInfo, strings.Join(parts, "\t"), nil)
	return 0
}

// luaRawSet refuses to write past the guard of globals and libraries.
func (st *state) luaRawSet(L *lua.LState) int {
	t := L.CheckTable(1)
	if mt, ok := t.Metatable.(*lua.LTable); ok && mt.RawGetString("__metatable") == lua.LFalse {
		L.RaiseError("rawset of a protected table")
	}
	key := L.CheckAny(2)
	if key == lua.LNil {
		L.RaiseError("table index is nil")
	}
	L.RawSet(t, key, L.CheckAny(3))
	L.SetTop(1)
	return 1
}

// luaRequire runs a file of the script's folder once per script and state.
func (st *state) luaRequire(L *lua.LState) int {
	name := L.CheckString(1)
	s := st.current
	if v, ok := s.modules[name]; ok {
		if v == nil {
			L.RaiseError("module %q requires itself", name)
		}
		L.Push(v)
		return 1
	}
	c, err := s.source.module(name)
	if err != nil {
		L.RaiseError("%s", err.Error())
	}
	s.modules[name] = nil
	fn := L.NewFunctionFromProto(c.proto)
	fn.Env = s.env
	L.Push(fn)
	L.Push(lua.LString(name))
	L.Call(1, 1)
	v := L.Get(-1)
	if v == lua.LNil {
		L.Pop(1)
		v = lua.LTrue
		L.Push(v)
	}
	s.modules[name] = v
	return 1
}

func luaUnpack(L *lua.LState) int {
	t := L.CheckTable(1)
	first, last := L.OptInt(2, 1), L.OptInt(3, t.Len())
	if last-first >= maxResults || last < 0 && first > 0 && last-first > 0 {
		L.RaiseError("too many results to unpack (at most %d)", maxResults)
	}
	n := 0
	for i := first; i <= last; i++ {
		L.Push(t.RawGet(lua.LNumber(i)))
		n++
	}
	return n
}
