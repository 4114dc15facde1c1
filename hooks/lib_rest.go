package hooks

import (
	"math/rand/v2"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// openMath replaces the random numbers: the library's seed is the process's.
func (st *state) openMath() {
	st.setFunctions(st.library("math"), map[string]lua.LGFunction{
		"random":     mathRandom,
		"randomseed": func(*lua.LState) int { return 0 }, // they are seeded, and not repeatable
	})
}

func mathRandom(L *lua.LState) int {
	if L.GetTop() == 0 {
		L.Push(lua.LNumber(rand.Float64()))
		return 1
	}
	low, high := 1, L.CheckInt(1)
	if L.GetTop() > 1 {
		low, high = high, L.CheckInt(2)
	}
	if high < low || high-low < 0 {
		L.ArgError(1, "interval is empty")
	}
	L.Push(lua.LNumber(low + rand.IntN(high-low+1)))
	return 1
}

// openOS keeps time, date, clock and difftime, and has them read our clock.
func (st *state) openOS() {
	lib := st.library("os")
	date, clock := lib.RawGetString("date").(*lua.LFunction), lib.RawGetString("time").(*lua.LFunction)
	kept := st.L.NewTable()
	kept.RawSetString("clock", lib.RawGetString("clock"))
	kept.RawSetString("difftime", lib.RawGetString("difftime"))
	st.base.RawSetString("os", kept)
	st.setFunctions(kept, map[string]lua.LGFunction{
		"date": func(L *lua.LState) int {
			format := L.OptString(1, "%c")
			if len(format) > maxPattern {
				L.ArgError(1, "the format is too long")
			}
			return callGo(L, date, lua.LString(format), L.OptNumber(2, seconds(st.svc.now())))
		},
		"time": func(L *lua.LState) int {
			if L.GetTop() == 0 || L.Get(1) == lua.LNil {
				L.Push(lua.LNumber(st.svc.now().Unix()))
				return 1
			}
			return callGo(L, clock, L.CheckTable(1))
		},
	})
}

func callGo(L *lua.LState, fn *lua.LFunction, args ...lua.LValue) int {
	L.Push(fn)
	for _, a := range args {
		L.Push(a)
	}
	L.Call(len(args), 1)
	return 1
}

// seconds is t as Lua has times: seconds since 1970, with a fraction.
func seconds(t time.Time) lua.LNumber {
	return lua.LNumber(float64(t.UnixMicro()) / 1e6)
}

// maxThreads is how many coroutines one call makes: each has a stack of its own.
const maxThreads = 64

// openCoroutine bounds the number of coroutines. Each runs under the same call,
// so that the deadline holds in it too; the library would give it a context
// with a goroutine that outlives it.
func (st *state) openCoroutine() {
	st.L.Options.MinimizeStackMemory = true // of coroutines; ours exists already
	st.L.Options.RegistrySize = 256
	lib := st.library("coroutine")
	for _, name := range []string{"create", "wrap"} {
		original := lib.RawGetString(name).(*lua.LFunction)
		lib.RawSetString(name, st.L.NewFunction(func(L *lua.LState) int { return st.newThread(L, original) }))
	}
}

func (st *state) newThread(L *lua.LState, create *lua.LFunction) int {
	fn := L.CheckFunction(1)
	if st.call.threads++; st.call.threads > maxThreads {
		L.RaiseError("more than %d coroutines in one call", maxThreads)
	}
	L.RemoveContext()
	n := callGo(L, create, fn)
	L.SetContext(&st.call)
	switch v := L.Get(-1).(type) {
	case *lua.LState:
		v.SetContext(&st.call)
	case *lua.LFunction: // of wrap: the thread is its upvalue
		v.Upvalues[0].Value().(*lua.LState).SetContext(&st.call)
	}
	return n
}
