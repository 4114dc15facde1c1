package hooks

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/core/event"
)

// fences are scripts that mean harm. Each has to be stopped by the deadline, or
// before it by an error of its own.
var fences = []struct {
	name string
	body string // of on_play(v)
}{
	{"spin", `while true do end`},
	{"spin in repeat", `local i = 0 repeat i = i + 1 until false`},
	{"waits by the clock", `local at = os.clock() + 3600 repeat until os.clock() > at`},
	{"waits by the time of day", `local at = millrace.time.now() + 3600 while millrace.time.now() < at do end`},
	{"goto", `::top:: goto top`},
	{"for without end", `for i = 1, math.huge do local x = i * 2 end`},
	{"deep recursion", `local function f() return 1 + f() end while true do pcall(f) end`},
	{"tail calls", `local function f() return f() end f()`},
	{"mutual recursion through pcall", `local function f() pcall(f) pcall(f) end f()`},
	{"pcall swallows the deadline", `while true do pcall(function() while true do end end) end`},
	{"xpcall's handler spins", `while true do xpcall(function() error("x") end, function() while true do end end) end`},
	{"error in error", `while true do pcall(error, setmetatable({}, {__tostring = function() while true do end end})) end`},
	{"tostring spins", `return tostring(setmetatable({}, {__tostring = function() while true do end end}))`},
	{"coroutine spins", `local co = coroutine.wrap(function() while true do end end) co()`},
	{"coroutine yields for ever", `local co = coroutine.wrap(function() while true do coroutine.yield() end end) while true do co() end`},
	{"coroutine swallows", `local co = coroutine.create(function() while true do pcall(function() while true do end end) end end) while true do coroutine.resume(co) end`},
	{"coroutine spins in resume after resume", `while true do local co = coroutine.create(function() while true do end end) coroutine.resume(co) end`},
	{"coroutines without end", `local t = {} while true do t[#t + 1] = coroutine.create(function() end) end`},
	{"coroutines kept in the middle", `local t = {} while true do local co = coroutine.wrap(function() local s = ("x"):rep(1e6) coroutine.yield(s) end) co() t[#t + 1] = co end`},
	{"coroutines in coroutines", `local function f() coroutine.wrap(f)() end f()`},
	{"string.rep huge", `local s = string.rep("x", 1e10)`},
	{"rep by method", `local s = ("x"):rep(2^31)`},
	{"rep kept", `local t = {} while true do t[#t + 1] = ("x"):rep(1e6) end`},
	{"rep swallowed", `local t = {} while true do pcall(function() t[#t + 1] = ("x"):rep(1e6) .. #t end) end`},
	{"concat doubles", `local s = "x" while true do s = s .. s end`},
	{"concat doubles, swallowed", `local s = "x" while true do pcall(function() s = s .. s end) end`},
	{"concat kept", `local s, t = ("x"):rep(1e6), {} while true do t[#t + 1] = s .. #t end`},
	{"concat by metamethod", `local m = setmetatable({}, {__concat = function(a, b) return a .. b end}) return m .. m`},
	{"format width", `while true do local s = string.format("%99999999d", 1) end`},
	{"format width, swallowed", `while true do pcall(string.format, "%99999999d", 1) end`},
	{"format of long strings", `local s, t = ("x"):rep(1e6), {} while true do t[#t + 1] = string.format("%s", s) .. #t end`},
	{"table.concat", `local t, k = {}, {} for i = 1, 1000 do t[i] = ("x"):rep(1000) end while true do k[#k + 1] = table.concat(t, #k) end`},
	{"upper kept", `local s, t = ("x"):rep(1e6), {} while true do t[#t + 1] = s:upper() end`},
	{"reverse kept", `local s, t = ("xy"):rep(5e5), {} while true do t[#t + 1] = s:reverse() end`},
	{"pattern backtracks", `local s = ("a"):rep(1e5) while true do s:find(("a*"):rep(20) .. "b") end`},
	{"pattern backtracks once", `("a"):rep(1e5):match(("a-"):rep(30) .. "b")`},
	{"optional backtracks", `("a"):rep(40):match(("a?"):rep(40) .. ("a"):rep(40) .. "b")`},
	{"gsub backtracks", `("a"):rep(1e5):gsub(("a*"):rep(10) .. "b", "")`},
	{"gsub grows", `local s = ("a"):rep(1e5) while true do s = s:gsub("a", "%0%0%0%0%0%0%0%0%0") end`},
	{"gsub grows, swallowed", `local s = ("a"):rep(1e5) while true do pcall(function() s = s:gsub("a", "%0%0") end) end`},
	{"gsub callback grows", `local t = {} ("a"):rep(1e6):gsub("a", function(c) t[#t + 1] = c:rep(1e5) .. #t return t[#t] end)`},
	{"gsub callback grows its subject", `local s = "a" while true do s = s:gsub(".", function(c) return c .. c end) end`},
	{"gsub callback spins", `("a"):rep(10):gsub("a", function() while true do end end)`},
	{"gmatch backtracks", `for w in ("a"):rep(1e5):gmatch(("a*"):rep(10) .. "b") do end`},
	{"balance", `local s = ("("):rep(1e6) while true do s:find("%b()") end`},
	{"frontier", `local s = (" "):rep(1e6) while true do s:find("%f[%w]%w+$") end`},
	{"back reference", `local s = ("ab"):rep(5e5) while true do s:find("(.-)%1c") end`},
	{"plain find", `local s, p = ("a"):rep(1e6), ("a"):rep(5e5) .. "b" while true do s:find(p, 1, true) end`},
	{"unpack huge", `while true do pcall(unpack, {}, 1, 1e8) end`},
	{"unpack wraps", `while true do pcall(unpack, {}, -2^53, 2^53) end`},
	{"byte of all", `local s = ("x"):rep(1e6) while true do pcall(string.byte, s, 1, -1) end`},
	{"char of many", `local t = {} for i = 1, 4000 do t[i] = 65 end while true do t[#t] = string.char(unpack(t)) and 65 end`},
	{"arguments grow", `local function f(...) return f(1, ...) end f()`},
	{"arguments kept", `local function f(...) return f({...}, ...) end f()`},
	{"sparse store", `local t = {} t[5e7] = 1 while true do t[5e7] = t[5e7] + 1 end`},
	{"sparse stores", `local t = {} while true do t[#t + 1] = {[65535] = 1} end`},
	{"sparse stores by set", `local k = {} while true do local t = {} t[65535] = 1 k[#k + 1] = t end`},
	{"table grows", `local t = {} while true do t[#t + 1] = #t end`},
	{"table grows by insert", `local t = {} while true do table.insert(t, 1, 1) end`},
	{"tables kept", `local t = {} while true do t[#t + 1] = {} end`},
	{"names kept", `local t, i = {}, 0 while true do i = i + 1 t["k" .. i] = i end`},
	{"nested tables", `local t = {} while true do t = {t, {}, {}} end`},
	{"closures kept", `local t = {} while true do t[#t + 1] = function() return t end end`},
	{"numbers kept", `local t, i = {}, 0.5 while true do i = i + 1 t[i] = i end`},
	{"deleted keys", `local t = {} for i = 1, 1e5 do t[i + 0.5] = 1 end for i = 1, 1e5 do t[i + 0.5] = nil end t.x = 1 while true do next(t) end`},
	{"deleted keys in pairs", `local t = {} for i = 1, 1e5 do t[i + 0.5] = 1 end for i = 1, 1e5 do t[i + 0.5] = nil end t.x = 1 while true do for k in pairs(t) do end end`},
	{"nils in the array", `local t = {} t[65000] = 1 t[65000] = nil while true do local n = #t end`},
	{"sort compares for ever", `local t = {} for i = 1, 1000 do t[i] = i end table.sort(t, function() while true do end end)`},
	{"sort without order", `local t = {} for i = 1, 6e4 do t[i] = i end while true do table.sort(t, function() return true end) end`},
	{"sort of long strings", `local t = {} for i = 1, 30 do t[i] = ("x"):rep(1e6) .. i end for i = 31, 6e4 do t[i] = t[i % 30 + 1] end while true do table.sort(t) end`},
	{"index chain", `local t = {} for i = 1, 90 do t = setmetatable({}, {__index = t}) end while true do local x = t.a end`},
	{"index loop", `local t = {} setmetatable(t, {__index = t}) while true do pcall(function() return t.a end) end`},
	{"index function recurses", `local t = setmetatable({}, {__index = function(t, k) return t[k .. "x"] end}) while true do pcall(function() return t.a end) end`},
	{"newindex recurses", `local t = setmetatable({}, {__newindex = function(t, k, v) t[k .. "x"] = v end}) while true do pcall(function() t.a = 1 end) end`},
	{"call metamethod", `local t = setmetatable({}, {}) getmetatable(t).__call = function(self) return self() end t()`},
	{"comparison metamethod", `local mt = {} mt.__lt = function(a, b) return a < b end local a = setmetatable({}, mt) while true do pcall(function() return a < a end) end`},
	{"json of a cycle", `local t = {} t.t = t while true do millrace.json.encode(t) end`},
	{"json of shared tables", `local t = {1} for i = 1, 40 do t = {t, t} end while true do millrace.json.encode(t) end`},
	{"json decode", `local s = "[" .. ("[],"):rep(3e5) .. "1]" local k = {} while true do k[#k + 1] = millrace.json.decode(s) end`},
	{"json numbers", `local s = "[" .. ("1,"):rep(4e5) .. "1]" local k = {} while true do k[#k + 1] = millrace.json.decode(s) end`},
	{"json keys", `local t = {} for i = 1, 2e4 do t[i] = '"k' .. i .. '":{}' end local s, k = "{" .. table.concat(t, ",") .. "}", {} while true do k[#k + 1] = millrace.json.decode(s) end`},
	{"json decode deep", `local s = ("["):rep(1e6) while true do millrace.json.decode(s) end`},
	{"load", `local k = {} while true do k[#k + 1] = load("local a = {" .. ("1,"):rep(4000) .. "} return a") end`},
	{"load deep", `while true do load(("("):rep(8000)) end`},
	{"re", `local s = ("a"):rep(6e4) while true do millrace.re.match("(a|aa)+$b", s) end`},
	{"re many", `local i = 0 while true do i = i + 1 millrace.re.match("(x{1,500}){1,1}" .. i, "x") end`},
	{"re replace grows", `local s = ("a"):rep(6e4) while true do pcall(millrace.re.replace, "a", s, ("b"):rep(1000)) end`},
	{"base64", `local s, t = ("x"):rep(5e5), {} while true do t[#t + 1] = millrace.base64.encode(s) end`},
	{"hashes", `local s = ("x"):rep(1e6) while true do millrace.sha256(s) end`},
	{"logs", `while true do millrace.log.debug("x") end`},
	{"url.query", `local s = ("a=1&"):rep(2e5) while true do millrace.url.query(s) end`},
	{"a huge result", `local t = {} for i = 1, 1e4 do t["k" .. i] = i end return t`},
	{"a huge part of a result", `local t = {} for i = 1, 1e4 do t["k" .. i] = "x" end return {headers = t, labels = t}`},
	{"huge fields", `local t = {} for i = 1, 1e4 do t["k" .. i] = i end while true do millrace.log.debug("x", t) end`},
	{"json of a huge table", `local t = {} for i = 1, 1e4 do t["k" .. i] = i end while true do millrace.json.encode(t) end`},
	{"a huge form", `local t = {} for i = 1, 1e4 do t["k" .. i] = i end while true do pcall(millrace.url.encode, t) end`},
	{"os.date", `while true do pcall(os.date, ("%c"):rep(1e5)) end`},
	{"print", `local s = ("x"):rep(1e6) while true do print(s) end`},
	{"assert of a table", `while true do pcall(assert, false, ("x"):rep(1e6)) end`},
	{"tonumber", `local s = ("1"):rep(1e6) while true do tonumber(s) end`},
	{"select", `while true do pcall(select, -1) select("#", unpack({}, 1, 4000)) end`},
}

