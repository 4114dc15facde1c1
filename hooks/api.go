package hooks

import lua "github.com/yuin/gopher-lua"

// functions are the members of a library.
type functions = map[string]lua.LGFunction

// openMillrace makes the table millrace. hooks/millrace.lua and README.md
// describe it; a test holds them equal.
func (st *state) openMillrace() {
	top := st.L.NewTable()
	st.base.RawSetString("millrace", top)
	st.setFunctions(top, st.apiTop())
	for name, members := range st.apiTables() {
		t := st.L.NewTable()
		st.setFunctions(t, members)
		top.RawSetString(name, t)
	}
	json := top.RawGetString("json").(*lua.LTable)
	json.RawSetString("null", st.null)
}

func (st *state) apiTop() functions {
	return functions{
		"equals":      luaEquals,
		"hmac_md5":    st.hmac(hmacMD5),
		"hmac_sha1":   st.hmac(hmacSHA1),
		"hmac_sha256": st.hmac(hmacSHA256),
		"kick":        st.luaKick,
		"md5":         st.digest(hmacMD5),
		"sha256":      st.digest(hmacSHA256),
		"streams":     st.luaStreams,
	}
}

func (st *state) apiTables() map[string]functions {
	return map[string]functions{
		"base64": {"decode": st.base64Decode, "encode": st.base64Encode},
		"hex":    {"decode": st.hexDecode, "encode": st.hexEncode},
		"http":   {"get": st.httpGet, "post": st.httpPost},
		"ip":     {"in_cidr": st.ipInCIDR},
		"json":   {"decode": st.jsonDecode, "encode": st.jsonEncode},
		"jwt":    {"sign": st.jwtSign, "verify": st.jwtVerify},
		"log": {
			"debug": st.logAt(LevelDebug), "error": st.logAt(LevelError),
			"info": st.logAt(LevelInfo), "warn": st.logAt(LevelWarn),
		},
		"re":    {"find": st.reFind, "match": st.reMatch, "replace": st.reReplace},
		"store": {"add": st.storeAdd, "delete": st.storeDelete, "get": st.storeGet, "incr": st.storeIncr, "set": st.storeSet},
		"time":  {"format": st.timeFormat, "now": st.timeNow, "parse": st.timeParse},
		"url":   {"decode": st.urlDecode, "encode": st.urlEncode, "parse": st.urlParse, "query": st.urlQuery},
	}
}
