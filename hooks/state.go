package hooks

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	lua "github.com/yuin/gopher-lua"

	"github.com/millrace/millrace/core/event"
)

const (
	callDepth     = 200     // Lua calls inside each other
	registryStart = 1 << 10 // values on the stack
	registryMax   = 1 << 16
	// stepBytes is what an instruction is taken to leave in a state, on average.
	stepBytes = 32
	// keptBytes is the size of a buffer that a state keeps from call to call.
	keptBytes = 16 << 10
)

// arrayOnce sets a variable of the library before its first state exists.
var arrayOnce sync.Once

// state is one Lua state with all scripts of a set loaded. It runs one call at
// a time, on one goroutine.
type state struct {
	L       *lua.LState
	set     *scriptSet
	svc     *services
	call    call
	base    *lua.LTable
	scripts []*stateScript
	current *stateScript
	loading bool
	carried uint64 // what calls so far may have left behind, in bytes
	hook    string
	logs    []LogLine
	keep    bool // log lines are wanted in logs
	null    *lua.LUserData

	lazyMeta *lua.LTable
	lazy     []lazyTable // of the call

	// What each call needs anew, so that it need not be made anew.
	verdict Verdict
	seen    event.Event
	tick    func(n int) bool // call.tick
	match   matcher
	spare   *gsub // nil: none, or under way
	recent  [8]*pattern
	oldest  int // of recent
	bytes   []byte
	sum     [sha256.Size]byte
}

// stateScript is a script inside a state: its globals, and its hooks.
type stateScript struct {
	chunk   *chunk
	source  *source
	env     *lua.LTable // empty; reads go to globals, writes through a guard
	globals *lua.LTable
	hooks   map[string]*lua.LFunction
	modules map[string]lua.LValue
}

// newState loads every script of the set, within the timeout.
func newState(set *scriptSet, svc *services, timeout time.Duration, limit uint64) (*state, error) {
	arrayOnce.Do(func() { lua.MaxArrayIndex = 1 << 16 })
	st := &state{set: set, svc: svc, loading: true, L: lua.NewState(lua.Options{
		CallStackSize: callDepth, RegistrySize: registryStart, RegistryMaxSize: registryMax,
		RegistryGrowStep: registryStart, SkipOpenLibs: true,
	})}
	st.tick = st.call.tick
	st.call.begin(timeout, limit, nil)
	st.L.SetContext(&st.call)
	st.openLibraries()
	for _, c := range set.scripts {
		if err := st.load(c); err != nil {
			return nil, err
		}
	}
	st.loading = false
	return st, nil
}

// load runs the main part of a script and finds its hooks.
func (st *state) load(c *script) error {
	s := &stateScript{chunk: c.chunk, source: c.source, modules: map[string]lua.LValue{}}
	s.env, s.globals = st.newEnv()
	st.scripts = append(st.scripts, s)
	st.current = s
	if err := st.protect(func() error { return st.run(c.chunk, s.env) }, ""); err != nil {
		return err
	}
	s.hooks = map[string]*lua.LFunction{}
	for _, name := range append(hooksInOrder[:], selfCheck) {
		if fn, ok := s.globals.RawGetString(name).(*lua.LFunction); ok && !fn.IsG {
			s.hooks[name] = fn
		}
	}
	return nil
}

// run calls the main function of a chunk in env.
func (st *state) run(c *chunk, env *lua.LTable) error {
	fn := st.L.NewFunctionFromProto(c.proto)
	fn.Env = env
	st.L.Push(fn)
	return st.L.PCall(0, 0, nil)
}

// newEnv makes a script's environment. The table that the script sees is kept
// empty, so that every write of a global, of an old one too, meets the guard.
func (st *state) newEnv() (env, globals *lua.LTable) {
	L := st.L
	globals = L.CreateTable(0, 64)
	st.base.ForEach(func(k, v lua.LValue) { globals.RawSet(k, v) })
	env = L.NewTable()
	globals.RawSetString("_G", env)
	for _, name := range []string{concatName, passName} {
		env.RawSetString(name, st.base.RawGetString(name))
	}
	mt := L.NewTable()
	mt.RawSetString("__index", globals)
	mt.RawSetString("__metatable", lua.LFalse)
	mt.RawSetString("__newindex", L.NewFunction(func(L *lua.LState) int {
		if !st.loading {
			L.RaiseError("global %q is written at run time: make it local, or keep it in millrace.store, which all states share", L.Get(2).String())
		}
		globals.RawSet(L.Get(2), L.Get(3))
		return 0
	}))
	env.Metatable = mt
	return env, globals
}

