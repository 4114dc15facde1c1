package netloop

import (
	"fmt"
	"log/slog"
)

// gnetLogger passes on what gnet has to say. Its routine messages are debug
// to us.
type gnetLogger struct{ log *slog.Logger }

// Debugf is gnet's.
func (g gnetLogger) Debugf(format string, args ...any) { g.log.Debug(fmt.Sprintf(format, args...)) }

// Infof is gnet's.
func (g gnetLogger) Infof(format string, args ...any) { g.log.Debug(fmt.Sprintf(format, args...)) }

// Warnf is gnet's. It warns of an event for a connection that was closed
// earlier in the same round, which happens whenever many go at once.
func (g gnetLogger) Warnf(format string, args ...any) { g.log.Debug(fmt.Sprintf(format, args...)) }

// Errorf is gnet's.
func (g gnetLogger) Errorf(format string, args ...any) { g.log.Error(fmt.Sprintf(format, args...)) }

// Fatalf is gnet's.
func (g gnetLogger) Fatalf(format string, args ...any) { g.log.Error(fmt.Sprintf(format, args...)) }
