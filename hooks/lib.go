package hooks

import (
	lua "github.com/yuin/gopher-lua"
)

// forbidden are functions of the base library that scripts do not get: files,
// environments, and what would stop the whole process for a collection.
var forbidden = []string{
	"collectgarbage", "dofile", "getfenv", "setfenv", "loadfile", "module", "newproxy", "_printregs",
	"_GOPHER_LUA_VERSION",
}

// openLibraries fills the state's base table: Lua's own libraries with fences,
// and millrace.*.
func (st *state) openLibraries() {
	L := st.L
	for _, open := range []lua.LGFunction{lua.OpenBase, lua.OpenTable, lua.OpenString, lua.OpenMath, lua.OpenOs, lua.OpenCoroutine} {
		L.Push(L.NewFunction(open))
		L.Call(0, 0)
	}
	st.base = L.Get(lua.GlobalsIndex).(*lua.LTable)
	for _, name := range forbidden {
		st.base.RawSetString(name, lua.LNil)
	}
	st.null = L.NewUserData()
	st.openLazy()
	st.openBase()
	st.openString()
	st.openTable()
	st.openMath()
	st.openOS()
	st.openCoroutine()
	st.openMillrace()
	st.lock()
}

// library returns the table of a standard library.
func (st *state) library(name string) *lua.LTable {
	return st.base.RawGetString(name).(*lua.LTable)
}

// set puts functions into a library.
func (st *state) setFunctions(lib *lua.LTable, functions map[string]lua.LGFunction) {
	for name, f := range functions {
		lib.RawSetString(name, st.L.NewFunction(f))
	}
}

// lock refuses new names in the libraries at run time: they are shared by all
// scripts of the state, and other states would not have them.
func (st *state) lock() {
	guard := st.L.NewTable()
	guard.RawSetString("__metatable", lua.LFalse)
	guard.RawSetString("__newindex", st.L.NewFunction(func(L *lua.LState) int {
		if !st.loading {
			L.RaiseError("field %q of a library is written at run time: make it local, or keep it in millrace.store", L.Get(2).String())
		}
		L.CheckTable(1).RawSet(L.Get(2), L.Get(3))
		return 0
	}))
	for _, name := range []string{"string", "table", "math", "os", "coroutine", "millrace"} {
		st.library(name).Metatable = guard
	}
	st.library("millrace").ForEach(func(_, v lua.LValue) {
		if t, ok := v.(*lua.LTable); ok {
			t.Metatable = guard
		}
	})
}

// check ends the function when the call has to stop.
func (st *state) check(L *lua.LState, ok bool) {
	if !ok {
		L.RaiseError("%s", st.call.err.Error())
	}
}

// text counts a new string of n bytes before it is made.
func (st *state) text(L *lua.LState, n int) {
	if n > maxString {
		L.RaiseError("a string of %d bytes is longer than the limit of %d", n, maxString)
	}
	st.check(L, st.call.grow(n))
}

// pushString counts s and pushes it.
func (st *state) pushString(L *lua.LState, s string) int {
	st.text(L, len(s))
	L.Push(lua.LString(s))
	return 1
}

// fail pushes nil and an error's text, the way Lua libraries report what a
// script may want to handle.
func fail(L *lua.LState, err error) int {
	L.Push(lua.LNil)
	L.Push(lua.LString(err.Error()))
	return 2
}
