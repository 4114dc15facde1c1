package hooks

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/millrace/millrace/core/event"
)

// expressions run in a hook, and have to give true; they describe the sandbox
// and the library.
var expressions = []struct{ name, text string }{
	{"nothing of the system", `io == nil and debug == nil and package == nil and dofile == nil and loadfile == nil and collectgarbage == nil and channel == nil`},
	{"os is time only", `os.execute == nil and os.exit == nil and os.getenv == nil and os.remove == nil and os.rename == nil and os.tmpname == nil and os.time() > 1e9`},
	{"no environments", `getfenv == nil and setfenv == nil and newproxy == nil and module == nil and _printregs == nil`},
	{"load", `load("return 1 + 1")() == 2 and load("(") == nil and loadstring("x = 1") ~= nil`},
	{"load writes no globals", `not pcall(load("x = 1"))`},
	{"no bytecode", `string.dump == nil and load("\27Lua") == nil`},
	{"the strings' metatable", `getmetatable("") == false and not pcall(setmetatable, "", {})`},
	{"globals are guarded", `not pcall(rawset, _G, "x", 1) and not pcall(setmetatable, _G, {}) and not pcall(rawset, string, "x", 1)`},
	{"globals by name", `not pcall(function() _G.x = 1 end) and not pcall(function() known = 2 end) and known == 1`},
	{"libraries are guarded", `not pcall(function() string.trim = 1 end) and not pcall(function() millrace.json.x = 1 end)`},
	{"no way out by require", `not pcall(require, "..hook") and not pcall(require, "../hook") and not pcall(require, "/etc/passwd") and not pcall(require, "nothing")`},
	{"require", `require("lib.words").hello == "hello" and require("lib.words") == require("lib.words") and require("pack").name == "pack"`},

	{"concat", `"a" .. 1 .. "b" .. 2.5 == "a1b2.5"`},
	{"concat one result", `("a" .. ("b"):gsub("b", "c")) == "ac"`},
	{"concat metamethod", `(setmetatable({}, {__concat = function(a, b) return "m" .. tostring(b) end}) .. "x") == "mx" and ("x" .. setmetatable({}, {__concat = function(a, b) return a .. "m" end})) == "xm"`},
	{"returns of a call", `select("#", (function() return unpack({1, 2, 3}) end)()) == 3`},
	{"returns of none", `select("#", (function() return (function() end)() end)()) == 0`},
	{"coroutines", `(function() local co = coroutine.wrap(function(a) local b = coroutine.yield(a + 1) return b * 2 end) return co(1) == 2 and co(5) == 10 end)()`},
	{"coroutine status", `(function() local co = coroutine.create(function() coroutine.yield() end) coroutine.resume(co) return coroutine.status(co) == "suspended" end)()`},

	{"find", `("hello"):find("l") == 3 and select(2, ("hello"):find("l+")) == 4 and ("a.b"):find(".", 1, true) == 2 and ("x"):find("y") == nil`},
	{"find from", `("abcabc"):find("b", 3) == 5 and ("abc"):find("", 10) == nil and ("abc"):find("", 4) == 4 and ("abc"):find("c", -1) == 3`},
	{"match", `("key=val"):match("(%w+)=(%w+)") == "key" and ("2026-01"):match("^%d+") == "2026" and ("abc"):match("()b()") == 2`},
	{"match classes", `("a1_ \t"):match("%a%d_%s+$") ~= nil and ("é"):match("%a") == nil and ("AF09"):match("^%x+$") ~= nil and ("a]b"):match("[]]") == "]" and ("a-b"):match("[a%-]+") == "a-" and ("x^"):match("[x^]+") == "x^"`},
	{"match sets", `("abc"):match("[^b]+") == "a" and ("hello"):match("[a-h]+") == "he" and ("AbC"):match("%U+") == "b"`},
	{"lazy", `("<a><b>"):match("<(.-)>") == "a" and ("aXb"):match("^(.-)X(.*)$") == "a"`},
	{"optional", `("color"):match("colou?r") == "color" and ("colour"):match("colou?r") == "colour"`},
	{"balance", `("f(a(b)c)d"):match("%b()") == "(a(b)c)"`},
	{"frontier", `("THE (quick) fox"):find("%f[%a]%a+%f[%A]") == 1 and ("a,b"):gsub("%f[%w]%w", "x") == "x,x"`},
	{"back reference", `("say 'hi' now"):match("(['\"])(.-)%1") == "'"`},
	{"anchored", `("aab"):gsub("^a", "x") == "xab" and ("hello"):match("^ello") == nil`},
	{"gsub", `("hello world"):gsub("o", "0") == "hell0 w0rld" and select(2, ("aaa"):gsub("a", "b", 2)) == 2 and ("abc"):gsub("%w", "%0%0") == "aabbcc"`},
	{"gsub empty", `("abc"):gsub("", "-") == "-a-b-c-" and ("abc"):gsub("x*", "-") == "-a-b-c-"`},
	{"gsub table", `("$a $b"):gsub("%$(%w)", {a = "1"}) == "1 $b" and ("ab"):gsub(".", {a = true and "x"}) == "xb"`},
	{"gsub function", `("ab"):gsub(".", function(c) return c:upper() end) == "AB" and ("ab"):gsub("(a)(b)", function(x, y) return y .. x end) == "ba"`},
	{"gmatch", `(function() local t = {} for k, v in ("a=1, b=2"):gmatch("(%w+)=(%w+)") do t[#t + 1] = k .. v end return table.concat(t, ";") == "a1;b2" end)()`},
	{"gsub of nothing", `select("#", ("abc"):gsub("x", "y")) == 2 and ("abc"):gsub("x", "y") == "abc" and select(2, ("abc"):gsub("[xy]+", "z")) == 0 and (""):gsub("x", "y") == "" and string.gsub(55, "6", "x") == "55" and ("abc"):gsub("b", "x", 0) == "abc"`},
	{"gsub in gsub", `("abab"):gsub("(a)(b)", function(x, y) return (y:gsub("b", "<%0>")) .. (x:gsub("a", function(c) return c:upper() end)) end) == "<b>A<b>A"`},
	{"gsub of one character", `("a+b+c"):gsub("+", " ") == "a b c" and ("a%41%zz%42"):gsub("%%(%x%x)", function(h) return string.char(tonumber(h, 16)) end) == "aA%zzB" and ("aXbX"):gsub("()X", "%1") == "a2b4"`},
	{"gsub after an error", `not pcall(string.gsub, "abc", "b", function() error("x") end) and ("abc"):gsub("b", "x") == "axc"`},
	{"gmatch of ^", `(function() local n = 0 for s in ("a^b^b"):gmatch("^b") do n = n + #s end return n == 4 end)()`},
	{"gmatch empty", `(function() local n = 0 for _ in ("abc"):gmatch("x*") do n = n + 1 end return n == 4 end)()`},
	{"bad patterns", `not pcall(string.find, "a", "[a") and not pcall(string.find, "a", "%") and not pcall(string.find, "a", "(a") and not pcall(string.match, "a", "a)") and not pcall(string.find, "a", "%1")`},
	{"format", `("%5.1f|%-4d|%04d|%x|%s|%q|%c|%%"):format(3.14159, 7, 42, 255, "s", 'a"b', 65) == [[  3.1|7   |0042|ff|s|"a\"b"|A|%]]`},
	{"format of widths", `("%d|%3d|%03d|%-3d|%+d|%.3d|% d"):format(7, 7, 7, 7, 7, 7, 7) == "7|  7|007|7  |+7|007| 7" and ("%d|%4d|%04d"):format(-7, -7, -7) == "-7|  -7|-007" and ("%x|%4x|%04x|%X|%#x|%o|%u|%i"):format(171, 171, 171, 171, 171, 8, 9, -9) == "ab|  ab|00ab|AB|0xab|10|9|-9" and ("%1d|%99d"):format(123, 5) == "123|" .. (" "):rep(98) .. "5"`},
	{"format of formats", `("%s-%s"):format(setmetatable({}, {__tostring = function() return ("%03d"):format(7) end}), "x") == "007-x" and ("%5s|%-5s|%.2s"):format("abc", "abc", "abc") == "  abc|abc  |ab"`},
	{"format g", `("%g %g %i"):format(0.1, 1e20, 3.9) == "0.1 1e+20 3" and ("%s %s"):format(nil, true) == "nil true"`},
	{"rep", `("ab"):rep(3) == "ababab" and ("x"):rep(0) == "" and ("x"):rep(-1) == ""`},
	{"case", `("aÉb"):upper() == "AÉB" and ("AbC"):lower() == "abc" and ("abc"):reverse() == "cba"`},
	{"byte", `("abc"):byte() == 97 and select("#", ("abc"):byte(1, -1)) == 3 and ("abc"):byte(-1) == 99 and ("abc"):byte(10) == nil`},
	{"byte anywhere", `("abc"):byte(1) == 97 and ("abc"):byte(3) == 99 and ("abc"):byte(4) == nil and ("abc"):byte(2.9) == 98 and pcall(string.byte, "abc", 1e300) and pcall(string.byte, "abc", math.huge) and pcall(string.byte, "abc", 0 / 0) and not pcall(string.byte, "abc", {})`},
	{"sort", `(function() local t = {3, 1, 2} table.sort(t) local u = {"b", "a"} table.sort(u, function(x, y) return x > y end) return table.concat(t) == "123" and table.concat(u) == "ba" end)()`},
	{"table.concat", `table.concat({1, 2, 3}, "-") == "1-2-3" and table.concat({}, "x") == "" and table.concat({1, 2, 3}, ",", 2) == "2,3"`},
	{"unpack", `select("#", unpack({1, nil, 3}, 1, 3)) == 3 and unpack({1, 2}, 2) == 2`},
	{"random", `math.random() < 1 and math.random(5) <= 5 and math.random(3, 3) == 3 and math.randomseed(1) == nil`},
	{"pairs of an event", `(function() local n = {} for k in pairs(v) do n[k] = true end return n.app and n.params and n.remote_addr and n.time and not n.gap end)()`},
	{"pairs of parameters", `(function() local n = 0 for k, x in pairs(v.params) do n = n + #k + #x end return n == 8 and next(v.headers) == nil end)()`},
	{"the event's tables", `v.params == v.params and v.params.token == "abc" and v.params.none == nil and v.labels.x == nil and v.nothing == nil and v.gap == nil and rawget(v, "app") == "live"`},
	{"an event may be written", `(function() v.app = "x" v.mine = 1 return v.app == "x" and v.mine == 1 end)()`},

	{"json", `millrace.json.encode({a = 1, b = {1, 2, "x"}, c = true, d = millrace.json.null}) == [[{"a":1,"b":[1,2,"x"],"c":true,"d":null}]]`},
	{"json of an event", `millrace.json.decode(millrace.json.encode(v)).params.token == "abc"`},
	{"json back", `millrace.json.decode([[{"a":[1,{"b":null}],"s":"\u00e9"}]]).a[2].b == millrace.json.null and millrace.json.decode("[") == nil and millrace.json.decode("1 2") == nil and millrace.json.decode("3.5") == 3.5`},
	{"json texts that are none", `(function() for _, s in ipairs({"", "[1 2]", "[1,]", "{1:2}", '{"a" 1}', '{"a":}', "[1}", "nul", '"a', "[", '{"a":1', "1]"}) do if millrace.json.decode(s) ~= nil then error(s) end end return true end)()`},
	{"json errors", `millrace.json.encode(print) == nil and select(2, millrace.json.encode({[print] = 1})) ~= nil and millrace.json.encode(0 / 0) == nil`},
	{"base64", `millrace.base64.encode("a?>") == "YT8+" and millrace.base64.encode("a?>", "url") == "YT8-" and millrace.base64.decode("YT8-") == "a?>" and millrace.base64.decode("YQ==") == "a" and millrace.base64.decode("!") == nil`},
	{"hex", `millrace.hex.encode("\1\255") == "01ff" and millrace.hex.decode("01FF") == "\1\255" and millrace.hex.decode("x") == nil`},
	{"hashes", `millrace.md5("") == "d41d8cd98f00b204e9800998ecf8427e" and millrace.sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" and #millrace.sha256("", "raw") == 32`},
	{"hmac", `millrace.hmac_sha256("key", "The quick brown fox jumps over the lazy dog") == "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8" and millrace.hmac_sha1("key", "The quick brown fox jumps over the lazy dog") == "de7c9b85b8b78aa6bc8a7a36f70a90701c9db4d9" and millrace.hmac_md5("key", "The quick brown fox jumps over the lazy dog", "base64") == "gAcHE0Y+d0m5DC3CSRHidQ=="`},
	{"equals", `millrace.equals("a", "a") and not millrace.equals("a", "b") and not millrace.equals(nil, nil) and not millrace.equals("", nil)`},
	{"hmac again", `millrace.hmac_sha256("key", "a") == millrace.hmac_sha256("key", "a") and millrace.hmac_sha256("key", "a") ~= millrace.hmac_sha256("kez", "a") and millrace.hmac_sha256("key", "The quick brown fox jumps over the lazy dog") == "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"`},
	{"match in match", `("a1b2"):gsub("%a", function(c) return (c .. "x"):match("(.)x"):upper() end) == "A1B2"`},
	{"url.query", `millrace.url.query("?a=1&b=x%20y+z&a=2&c").b == "x y z" and millrace.url.query("a=1&a=2").a == "1" and millrace.url.query("c").c == "" and millrace.url.query("%zz=1")["%zz"] == "1"`},
	{"url.parse", `millrace.url.parse("rtmp://u:p@h:1935/live/x?k=v").host == "h" and millrace.url.parse("rtmp://h:1935/live/x?k=v").params.k == "v" and millrace.url.parse("http://[::1") == nil`},
	{"url.encode", `millrace.url.encode("a b&c") == "a+b%26c" and millrace.url.encode({b = 1, a = "x y"}) == "a=x+y&b=1" and millrace.url.encode(v.params) == "token=abc" and millrace.url.decode("a%20b") == "a b" and millrace.url.decode("%") == nil`},
	{"jwt", `millrace.jwt.verify(millrace.jwt.sign({sub = "ann", exp = 4102444800}, {alg = "HS256", key = "k"}), {alg = "HS256", key = "k"}).sub == "ann"`},
	{"jwt pins", `millrace.jwt.verify(millrace.jwt.sign({sub = "a"}, {alg = "HS512", key = "k"}), {alg = "HS256", key = "k"}) == nil and not pcall(millrace.jwt.verify, "x", {alg = "none", key = "k"}) and not pcall(millrace.jwt.verify, "x", {key = "k"}) and not pcall(millrace.jwt.verify, "x", {alg = "HS256", key = "k", leway = 1})`},
	{"jwt keys", `not pcall(millrace.jwt.verify, "x", {alg = "RS256", key = "not PEM"}) and not pcall(millrace.jwt.sign, {}, {alg = "XX", key = "k"})`},
	{"re", `millrace.re.match([[(\d+)-(\d+)]], "a 12-34") == "12" and millrace.re.match("x+", "axxb") == "xx" and millrace.re.match("y", "x") == nil and millrace.re.find("b+", "abb") == 2 and millrace.re.replace([[(\w+)@]], "a@b", "$1 at ") == "a at b" and not pcall(millrace.re.match, "(", "x")`},
	{"ip", `millrace.ip.in_cidr("10.1.2.3:99", "10.0.0.0/8") and not millrace.ip.in_cidr("11.0.0.1", {"10.0.0.0/8", "::/0"}) and millrace.ip.in_cidr("[fe80::1%eth0]:1", "fe80::/10") and millrace.ip.in_cidr("x", "::/0") == nil and not pcall(millrace.ip.in_cidr, "::1", "x")`},
	{"store", `millrace.store.set("a", "x") and millrace.store.get("a") == "x" and millrace.store.add("a", "y") == false and millrace.store.delete("a") and millrace.store.get("a") == nil and millrace.store.incr("n", 2) == 2 and millrace.store.incr("n", -2) == 0 and millrace.store.get("n") == nil`},
	{"store types", `millrace.store.set("b", true) and millrace.store.get("b") == true and millrace.store.incr("b") == nil and not pcall(millrace.store.set, "t", {}) and millrace.store.set("", 1) == nil and millrace.store.set("b", nil) and millrace.store.get("b") == nil`},
	{"time", `millrace.time.now() > 1.7e9 and millrace.time.parse("2026-01-02T03:04:05Z") == 1767323045 and millrace.time.format(1767323045) == "2026-01-02T03:04:05Z" and millrace.time.parse("x") == nil`},
	{"http is closed", `millrace.http.get("http://127.0.0.1:1/") == nil and select(2, millrace.http.get("http://127.0.0.1:1/")):find("http_allow") and millrace.http.get("file:///etc/passwd") == nil`},
	{"kick", `millrace.kick("nobody") == false and #millrace.streams() == 0`},
}

