package hooks

import (
	"math"

	lua "github.com/yuin/gopher-lua"
)

// strGsub is string.gsub. The result is counted while it grows.
func (st *state) strGsub(L *lua.LState) int {
	s, p := L.CheckString(1), L.CheckString(2)
	L.CheckTypes(3, lua.LTString, lua.LTNumber, lua.LTTable, lua.LTFunction)
	repl, most := L.Get(3), L.OptInt(4, math.MaxInt)
	g := gsub{st: st, m: st.matcher(L, s, p), repl: repl}
	pos, copied, count := 0, 0, 0
	for count < most && pos <= len(s) {
		end := g.m.at(pos)
		st.check(L, !g.m.stopped)
		if end >= 0 {
			count++
			g.add(L, s[copied:pos])
			g.replace(L, pos, end)
			copied = end
		}
		if g.m.p.anchored {
			break
		}
		pos = max(end, pos+1) // past an empty match, its character is copied
	}
	if count == 0 {
		L.Push(lua.LString(s))
	} else {
		g.add(L, s[copied:])
		L.Push(lua.LString(g.out))
	}
	L.Push(lua.LNumber(count))
	return 2
}

type gsub struct {
	st   *state
	m    *matcher
	repl lua.LValue
	out  []byte
}

// add appends s to the result, whose growth is counted when its buffer grows.
func (g *gsub) add(L *lua.LState, s string) {
	if len(g.out)+len(s) > maxString {
		L.RaiseError("string.gsub makes a string longer than the limit of %d bytes", maxString)
	}
	if len(g.out)+len(s) > cap(g.out) {
		g.st.check(L, g.st.call.grow(2*(len(g.out)+len(s))))
	}
	g.out = append(g.out, s...)
}

// replace appends what stands for the match m.src[start:end].
func (g *gsub) replace(L *lua.LState, start, end int) {
	var v lua.LValue
	switch repl := g.repl.(type) {
	case *lua.LTable:
		v = L.GetTable(repl, g.first(start, end))
	case *lua.LFunction:
		L.Push(repl)
		// A callback may call string functions; the captures are ours.
		n := pushCaptures(L, g.m, start, end)
		L.Call(n, 1)
		v = L.Get(-1)
		L.Pop(1)
	default:
		g.expand(L, lua.LVAsString(g.repl), start, end)
		return
	}
	switch {
	case !lua.LVAsBool(v):
		g.add(L, g.m.src[start:end])
	case lua.LVCanConvToString(v):
		g.add(L, lua.LVAsString(v))
	default:
		L.RaiseError("invalid replacement value (a %s)", v.Type().String())
	}
}

func (g *gsub) first(start, end int) lua.LValue {
	if g.m.p.captures == 0 {
		return lua.LString(g.m.src[start:end])
	}
	return g.m.capture1(0)
}

// expand appends a replacement text with its %0 to %9.
func (g *gsub) expand(L *lua.LState, repl string, start, end int) {
	for i := 0; i < len(repl); i++ {
		if repl[i] != '%' {
			g.add(L, repl[i:i+1])
			continue
		}
		i++
		switch {
		case i == len(repl):
			L.RaiseError("invalid use of %% in a replacement string")
		case repl[i] == '0':
			g.add(L, g.m.src[start:end])
		case repl[i] == '1' && g.m.p.captures == 0:
			g.add(L, g.m.src[start:end])
		case !isDigit(repl[i]):
			g.add(L, repl[i:i+1])
		case int(repl[i]-'1') >= g.m.p.captures:
			L.RaiseError("invalid capture index in a replacement string")
		default:
			g.add(L, lua.LVAsString(g.m.capture1(int(repl[i]-'1'))))
		}
	}
}