// TestFences: each is stopped at the deadline, and memory comes back.
func TestFences(t *testing.T) {
	debug.FreeOSMemory()
	before := residentMemory(t)
	const timeout = 200 * time.Millisecond
	for _, f := range fences {
		t.Run(f.name, func(t *testing.T) {
			r := start(t, "function on_play(v)\n"+f.body+"\nend", func(o *Options) { o.Timeout, o.Memory = timeout, DefaultMemory })
			begun := time.Now()
			v := ask(t, r, event.Event{Event: event.Play, App: "live", Name: "cam"})
			took := time.Since(begun)
			if v.Allow || v.Err == nil {
				t.Errorf("verdict %v", verdictText(v))
			}
			peak := residentMemory(t)
			t.Logf("%v, %v, resident %d MiB", took.Round(time.Millisecond), v.Err, peak>>20)
			// Not a speed: so long after the deadline, a script was not stopped by it.
			if took > 150*timeout {
				t.Errorf("took %v with a deadline of %v", took, timeout)
			}
			if peak > before+512<<20 {
				t.Errorf("%d MiB resident at its end, %d before", peak>>20, before>>20)
			}
			eventually(t, fmt.Sprintf("resident memory within 64 MiB of %d MiB", before>>20), func() bool {
				return residentMemory(t) < before+64<<20
			})
		})
	}
}

