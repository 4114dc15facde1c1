package hooks

import (
	"context"
	"log/slog"

	lua "github.com/yuin/gopher-lua"
)

// Levels of LogLine.
const (
	LevelDebug = "debug"
	LevelInfo  = "info"
	LevelWarn  = "warn"
	LevelError = "error"
)

const (
	maxLogLines = 50 // of one call
	maxLogText  = 2048
	// maxLogFields has room for a whole event.
	maxLogFields = 64
)

// LogLine is what a script logged.
type LogLine struct {
	Level string `json:"level"`
	Text  string `json:"text"`
}

func (st *state) logAt(level string) lua.LGFunction {
	return func(L *lua.LState) int {
		text := L.ToStringMeta(L.CheckAny(1)).String()
		st.log(L, level, text, L.OptTable(2, nil))
		return 0
	}
}

// log writes a line to the server's log, with the script and the hook. Lines
// after the fiftieth of a call are dropped: a loop shall not fill the disk.
func (st *state) log(L *lua.LState, level, text string, fields *lua.LTable) {
	st.call.logLines++
	if st.call.logLines > maxLogLines {
		return
	}
	text = clip(text, maxLogText)
	attrs := []slog.Attr{slog.String("script", st.current.chunk.file), slog.String("hook", st.hook)}
	shown := text
	for _, f := range st.logFields(fields) {
		attrs = append(attrs, slog.String(f[0], f[1]))
		shown += " " + f[0] + "=" + f[1]
	}
	if st.keep {
		st.logs = append(st.logs, LogLine{level, shown})
	}
	st.svc.logger.LogAttrs(context.Background(), slogLevel(level), text, attrs...)
}

// logFields are the fields by name, as texts; too many are not logged.
func (st *state) logFields(t *lua.LTable) (fields [][2]string) {
	if t == nil {
		return nil
	}
	st.fill(t)
	list, err := entries(t, maxLogFields)
	if err != nil {
		return [][2]string{{"fields", err.Error()}}
	}
	for _, e := range list {
		fields = append(fields, [2]string{clip(e.name, 64), clip(e.value.String(), maxLogText)})
	}
	return fields
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "…"
}

func slogLevel(level string) slog.Level {
	switch level {
	case LevelDebug:
		return slog.LevelDebug
	case LevelWarn:
		return slog.LevelWarn
	case LevelError:
		return slog.LevelError
	}
	return slog.LevelInfo
}
