package hooks

import (
	"time"

	lua "github.com/yuin/gopher-lua"

	"github.com/millrace/millrace/core/event"
)

// Tables of the library are dear (92 allocations for one event), and a hook
// reads a handful of fields. So the tables of an event are empty, and a
// metatable fetches fields as they are read; whatever walks over a table fills
// it first. They hold during the call.

// lazyTable is what stands behind an empty table: an event, or texts by name.
type lazyTable struct {
	t      *lua.LTable
	e      *event.Event
	texts  map[string]string
	filled bool
	parts  [3]*lua.LTable // params, headers, labels, once they were read
}

// eventFields are the keys of the table that hooks get: the JSON names of
// event.Event.
var eventFields = [...]string{
	"event", "time", "app", "name", "stream_id", "session", "client_id", "protocol", "remote_addr",
	"params", "tc_url", "page_url", "flash_ver", "user_agent", "headers", "method", "path", "host",
	"video_codec", "audio_codec", "width", "height", "fps", "sample_rate", "channels", "reason",
	"bytes_in", "bytes_out", "duration", "gap", "dropped_frames", "plugin", "file", "url", "part",
	"number", "size", "sha256", "started", "from_seq", "to_seq", "record", "labels",
}

// eventTable makes the table of an event. What does not apply is nil; params,
// headers and labels are always tables, so that s.params.token is no error.
func (st *state) eventTable(e *event.Event) *lua.LTable {
	return st.lazily(lazyTable{e: e})
}

func (st *state) lazily(z lazyTable) *lua.LTable {
	z.t = st.L.CreateTable(0, 0)
	z.t.Metatable = st.lazyMeta
	st.lazy = append(st.lazy, z)
	return z.t
}

// lazyOf finds what stands behind t; nil for any other table. Few tables are
// lazy at once.
func (st *state) lazyOf(t *lua.LTable) *lazyTable {
	if t.Metatable != lua.LValue(st.lazyMeta) {
		return nil
	}
	for i := range st.lazy {
		if st.lazy[i].t == t {
			return &st.lazy[i]
		}
	}
	return nil
}

// openLazy makes the metatable of lazy tables.
func (st *state) openLazy() {
	st.lazyMeta = st.L.NewTable()
	st.lazyMeta.RawSetString("__metatable", lua.LTrue)
	st.lazyMeta.RawSetString("__index", st.L.NewFunction(func(L *lua.LState) int {
		L.Push(st.lazyGet(L))
		return 1
	}))
}

func (st *state) lazyGet(L *lua.LState) lua.LValue {
	t, ok := L.Get(1).(*lua.LTable)
	key, isText := L.Get(2).(lua.LString)
	if !ok || !isText {
		return lua.LNil
	}
	z := st.lazyOf(t)
	if z == nil || z.filled {
		return lua.LNil
	}
	if z.e == nil {
		if s, ok := z.texts[string(key)]; ok {
			return lua.LString(s)
		}
		return lua.LNil
	}
	return st.field(z, string(key))
}

// fill writes all fields into a lazy table that does not have them yet, so that
// it can be walked over. Other tables are left alone.
func (st *state) fill(t *lua.LTable) {
	z := st.lazyOf(t)
	if z == nil || z.filled {
		return
	}
	z.filled = true
	put := func(name string, v lua.LValue) {
		if v != lua.LNil && t.RawGetString(name) == lua.LNil {
			t.RawSetString(name, v)
		}
	}
	if z.e == nil {
		for name, s := range z.texts {
			put(name, lua.LString(s))
		}
		return
	}
	at := *z // field may move the list
	for _, name := range eventFields {
		put(name, st.field(&at, name))
	}
}

// field is the value of an event's field.
func (st *state) field(z *lazyTable, name string) lua.LValue {
	e := z.e
	switch name {
	case "params":
		return st.part(z, 0, e.Params)
	case "headers":
		return st.part(z, 1, e.Headers)
	case "labels":
		return st.part(z, 2, e.Labels)
	case "record":
		return st.switches(e.Record)
	case "time":
		return when(e.Time)
	case "started":
		return when(e.Started)
	}
	if s, ok := textField(e, name); ok {
		return text(s)
	}
	return number(numberField(e, name))
}

// part is one of the tables in an event; the same one each time.
func (st *state) part(z *lazyTable, i int, texts map[string]string) lua.LValue {
	if z.parts[i] != nil {
		return z.parts[i]
	}
	t := st.lazily(lazyTable{texts: texts})
	st.lazyOf(z.t).parts[i] = t // z may lie in the list as it was
	return t
}

// switches is a table of names that are on or off; nil for none.
func (st *state) switches(all map[string]bool) lua.LValue {
	if len(all) == 0 {
		return lua.LNil
	}
	t := st.L.CreateTable(0, len(all))
	for name, on := range all {
		t.RawSetString(name, lua.LBool(on))
	}
	return t
}

func text(s string) lua.LValue {
	if s == "" {
		return lua.LNil
	}
	return lua.LString(s)
}

func number(n float64) lua.LValue {
	if n == 0 {
		return lua.LNil
	}
	return lua.LNumber(n)
}

func when(t time.Time) lua.LValue {
	if t.IsZero() {
		return lua.LNil
	}
	return seconds(t)
}

// textField is a field of text; false: there is none of that name.
func textField(e *event.Event, name string) (string, bool) {
	switch name {
	case "event":
		return e.Event, true
	case "app":
		return e.App, true
	case "name":
		return e.Name, true
	case "stream_id":
		return e.StreamID, true
	case "session":
		return e.Session, true
	case "client_id":
		return e.ClientID, true
	case "protocol":
		return e.Protocol, true
	case "remote_addr":
		return e.RemoteAddr, true
	case "tc_url":
		return e.TCURL, true
	case "page_url":
		return e.PageURL, true
	case "flash_ver":
		return e.FlashVer, true
	case "user_agent":
		return e.UserAgent, true
	case "method":
		return e.Method, true
	case "path":
		return e.Path, true
	case "host":
		return e.Host, true
	case "video_codec":
		return e.VideoCodec, true
	case "audio_codec":
		return e.AudioCodec, true
	case "reason":
		return e.Reason, true
	case "plugin":
		return e.Plugin, true
	case "file":
		return e.File, true
	case "url":
		return e.URL, true
	case "sha256":
		return e.SHA256, true
	}
	return "", false
}

// numberField is a field of numbers; 0 where there is none.
func numberField(e *event.Event, name string) float64 {
	switch name {
	case "width":
		return float64(e.Width)
	case "height":
		return float64(e.Height)
	case "fps":
		return e.FPS
	case "sample_rate":
		return float64(e.SampleRate)
	case "channels":
		return float64(e.Channels)
	case "bytes_in":
		return float64(e.BytesIn)
	case "bytes_out":
		return float64(e.BytesOut)
	case "duration":
		return e.Duration
	case "gap":
		return e.Gap
	case "dropped_frames":
		return float64(e.DroppedFrames)
	case "part":
		return float64(e.Part)
	case "number":
		return float64(e.Number)
	case "size":
		return float64(e.Size)
	case "from_seq":
		return float64(e.FromSeq)
	case "to_seq":
		return float64(e.ToSeq)
	}
	return 0
}

// textTable makes a plain table of texts.
func (st *state) textTable(m map[string]string) *lua.LTable {
	t := st.L.CreateTable(0, len(m))
	for k, v := range m {
		t.RawSetString(k, lua.LString(v))
	}
	return t
}
