package hooks

import (
	"math"

	lua "github.com/yuin/gopher-lua"
)

// strGsub is string.gsub. The result is counted while it grows.
func (st *state) strGsub(L *lua.LState) int {
	s, p := L.CheckString(1), L.CheckString(2)
	L.CheckTypes(3, lua.LTString, lua.LTNumber, lua.LTTable, lua.LTFunction)
	most, parsed := L.OptInt(4, math.MaxInt), st.pattern(L, p)
	if whole := L.Get(1); whole.Type() == lua.LTString && parsed.absent(s) {
		st.check(L, st.call.tick(len(s)/4))
		L.Push(whole) // another value of the same would be allocated
		L.Push(integer(0))
		return 2
	}
	g := st.takeGsub()
	g.m.begin(s, parsed, st.tick)
	g.repl = L.Get(3)
	count := g.run(L, most)
	if count == 0 {
		L.Push(lua.LString(s))
	} else {
		L.Push(lua.LString(g.out))
	}
	L.Push(integer(count))
	st.spare = g
	return 2
}

// gsub is a string.gsub under way.
type gsub struct {
	st   *state
	m    matcher
	repl lua.LValue
	out  []byte
}

// takeGsub returns the one that the last call left, or a new one while another
// is under way: a callback may call string.gsub too.
func (st *state) takeGsub() *gsub {
	g := st.spare
	if st.spare = nil; g == nil {
		return &gsub{st: st}
	}
	g.out = g.out[:0]
	return g
}

// forget lets go of what a call left in g, for another call; g may be nil.
func (g *gsub) forget() {
	if g == nil {
		return
	}
	g.m, g.repl = matcher{}, nil
	if cap(g.out) > keptBytes {
		g.out = nil
	}
}

// run writes the result to out, and returns the number of matches.
func (g *gsub) run(L *lua.LState, most int) (count int) {
	s, pos, copied := g.m.src, 0, 0
	for count < most && pos <= len(s) {
		if pos = g.m.skip(pos); pos < 0 {
			break
		}
		end := g.m.at(pos)
		if end >= 0 {
			count++
			g.add(L, s[copied:pos])
			g.replace(L, pos, end)
			copied = end
		}
		if g.m.p.anchored || g.m.stopped {
			break
		}
		pos = max(end, pos+1) // past an empty match, its character is copied
	}
	g.st.check(L, !g.m.stopped)
	if count > 0 {
		g.add(L, s[copied:])
		g.st.check(L, g.st.call.grow(len(g.out))) // the buffer may be of another call
	}
	return count
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
		n := pushCaptures(L, &g.m, start, end)
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
