package hooks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"sort"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

const maxJSONDepth = 64

var errJSONSize = errors.New("the JSON text is too long")

// jsonEncode is json.encode(value): the text, or nil and an error. A table
// whose keys are 1 to n is an array; an empty one is an object.
func (st *state) jsonEncode(L *lua.LState) int {
	e := jsonEncoder{st: st}
	if err := e.value(L.CheckAny(1), 0); err != nil {
		st.check(L, st.call.err == nil)
		return fail(L, err)
	}
	return st.pushString(L, e.out.String())
}

type jsonEncoder struct {
	st  *state
	out bytes.Buffer
}

func (e *jsonEncoder) value(v lua.LValue, depth int) error {
	if depth > maxJSONDepth {
		return errors.New("tables are nested too deeply for JSON (a cycle?)")
	}
	if e.out.Len() > maxString || !e.st.call.tick(4) {
		return errJSONSize
	}
	switch v := v.(type) {
	case lua.LBool:
		e.out.WriteString(strconv.FormatBool(bool(v)))
	case lua.LNumber:
		return e.number(float64(v))
	case lua.LString:
		return e.text(string(v))
	case *lua.LTable:
		return e.table(v, depth)
	case *lua.LNilType:
		e.out.WriteString("null")
	default:
		if v != e.st.null {
			return fmt.Errorf("a %s has no form in JSON", v.Type())
		}
		e.out.WriteString("null")
	}
	return nil
}

func (e *jsonEncoder) number(f float64) error {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return errors.New("a number that is not finite has no form in JSON")
	}
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		e.out.WriteString(strconv.FormatInt(int64(f), 10))
		return nil
	}
	e.out.WriteString(strconv.FormatFloat(f, 'g', -1, 64))
	return nil
}

func (e *jsonEncoder) text(s string) error {
	if len(s) > maxString || !e.st.call.tick(len(s)/16) {
		return errJSONSize
	}
	b, err := json.Marshal(s)
	e.out.Write(b)
	return err
}

func (e *jsonEncoder) table(t *lua.LTable, depth int) error {
	e.st.fill(t)
	if n := t.Len(); n > 0 {
		return e.array(t, n, depth)
	}
	var keys []string
	values := map[string]lua.LValue{}
	for k, v := t.Next(lua.LNil); k != lua.LNil; k, v = t.Next(k) {
		if !lua.LVCanConvToString(k) {
			return fmt.Errorf("a %s cannot be a key in JSON", k.Type())
		}
		if !e.st.call.tick(4) || len(keys) > maxString/4 {
			return errJSONSize
		}
		keys = append(keys, lua.LVAsString(k))
		values[lua.LVAsString(k)] = v
	}
	sort.Strings(keys)
	return e.object(keys, values, depth)
}

func (e *jsonEncoder) array(t *lua.LTable, n, depth int) error {
	for i := range n {
		e.out.WriteByte("[,"[min(i, 1)])
		if err := e.value(t.RawGetInt(i+1), depth+1); err != nil {
			return err
		}
	}
	e.out.WriteByte(']')
	return nil
}

func (e *jsonEncoder) object(keys []string, values map[string]lua.LValue, depth int) error {
	e.out.WriteByte('{')
	for i, k := range keys {
		if i > 0 {
			e.out.WriteByte(',')
		}
		if err := e.text(k); err != nil {
			return err
		}
		e.out.WriteByte(':')
		if err := e.value(values[k], depth+1); err != nil {
			return err
		}
	}
	e.out.WriteByte('}')
	return nil
}

// jsonDecode is json.decode(text): the value, or nil and an error. null is
// json.null inside arrays and objects.
func (st *state) jsonDecode(L *lua.LState) int {
	text := L.CheckString(1)
	if len(text) > maxString {
		return fail(L, errJSONSize)
	}
	st.check(L, st.call.grow(len(text)))
	v, err := st.readJSON(text)
	st.check(L, st.call.err == nil)
	if err != nil {
		return fail(L, fmt.Errorf("decode JSON: %w", err))
	}
	L.Push(v)
	return 1
}

// readJSON reads one value, and nothing after it, into Lua values directly.
func (st *state) readJSON(text string) (lua.LValue, error) {
	r := jsonReader{st: st, d: json.NewDecoder(strings.NewReader(text))}
	v, err := r.value(0)
	if err == nil {
		err = endOfJSON(r.d)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("the text ends early")
	}
	return v, err
}

// jsonReader goes from token to token, so that the call can be stopped between
// two of them.
type jsonReader struct {
	st *state
	d  *json.Decoder
}

func (r *jsonReader) value(depth int) (lua.LValue, error) {
	if depth > maxJSONDepth {
		return nil, fmt.Errorf("nested more than %d deep", maxJSONDepth)
	}
	if !r.st.call.tick(8) {
		return nil, r.st.call.err
	}
	token, err := r.d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('['):
		return r.array(depth)
	case json.Delim('{'):
		return r.object(depth)
	}
	return r.st.fromJSON(token), nil
}

func (r *jsonReader) array(depth int) (lua.LValue, error) {
	t := r.st.L.NewTable()
	for i := 1; r.d.More(); i++ {
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		t.RawSetInt(i, v)
	}
	_, err := r.d.Token() // the bracket
	return t, err
}

func (r *jsonReader) object(depth int) (lua.LValue, error) {
	t := r.st.L.NewTable()
	for r.d.More() {
		key, err := r.d.Token()
		if err != nil {
			return nil, err
		}
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		t.RawSetString(fmt.Sprint(key), v)
	}
	_, err := r.d.Token() // the brace
	return t, err
}

func endOfJSON(d *json.Decoder) error {
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is text after the value")
	}
	return nil
}

// parseJSON reads one value of bounded depth, and nothing after it.
func parseJSON(text string) (any, error) {
	if jsonDepth(text) > maxJSONDepth {
		return nil, fmt.Errorf("nested more than %d deep", maxJSONDepth)
	}
	d := json.NewDecoder(strings.NewReader(text))
	var v any
	if err := d.Decode(&v); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("the text ends early")
		}
		return nil, err
	}
	return v, endOfJSON(d)
}

// jsonDepth is how deep brackets outside of strings are nested.
func jsonDepth(text string) int {
	depth, most := 0, 0
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			depth++
			most = max(most, depth)
		case c == ']' || c == '}':
			depth--
		}
	}
	return most
}

// fromJSON turns what encoding/json made into Lua values.
func (st *state) fromJSON(v any) lua.LValue {
	switch v := v.(type) {
	case nil:
		return st.null
	case bool:
		return lua.LBool(v)
	case float64:
		return lua.LNumber(v)
	case string:
		return lua.LString(v)
	case []any:
		t := st.L.CreateTable(len(v), 0)
		for i, x := range v {
			t.RawSetInt(i+1, st.fromJSON(x))
		}
		return t
	case map[string]any:
		t := st.L.CreateTable(0, len(v))
		for k, x := range v {
			t.RawSetString(k, st.fromJSON(x))
		}
		return t
	}
	return lua.LNil
}

// toGo turns a Lua value into what encoding/json takes.
func (st *state) toGo(v lua.LValue) (any, error) {
	e := jsonEncoder{st: st}
	if err := e.value(v, 0); err != nil {
		return nil, err
	}
	return parseJSON(e.out.String())
}

// decodeStrict reads one JSON value into v; unknown keys are errors.
func decodeStrict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	return endOfJSON(d)
}
