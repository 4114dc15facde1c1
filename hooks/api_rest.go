package hooks

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"
)

func (st *state) storeGet(L *lua.LState) int {
	switch v := st.svc.store.get(L.CheckString(1)).(type) {
	case string:
		L.Push(lua.LString(v))
	case float64:
		L.Push(lua.LNumber(v))
	case bool:
		L.Push(lua.LBool(v))
	default:
		L.Push(lua.LNil)
	}
	return 1
}

// storeSet is store.set(key, value, ttl): true, or nil and an error; a value
// of nil deletes.
func (st *state) storeSet(L *lua.LState) int {
	if L.Get(2) == lua.LNil {
		return st.storeDelete(L)
	}
	return st.storePut(L, false)
}

// storeAdd stores only where nothing is; false: something was there.
func (st *state) storeAdd(L *lua.LState) int { return st.storePut(L, true) }

func (st *state) storePut(L *lua.LState, absent bool) int {
	ok, err := st.svc.store.set(L.CheckString(1), storable(L, 2), ttlOf(L, 3), absent)
	if err != nil {
		return fail(L, err)
	}
	L.Push(lua.LBool(ok))
	return 1
}

func (st *state) storeDelete(L *lua.LState) int {
	st.svc.store.delete(L.CheckString(1))
	L.Push(lua.LTrue)
	return 1
}

func (st *state) storeIncr(L *lua.LState) int {
	n, err := st.svc.store.incr(L.CheckString(1), float64(L.OptNumber(2, 1)), ttlOf(L, 3))
	if err != nil {
		return fail(L, err)
	}
	L.Push(lua.LNumber(n))
	return 1
}

// storable is argument arg as the store keeps it.
func storable(L *lua.LState, arg int) any {
	switch v := L.Get(arg).(type) {
	case lua.LString:
		return string(v)
	case lua.LNumber:
		return float64(v)
	case lua.LBool:
		return bool(v)
	}
	L.ArgError(arg, "the store takes strings, numbers and booleans; use json.encode for a table")
	return nil
}

func ttlOf(L *lua.LState, arg int) time.Duration {
	n := L.OptNumber(arg, 0)
	if !(n >= 0 && n <= maxSeconds) {
		L.ArgError(arg, "the time to live is in seconds, from 0 (for ever) to ten years")
	}
	return toDuration(float64(n))
}

func (st *state) timeNow(L *lua.LState) int {
	L.Push(seconds(st.svc.now()))
	return 1
}

// timeFormat is time.format(seconds): RFC 3339 in UTC.
func (st *state) timeFormat(L *lua.LState) int {
	n := float64(L.OptNumber(1, seconds(st.svc.now())))
	if !(n > -1e11 && n < 1e11) {
		L.ArgError(1, "the time is out of range")
	}
	return st.pushString(L, time.Unix(int64(n), 0).UTC().Format(time.RFC3339))
}

// timeParse is time.parse(text): seconds, or nil and an error.
func (st *state) timeParse(L *lua.LState) int {
	t, err := time.Parse(time.RFC3339Nano, L.CheckString(1))
	if err != nil {
		return fail(L, err)
	}
	L.Push(seconds(t))
	return 1
}

// maxSubject is the longest text that re matches, in bytes: the matching is
// linear in it, but is not interrupted.
const maxSubject = 64 << 10

func (st *state) regexp(L *lua.LState) (*regexp.Regexp, string) {
	p, s := L.CheckString(1), L.CheckString(2)
	if len(p) > maxPattern || len(s) > maxSubject {
		L.RaiseError("re takes patterns of at most %d bytes and texts of at most %d", maxPattern, maxSubject)
	}
	st.check(L, st.call.tick(len(s)+len(p)))
	re, err := st.svc.regexps.get(p, regexp.Compile)
	if err != nil {
		L.RaiseError("%s", err.Error())
	}
	return re, s
}

