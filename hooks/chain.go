package hooks

import (
	"errors"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"github.com/millrace/millrace/core/event"
)

// decide runs the scripts' hook in order: the first refusal wins, and each
// script sees what those before it changed. e is not changed.
func (st *state) decide(hook string, e *event.Event) (Verdict, error) {
	st.verdict, st.seen = Verdict{Allow: true}, *e
	v, seen := &st.verdict, &st.seen
	for i, s := range st.scripts {
		if s.hooks[hook] == nil {
			continue
		}
		a, b, err := st.callHook(i, hook, st.eventTable(seen))
		if err != nil {
			return *v, err
		}
		st.fillResult(a)
		if err := applyResult(hook, v, a, b); err != nil {
			return *v, st.resultError(s, hook, err)
		}
		if !v.Allow || v.Skip {
			break
		}
		show(seen, e, v)
	}
	if v.Allow {
		v.Reason = "" // of "return ok, reason"
	}
	return st.finish(hook, seen, *v)
}

// fillResult fills the lazy tables in a result, such as labels = s.labels.
func (st *state) fillResult(v lua.LValue) {
	t, ok := v.(*lua.LTable)
	if !ok {
		return
	}
	st.fill(t)
	list, err := entries(t, maxEntries)
	if err != nil {
		return // the result is refused for it
	}
	for _, e := range list {
		if inner, ok := e.value.(*lua.LTable); ok {
			st.fill(inner)
		}
	}
}

// finish completes a verdict: on_record's refusal is a skip, and its path a
// template.
func (st *state) finish(hook string, e *event.Event, v Verdict) (Verdict, error) {
	if hook != event.Record {
		return v, nil
	}
	if !v.Allow {
		v.Skip = true
	}
	v.Allow = true
	path, err := ExpandPath(v.Path, e, st.svc.now())
	if err != nil {
		return v, &ScriptError{File: st.current.chunk.file, Line: lineOf(st.current.hooks[hook]), Hook: hook, Text: err.Error()}
	}
	v.Path = path
	return v, nil
}

// tell runs the scripts' hook for a notice. A script that fails does not keep
// the others from being told; the first error is returned.
func (st *state) tell(hook string, e *event.Event) error {
	var first error
	for i, s := range st.scripts {
		if s.hooks[hook] == nil {
			continue
		}
		if _, _, err := st.callHook(i, hook, st.eventTable(e)); err != nil && first == nil {
			first = err
		}
		if st.call.err != nil {
			break
		}
	}
	return first
}

// show puts a verdict so far into the event that the next script sees.
func show(seen, original *event.Event, v *Verdict) {
	if v.App != "" {
		seen.App = v.App
	}
	if v.Name != "" {
		seen.Name = v.Name
	}
	if i := strings.LastIndexByte(v.Stream, '/'); i > 0 {
		seen.App, seen.Name = v.Stream[:i], v.Stream[i+1:]
	}
	if seen.App != original.App || seen.Name != original.Name {
		seen.StreamID = seen.App + "/" + seen.Name
	}
	if v.Labels != nil {
		seen.Labels = merge(original.Labels, v.Labels)
	}
	if v.Path != "" {
		seen.File = v.Path
	}
}

// resultError says where a wrong result comes from: the line that writes the
// key, else that of the hook.
func (st *state) resultError(s *stateScript, hook string, err error) error {
	fn := s.hooks[hook]
	out := &ScriptError{File: s.chunk.file, Line: lineOf(fn), Hook: hook, Text: err.Error()}
	for key := err; key != nil; key = errors.Unwrap(key) {
		k, ok := key.(*keyError)
		if !ok {
			continue
		}
		if line := s.keyLine(k.key, fn); line > 0 {
			out.Line = line
		}
	}
	return out
}

// keyLine looks for a key inside the hook, then anywhere in its file.
func (s *stateScript) keyLine(key string, fn *lua.LFunction) int {
	if line := s.chunk.keyLine(key, fn.Proto.LineDefined, fn.Proto.LastLineDefined); line > 0 {
		return line
	}
	return s.chunk.keyLine(key, 0, -1)
}