// TestSandbox runs all expressions.
func TestSandbox(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("known = 1\nlocal tests = {}\n")
	for _, e := range expressions {
		b.WriteString("tests[ [==[" + e.name + "]==] ] = function(v) return " + e.text + " end\n")
	}
	b.WriteString(`function on_play(v) return tests[v.reason](v) and true or false end`)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"hook.lua":      b.String(),
		"lib/words.lua": `return {hello = "hello"}`,
		"pack/init.lua": `return {name = "pack"}`,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := start(t, "", func(o *Options) { o.Scripts = []string{dir} })
	for _, e := range expressions {
		v := ask(t, r, event.Event{
			Event: event.Play, Time: benchClock, Reason: e.name, App: "live", Name: "cam",
			RemoteAddr: "10.0.0.1:1", Params: map[string]string{"token": "abc"},
		})
		if !v.Allow || v.Err != nil {
			t.Errorf("%s: %s is not true: %v", e.name, e.text, v.Err)
		}
	}
}

// TestGlobalAdvice: the error says what to do instead.
func TestGlobalAdvice(t *testing.T) {
	t.Parallel()
	r := start(t, "count = 0\nfunction on_play()\n count = count + 1\n return true\nend")
	v := ask(t, r, event.Event{Event: event.Play})
	if v.Err == nil || !strings.Contains(v.Err.Error(), `hook.lua:3: on_play: global "count" is written at run time: make it local, or keep it in millrace.store`) {
		t.Errorf("error %v", v.Err)
	}
}
