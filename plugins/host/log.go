package host

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/time/rate"
)

// outputLogger is the name of the logger that go-plugin gives the lines of a
// process's standard error to; its own messages go to others.
const outputLogger = "output"

// output takes a plugin's log: into the server's, at a bounded rate, and the
// last lines for `millrace plugin logs`.
type output struct {
	logger *slog.Logger
	limit  *rate.Limiter

	mu      sync.Mutex
	lines   []string // a ring once it is full
	at      int
	dropped int
}

// Bounds of a plugin's log.
const (
	linesKept      = 1000
	lineKept       = 4 << 10 // bytes
	linesPerSecond = 50
	linesBurst     = 500
)

func newOutput(logger *slog.Logger) *output {
	return &output{logger: logger, limit: rate.NewLimiter(linesPerSecond, linesBurst)}
}

func (o *output) log(level slog.Level, message string, args ...any) {
	o.keep(level, message, args)
	if !o.limit.Allow() {
		o.mu.Lock()
		o.dropped++
		o.mu.Unlock()
		return
	}
	o.mu.Lock()
	dropped := o.dropped
	o.dropped = 0
	o.mu.Unlock()
	if dropped > 0 {
		o.logger.Warn("lines of the plugin's log were left out", "lines", dropped)
	}
	o.logger.Log(context.Background(), level, clip(message), args...)
}

func (o *output) keep(level slog.Level, message string, args []any) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s", time.Now().UTC().Format(time.RFC3339Nano), level, message)
	for i := 0; i+1 < len(args); i += 2 {
		fmt.Fprintf(&b, " %v=%v", args[i], args[i+1])
	}
	line := clip(b.String())
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.lines) < linesKept {
		o.lines = append(o.lines, line)
		return
	}
	o.lines[o.at] = line
	o.at = (o.at + 1) % linesKept
}

func clip(s string) string {
	if len(s) <= lineKept {
		return s
	}
	return strings.ToValidUTF8(s[:lineKept], "") + "…"
}

// last returns up to n lines, oldest first; all of them for n <= 0.
func (o *output) last(n int) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := append(append([]string(nil), o.lines[o.at:]...), o.lines[:o.at]...)
	if n > 0 && n < len(all) {
		all = all[len(all)-n:]
	}
	return all
}

// Write takes what a plugin prints by fmt, line by line; a Writer for each
// stream would keep more, but nobody parses this.
func (o *output) Write(b []byte) (int, error) {
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" {
			o.log(slog.LevelInfo, line)
		}
	}
	return len(b), nil
}

// bridge is go-plugin's logger.
type bridge struct {
	out  *output
	name string
	args []any
}

var _ hclog.Logger = (*bridge)(nil)

var levels = map[hclog.Level]slog.Level{
	hclog.NoLevel: slog.LevelInfo, hclog.Trace: slog.LevelDebug, hclog.Debug: slog.LevelDebug,
	hclog.Info: slog.LevelInfo, hclog.Warn: slog.LevelWarn, hclog.Error: slog.LevelError,
}

// Log takes the lines of the process; what go-plugin says of itself is for
// debugging, since the host reports every end itself.
func (b *bridge) Log(level hclog.Level, message string, args ...any) {
	if b.name != outputLogger {
		b.out.logger.Debug(message, append(append([]any(nil), b.args...), args...)...)
		return
	}
	to := levels[level]
	if level == hclog.Debug && len(args) == 0 {
		to = slog.LevelInfo // a line that is no JSON
	}
	b.out.log(to, message, withoutKeys(args)...)
}

// withoutKeys leaves out what the server's log has already.
func withoutKeys(args []any) []any {
	var kept []any
	for i := 0; i+1 < len(args); i += 2 {
		if args[i] != "timestamp" && args[i] != "@module" {
			kept = append(kept, args[i], args[i+1])
		}
	}
	return kept
}

func (b *bridge) Trace(message string, args ...any) { b.Log(hclog.Trace, message, args...) }
func (b *bridge) Debug(message string, args ...any) { b.Log(hclog.Debug, message, args...) }
func (b *bridge) Info(message string, args ...any)  { b.Log(hclog.Info, message, args...) }
func (b *bridge) Warn(message string, args ...any)  { b.Log(hclog.Warn, message, args...) }
func (b *bridge) Error(message string, args ...any) { b.Log(hclog.Error, message, args...) }
func (b *bridge) IsTrace() bool                     { return true }
func (b *bridge) IsDebug() bool                     { return true }
func (b *bridge) IsInfo() bool                      { return true }
func (b *bridge) IsWarn() bool                      { return true }
func (b *bridge) IsError() bool                     { return true }
func (b *bridge) ImpliedArgs() []any                { return b.args }
func (b *bridge) Name() string                      { return b.name }
func (b *bridge) SetLevel(hclog.Level)              {}
func (b *bridge) GetLevel() hclog.Level             { return hclog.Trace }

func (b *bridge) With(args ...any) hclog.Logger {
	return &bridge{out: b.out, name: b.name, args: append(append([]any(nil), b.args...), args...)}
}

func (b *bridge) Named(name string) hclog.Logger {
	return &bridge{out: b.out, name: name, args: b.args}
}

func (b *bridge) ResetNamed(name string) hclog.Logger { return b.Named(name) }

func (b *bridge) StandardLogger(*hclog.StandardLoggerOptions) *log.Logger {
	return log.New(b.StandardWriter(nil), "", 0)
}

func (b *bridge) StandardWriter(*hclog.StandardLoggerOptions) io.Writer { return b.out }