// TestKeptBetweenCalls: what a script keeps in its locals from call to call is
// bounded, since its state is retired.
func TestKeptBetweenCalls(t *testing.T) {
	debug.FreeOSMemory()
	before := residentMemory(t)
	r := start(t, `local kept = {} function on_play(v) kept[#kept + 1] = ("x"):rep(1e6) .. #kept return true end`,
		func(o *Options) { o.Memory = DefaultMemory })
	for range 1000 {
		if v := ask(t, r, event.Event{Event: event.Play}); v.Err != nil {
			t.Fatal(v.Err)
		}
	}
	debug.FreeOSMemory()
	if now := residentMemory(t); now > before+128<<20 {
		t.Errorf("%d MiB resident after 1,000 calls that keep 1 MB each, %d before", now>>20, before>>20)
	}
}

// residentMemory is what the process has in memory, in bytes; under the race
// detector, what Go's heap has.
func residentMemory(t testing.TB) int {
	t.Helper()
	if raceEnabled {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapSys - m.HeapReleased)
	}
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(b))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// TestStopped: the reasons of a stop are told apart. It grows by what other
// tests' calls may, and so runs before those that run at once.
func TestStopped(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		timeout    time.Duration
		memory     int64
		want       error
	}{
		{"deadline", `while true do end`, 100 * time.Millisecond, othersGrow, ErrTimeout},
		{"memory", `local t = {} while true do t[#t + 1] = ("x"):rep(1e6) end`, time.Minute, DefaultMemory, ErrMemory},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := start(t, "\nfunction on_play(v) "+tt.body+" end", func(o *Options) { o.Timeout, o.Memory = tt.timeout, tt.memory })
			v := ask(t, r, event.Event{Event: event.Play})
			if !errors.Is(v.Err, tt.want) || !strings.Contains(v.Err.Error(), "hook.lua:2: on_play: ") {
				t.Errorf("error %v, want %v at line 2", v.Err, tt.want)
			}
		})
	}
}
