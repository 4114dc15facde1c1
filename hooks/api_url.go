package hooks

import (
	"errors"
	"iter"
	"net/url"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// urlQuery is url.query(text): a table of the first value of each parameter.
// A text that is not well-formed gives what can be read of it, so that a hook
// refuses for a missing key and not by an error.
func (st *state) urlQuery(L *lua.LState) int {
	s := L.CheckString(1)
	st.check(L, st.call.grow(len(s)) && st.call.tick(len(s)/4))
	L.Push(st.queryTable(s))
	return 1
}

// queryTable makes a table of a query.
func (st *state) queryTable(s string) *lua.LTable {
	t := st.L.CreateTable(0, min(strings.Count(s, "&")+1, 32))
	n := 0
	for key, value := range parameters(s) {
		if t.RawGetString(key) != lua.LNil {
			continue // the first holds
		}
		if n++; n > maxParams {
			break
		}
		t.RawSetString(key, lua.LString(value))
	}
	return t
}

// maxParams bounds the parameters of a query.
const maxParams = 1000

// parameters are those of "a=1&b=2", with or without a leading "?".
func parameters(s string) iter.Seq2[string, string] {
	if s != "" && s[0] == '?' {
		s = s[1:]
	}
	return func(yield func(key, value string) bool) {
		for rest := s; rest != ""; {
			var pair string
			pair, rest = cutByte(rest, '&')
			key, value := cutByte(pair, '=')
			if key = unescape(key); key != "" && !yield(key, unescape(value)) {
				return
			}
		}
	}
}

func cutByte(s string, c byte) (before, after string) {
	for i := range len(s) {
		if s[i] == c {
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// unescape decodes %XX and "+"; what is no escape stays as it is.
func unescape(s string) string {
	u, err := url.QueryUnescape(s)
	if err != nil {
		return s
	}
	return u
}

// urlParse is url.parse(text): a table, or nil and an error.
func (st *state) urlParse(L *lua.LState) int {
	s := L.CheckString(1)
	st.check(L, st.call.grow(2*len(s)) && st.call.tick(len(s)/4))
	u, err := url.Parse(s)
	if err != nil {
		return fail(L, err)
	}
	password, _ := u.User.Password()
	t := st.L.NewTable()
	for name, s := range map[string]string{
		"scheme": u.Scheme, "host": u.Hostname(), "port": u.Port(), "path": u.Path, "query": u.RawQuery,
		"fragment": u.Fragment, "user": u.User.Username(), "password": password,
	} {
		t.RawSetString(name, text(s))
	}
	t.RawSetString("params", st.queryTable(u.RawQuery))
	L.Push(t)
	return 1
}

// urlEncode is url.encode(text or table): a table becomes a query, its keys in
// order.
func (st *state) urlEncode(L *lua.LState) int {
	if t, ok := L.Get(1).(*lua.LTable); ok {
		s, err := st.form(t)
		if err != nil {
			L.RaiseError("%s", err.Error())
		}
		return st.pushString(L, s)
	}
	s := L.CheckString(1)
	st.text(L, 3*len(s))
	L.Push(lua.LString(url.QueryEscape(s)))
	return 1
}

func (st *state) urlDecode(L *lua.LState) int {
	s := L.CheckString(1)
	st.text(L, len(s))
	u, err := url.QueryUnescape(s)
	if err != nil {
		return fail(L, err)
	}
	L.Push(lua.LString(u))
	return 1
}

// form encodes a table of texts, numbers and booleans.
func (st *state) form(t *lua.LTable) (string, error) {
	st.fill(t)
	list, err := entries(t, maxParams)
	if err != nil {
		return "", err
	}
	values := url.Values{}
	size := 0
	for _, e := range list {
		switch e.value.(type) {
		case lua.LString, lua.LNumber, lua.LBool:
		default:
			return "", wrongType("a string, a number or a boolean", e.value)
		}
		if size += 3 * (len(e.name) + len(e.value.String())); size > 3*maxString {
			return "", errors.New("the form is too long")
		}
		values.Set(e.name, e.value.String())
	}
	return values.Encode(), nil
}
