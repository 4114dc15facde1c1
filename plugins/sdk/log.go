package sdk

import (
	"io"
	"log/slog"
	"os"
	"strings"
	"time"
)

// newLogger writes records as hclog does, one JSON object a line, which the
// server takes apart and puts into its own log. MILLRACE_LOG_LEVEL is the
// least level that it would show.
func newLogger(w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(os.Getenv("MILLRACE_LOG_LEVEL"))); err != nil {
		level = slog.LevelInfo
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: hclogKeys}))
}

// hclogTime is the only form of a time that go-plugin reads.
const hclogTime = "2006-01-02T15:04:05.000000Z07:00"

func hclogKeys(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch v := a.Value.Any().(type) {
	case time.Time:
		if a.Key == slog.TimeKey {
			return slog.String("@timestamp", v.Format(hclogTime))
		}
	case slog.Level:
		if a.Key == slog.LevelKey {
			return slog.String("@level", strings.ToLower(v.String()))
		}
	case string:
		if a.Key == slog.MessageKey {
			return slog.String("@message", v)
		}
	}
	return a
}
