package hooks

import (
	"errors"
	"fmt"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// httpGet is http.get(url, {headers=, timeout=}): a table with status, body and
// headers, or nil and an error.
func (st *state) httpGet(L *lua.LState) int {
	r := httpRequest{method: "GET", url: L.CheckString(1)}
	return st.httpDo(L, r, L.OptTable(2, nil))
}

// httpPost is http.post(url, body, {headers=, timeout=}); a table as the body
// is sent as a form.
func (st *state) httpPost(L *lua.LState) int {
	r := httpRequest{method: "POST", url: L.CheckString(1), headers: map[string]string{}}
	if form, ok := L.Get(2).(*lua.LTable); ok {
		body, err := st.form(form)
		if err != nil {
			L.ArgError(2, err.Error())
		}
		r.body = body
		r.headers["Content-Type"] = "application/x-www-form-urlencoded"
	} else {
		r.body = L.OptString(2, "")
	}
	return st.httpDo(L, r, L.OptTable(3, nil))
}

func (st *state) httpDo(L *lua.LState, r httpRequest, options *lua.LTable) int {
	r.timeout = st.call.left()
	if options != nil {
		if headers, ok := options.RawGetString("headers").(*lua.LTable); ok {
			st.fill(headers)
		}
		if err := r.options(options); err != nil {
			L.RaiseError("%s", err.Error())
		}
	}
	var a *httpAnswer
	var err error
	st.call.outside(func() { a, err = st.svc.http.do(r) })
	st.check(L, st.call.err == nil)
	if err != nil {
		return fail(L, err)
	}
	st.check(L, st.call.grow(len(a.body)))
	t := L.NewTable()
	t.RawSetString("status", lua.LNumber(a.status))
	t.RawSetString("body", lua.LString(a.body))
	t.RawSetString("headers", st.textTable(a.headers))
	L.Push(t)
	return 1
}

// options reads the last argument of a request. A timeout cannot be later than
// the call's deadline.
func (r *httpRequest) options(t *lua.LTable) error {
	list, err := entries(t, maxEntries)
	if err != nil {
		return err
	}
	for _, e := range list {
		switch e.name {
		case "timeout":
			n, ok := e.value.(lua.LNumber)
			if !ok || !(n > 0) {
				return errors.New("timeout must be a number of seconds")
			}
			r.timeout = min(r.timeout, time.Duration(min(float64(n), maxSeconds)*float64(time.Second)))
		case "headers":
			headers, err := mapOf(e.value, textOf)
			if err != nil {
				return fmt.Errorf("headers: %w", err)
			}
			r.headers = merge(r.headers, headers)
		default:
			return fmt.Errorf("there is no option %q of a request (headers, timeout)", e.name)
		}
	}
	return nil
}
