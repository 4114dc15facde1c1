package conf

import "log/slog"

// Level is the least level that is logged.
type Level string

// The levels.
const (
	LevelDebug Level = "debug"
	LevelInfo  Level = "info"
	LevelWarn  Level = "warn"
	LevelError Level = "error"
)

// Slog returns the level of log/slog; info for a Level that is none of the
// constants.
func (l Level) Slog() slog.Level {
	switch l {
	case LevelDebug:
		return slog.LevelDebug
	case LevelWarn:
		return slog.LevelWarn
	case LevelError:
		return slog.LevelError
	default:
		return slog.LevelInfo
	}
}

// Format is the form of a log line.
type Format string

// The formats: slog's text handler and its JSON handler.
const (
	FormatText Format = "text"
	FormatJSON Format = "json"
)