// begin starts the clock of a call of hook.
func (st *state) begin(hook string, timeout time.Duration, limit uint64, g gate) {
	st.call.begin(timeout, limit, g)
	st.hook = hook
	st.logs = nil
	clear(st.lazy)
	st.lazy = st.lazy[:0]
}

// callHook runs the hook of script i, with the event's table, and returns its
// first two results.
func (st *state) callHook(i int, hook string, arg lua.LValue) (a, b lua.LValue, err error) {
	st.current = st.scripts[i]
	fn := st.current.hooks[hook]
	err = st.protect(func() error {
		nargs := 0
		st.L.Push(fn)
		if arg != nil {
			st.L.Push(arg)
			nargs = 1
		}
		if err := st.L.PCall(nargs, 2, nil); err != nil {
			return err
		}
		a, b = st.L.Get(-2), st.L.Get(-1)
		st.L.Pop(2)
		return nil
	}, hook)
	return a, b, err
}

// end closes a call and reports whether the state may serve another.
func (st *state) end() (reusable bool) {
	st.carried += st.call.strings + uint64(st.call.steps)*stepBytes
	st.L.SetTop(0)
	st.call.end()
	st.verdict, st.seen, st.match = Verdict{}, event.Event{}, matcher{}
	st.spare.forget()
	if cap(st.bytes) > keptBytes {
		st.bytes = nil
	}
	return st.call.err == nil
}

// protect runs f and turns what it ends with into a ScriptError, or into one of
// this package's errors when the call was stopped. A panic of the library is
// the script's error, not the server's.
func (st *state) protect(f func() error, hook string) (err error) {
	defer func() {
		if r := recover(); r != nil {
			st.call.stop(fmt.Errorf("the Lua machine panicked: %v", r))
			err = nil
		}
		if st.call.err != nil {
			err = &stoppedError{where: st.where(hook, err), cause: st.call.err}
		}
	}()
	err = f()
	if err != nil && st.call.err == nil {
		err = st.scriptError(hook, err)
	}
	return err
}

// stoppedError says where a call was when it was stopped.
type stoppedError struct {
	where *ScriptError
	cause error
}

func (e *stoppedError) Error() string { return e.where.Error() }
func (e *stoppedError) Unwrap() error { return e.cause }

func (st *state) where(hook string, err error) *ScriptError {
	at := &ScriptError{File: st.current.chunk.file, Hook: hook}
	if err != nil {
		at = st.scriptError(hook, err)
	}
	at.Text = st.call.err.Error()
	return at
}

// scriptError reads "FILE:LINE: TEXT" out of an error of the machine.
func (st *state) scriptError(hook string, err error) *ScriptError {
	if e, ok := errors.AsType[*ScriptError](err); ok {
		return e
	}
	text := err.Error()
	if e, ok := errors.AsType[*lua.ApiError](err); ok {
		text = luaErrorText(e.Object)
	}
	e := &ScriptError{File: st.current.chunk.file, Hook: hook, Text: text}
	for _, file := range st.set.files {
		if line, rest, ok := cutPosition(text, file); ok {
			e.File, e.Line, e.Text = file, line, rest
			break
		}
	}
	return e
}

// luaErrorText is what error() was given, as text; a table shows its message.
func luaErrorText(v lua.LValue) string {
	if t, ok := v.(*lua.LTable); ok {
		for _, key := range []string{"message", "reason", "error"} {
			if s, ok := t.RawGetString(key).(lua.LString); ok {
				return string(s)
			}
		}
		return "error with a table"
	}
	return v.String()
}

// hooksInOrder are the functions that the server calls. A hook's place is its
// bit in scriptSet.hooks.
var hooksInOrder = [...]string{
	event.Connect, event.Publish, event.Play, event.Record, event.Request,
	event.StreamStart, event.StreamLost, event.StreamBack, event.Codec, event.Unpublish,
	event.ViewerStart, event.Stop, event.Segment, event.RecordDone, event.Close, event.Tick,
}

// isDecision tells the hooks that have a verdict from those that are told.
func isDecision(hook string) bool {
	switch hook {
	case event.Connect, event.Publish, event.Play, event.Record, event.Request:
		return true
	}
	return false
}

// selfCheck is the function of a script that runs once before it is used.
const selfCheck = "self_check"
