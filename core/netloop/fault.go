package netloop

import (
	"context"
	"log/slog"
	"time"
)

// Stall writes nothing to a viewer for d, as if its socket were full: it lags,
// skips and is closed like any other that does not read. False: no viewer has
// this ID. Any goroutine but a loop's.
func (e *Engine) Stall(ctx context.Context, id string, d time.Duration) (bool, error) {
	return e.with(ctx, id, func(c *conn) bool {
		if c.viewer == nil || c.dead {
			return false
		}
		c.loop.stall(c, d)
		e.log.Warn("viewer is stalled on command", c.attrs(slog.Duration("duration", d))...)
		return true
	})
}

// Cut closes a publisher's connection without a good-bye, as if its network
// had gone. False: no publisher has this ID. Any goroutine but a loop's.
func (e *Engine) Cut(ctx context.Context, id string) (bool, error) {
	return e.with(ctx, id, func(c *conn) bool {
		h, ok := c.handler.(*rtmpConn)
		if !ok || h.publisher == nil || c.dead {
			return false
		}
		c.kill(causeKicked, "cut on command")
		return true
	})
}

// stall notes that nothing is to be written to c for d; scanBlocked ends that.
func (l *loop) stall(c *conn, d time.Duration) {
	if l.stalls == nil {
		l.stalls = make(map[*conn]int64)
	}
	l.stalls[c] = l.now() + int64(d)
	if !c.blocked {
		l.setBlocked(c)
	}
}

// stalled reports whether a command keeps c from writing.
func (l *loop) stalled(c *conn) bool {
	_, ok := l.stalls[c]
	return ok
}

// endStall has a connection go on whose time is over.
func (l *loop) endStall(c *conn, now int64) {
	if until, ok := l.stalls[c]; ok && now >= until {
		delete(l.stalls, c)
		c.hungry = true // nobody else tells of room that was there all along
	}
}