// reMatch is re.match(pattern, text): the groups, or the whole when there are
// none; nil without a match.
func (st *state) reMatch(L *lua.LState) int {
	re, s := st.regexp(L)
	groups := re.FindStringSubmatchIndex(s)
	if groups == nil {
		L.Push(lua.LNil)
		return 1
	}
	if len(groups) > 2 {
		groups = groups[2:]
	}
	for i := 0; i < len(groups); i += 2 {
		if groups[i] < 0 {
			L.Push(lua.LNil)
			continue
		}
		L.Push(lua.LString(s[groups[i]:groups[i+1]]))
	}
	return len(groups) / 2
}

// reFind is re.find(pattern, text): the first and last position, or nil.
func (st *state) reFind(L *lua.LState) int {
	re, s := st.regexp(L)
	at := re.FindStringIndex(s)
	if at == nil {
		L.Push(lua.LNil)
		return 1
	}
	L.Push(lua.LNumber(at[0] + 1))
	L.Push(lua.LNumber(at[1]))
	return 2
}

// reReplace is re.replace(pattern, text, replacement); $1 and ${name} stand
// for groups.
func (st *state) reReplace(L *lua.LState) int {
	re, s := st.regexp(L)
	with := L.CheckString(3)
	// Neither literal text nor groups can make the result longer than this.
	if most := (len(s)+1)*len(with) + len(s); most > 16*maxString {
		L.RaiseError("the result of re.replace may be too long")
	} else {
		st.text(L, min(most, maxString))
	}
	return st.pushString(L, re.ReplaceAllString(s, with))
}

// ipInCIDR is ip.in_cidr(address, prefix or list): an address may have a port,
// and a prefix without a length is one address.
func (st *state) ipInCIDR(L *lua.LState) int {
	addr, err := parseAddr(L.CheckString(1))
	if err != nil {
		return fail(L, err)
	}
	found := false
	for _, p := range stringsOf(L, 2) {
		prefix, err := parsePrefix(p)
		if err != nil {
			L.ArgError(2, err.Error())
		}
		st.check(L, st.call.tick(2))
		found = found || prefix.Contains(addr)
	}
	L.Push(lua.LBool(found))
	return 1
}

// stringsOf reads a string, or a list of them.
func stringsOf(L *lua.LState, arg int) []string {
	t, ok := L.Get(arg).(*lua.LTable)
	if !ok {
		return []string{L.CheckString(arg)}
	}
	list := make([]string, 0, t.Len())
	for i := range t.Len() {
		s, ok := t.RawGetInt(i + 1).(lua.LString)
		if !ok {
			L.ArgError(arg, "the list must hold strings")
		}
		list = append(list, string(s))
	}
	return list
}

func parseAddr(s string) (netip.Addr, error) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), nil
	}
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		return a, fmt.Errorf("%q is no address", clip(s, 64))
	}
	return a.Unmap().WithZone(""), nil
}

func parsePrefix(s string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p, nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is no network", clip(s, 64))
	}
	a = a.Unmap()
	return netip.PrefixFrom(a, a.BitLen()), nil
}

// luaKick is kick(id, reason): true when there was such a client or stream.
func (st *state) luaKick(L *lua.LState) int {
	id, reason := L.CheckString(1), clip(L.OptString(2, "kicked by a hook"), maxLogText)
	L.Push(lua.LBool(st.svc.kick(id, reason)))
	return 1
}

// luaStreams is streams(): the live streams, as on_stream_start describes them.
func (st *state) luaStreams(L *lua.LState) int {
	streams := st.svc.streams()
	st.check(L, st.call.grow(1024*len(streams)))
	t := L.CreateTable(len(streams), 0)
	for i := range streams {
		one := st.eventTable(&streams[i])
		st.fill(one)
		t.Append(one)
		st.check(L, st.call.tick(50))
	}
	L.Push(t)
	return 1
}
