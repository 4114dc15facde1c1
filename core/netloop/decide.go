package netloop

import (
	"log/slog"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/httpflv"
	"github.com/millrace/millrace/core/stream"
)

// decides reports whether anybody decides about events of a name.
func (e *Engine) decides(name string) bool {
	return e.options.Decider != nil && e.options.Decider.Wants(name)
}

// allowed is the verdict where nobody decides.
var allowed = event.Verdict{Allow: true}

// ask has it decided about ev; then is called on the loop with the verdict.
// Until then the connection waits without a goroutine, and its input is kept
// within limits.connection_buffer. A verdict is certain to come.
func (c *conn) ask(ev event.Event, then func(event.Verdict)) {
	c.asking = true
	c.setDeadline(0)
	l := c.loop
	c.engine.options.Decider.Decide(&ev, func(v event.Verdict) {
		l.post(func() {
			if c.dead || c.finishing {
				return
			}
			c.asking = false
			l.guard(c, func() { then(v) })
			l.rearm()
		})
	})
}

// bounds are what a verdict sets for a connection; zero is none.
type bounds struct {
	until      int64 // when it ends, ns
	why        string
	maxBitrate int64 // bit/s that a publisher may send
	idle       time.Duration
	rate       int64 // bytes a second that it is sent
}

// bound is where bounds are set.
func (c *conn) bound() *bounds {
	if c.bounds == nil {
		c.bounds = new(bounds)
	}
	return c.bounds
}

// connectionOver is why a connection ends whose time on_connect has limited.
const connectionOver = "the connection's max_duration is over"

// limit puts the limits of an on_connect in force.
func (c *conn) limit(l event.Limits) {
	if l != (event.Limits{}) {
		c.bound().maxBitrate, c.bound().idle = l.MaxBitrate, l.IdleTimeout
	}
	c.endIn(l.MaxDuration, connectionOver)
	c.pace(l.Rate)
}

// endIn has the connection end after d, for reason, unless it is to end
// sooner; 0 is no limit.
func (c *conn) endIn(d time.Duration, reason string) {
	if d <= 0 {
		return
	}
	until := c.loop.now() + int64(d)
	if b := c.bound(); b.until == 0 || until < b.until {
		b.until, b.why = until, reason
		c.setDeadline(c.deadline)
	}
}

// pace has the kernel send at most rate bytes a second, or less if that was
// said before; 0 is no limit.
func (c *conn) pace(rate int64) {
	if rate <= 0 || c.bounds != nil && c.bounds.rate > 0 && c.bounds.rate <= rate {
		return
	}
	c.bound().rate = rate
	if c.rate != nil {
		c.rate.Store(rate)
	} else {
		_ = unix.SetsockoptUint64(c.fd, unix.SOL_SOCKET, unix.SO_MAX_PACING_RATE, uint64(rate))
	}
}

// admit puts in force what a verdict says about a viewer, whose stream may
// become another.
func (c *conn) admit(k *stream.Key, v event.Verdict) {
	if i := strings.LastIndexByte(v.Stream, '/'); i > 0 {
		*k = stream.Key{App: v.Stream[:i], Name: v.Stream[i+1:]}
	}
	c.endIn(v.Limit, "the time to watch is over")
	c.pace(v.Rate)
}

// timeout is called when the deadline has come, the handler's or that of the
// bounds.
func (c *conn) timeout(now int64) {
	b := c.bounds
	switch {
	case b == nil || b.until == 0:
		c.expired(now)
	case now >= b.until:
		b.until = 0
		c.setDeadline(c.deadline) // if it goes already, that must still end
		c.because(causeLimit, b.why)
		c.kick(b.why)
	case c.deadline != 0 && now >= c.deadline:
		c.expired(now)
	default:
		c.setDeadline(c.deadline)
	}
}

// expired is called when the handler's deadline has come.
func (c *conn) expired(now int64) {
	if c.finishing && c.unsent() && c.progressed(now) {
		return // much to say, to somebody who reads slowly
	}
	c.handler.timeout(now)
}

// idleTimeout is how long the connection may rest between requests, or after a
// play or publish.
func (c *conn) idleTimeout() time.Duration {
	if b := c.bounds; b != nil && b.idle > 0 {
		return b.idle
	}
	return c.engine.Settings().Limits.IdleTimeout
}

// refused logs that a peer was refused.
func (c *conn) refused(name string, k stream.Key, v event.Verdict) {
	attrs := []slog.Attr{slog.String("event", name), slog.String(event.Reason, v.Reason)}
	if k != (stream.Key{}) {
		attrs = append(attrs, slog.String(event.Stream, k.String()))
	}
	if v.Err != nil {
		attrs = append(attrs, slog.String("hook_error", v.Err.Error()))
	}
	c.engine.log.Warn("refused by a hook", c.attrs(attrs...)...)
}

// about fills in which stream an event is about before there is one.
func about(ev *event.Event, k stream.Key) {
	ev.App, ev.Name, ev.StreamID = k.App, k.Name, k.String()
}

// rtmpEvent is an event about the RTMP connection.
func (h *rtmpConn) event(name, query string) event.Event {
	ev := h.conn.event(name)
	ev.FlashVer, ev.TCURL, ev.PageURL, ev.UserAgent = h.flashVer, h.tcURL, h.pageURL, h.flashVer
	ev.Params = event.Params(query)
	return ev
}

// httpEvent is an event about a request.
func (h *httpConn) event(name string, head httpflv.Head) event.Event {
	ev := h.conn.event(name)
	ofRequest(&ev, head)
	return ev
}

// ofRequest fills in what a request says.
func ofRequest(ev *event.Event, head httpflv.Head) {
	ev.Method, ev.Host, ev.Path = head.Method, head.Host, head.Path
	ev.UserAgent, ev.PageURL = head.Get("User-Agent"), head.Get("Referer")
	ev.Params = event.Params(head.RawQuery)
	ev.Headers = make(map[string]string)
	head.Each(func(name, value string) {
		name = strings.ToLower(name)
		if _, again := ev.Headers[name]; !again {
			ev.Headers[name] = value
		}
	})
}

// bitrate watches how much a publisher sends.
type bitrate struct {
	max   int64 // bit/s; 0: any
	bytes int64
	since int64 // ns
}

// bitrateTime is over how long a bit rate is measured, in ns: a keyframe alone
// is no breach.
const bitrateTime = 5 * int64(time.Second)

// add counts n bytes, and reports in words if it has become too much.
func (b *bitrate) add(n int, now int64) (breach string) {
	if b.max <= 0 {
		return ""
	}
	b.bytes += int64(n)
	if b.since == 0 {
		b.since = now
	}
	took := now - b.since
	if took < bitrateTime {
		return ""
	}
	rate := int64(float64(b.bytes*8) / (float64(took) / 1e9))
	b.bytes, b.since = 0, now
	if rate <= b.max {
		return ""
	}
	return "publishes " + strconv.FormatInt(rate/1000, 10) + " kbit/s, more than max_bitrate allows (" + strconv.FormatInt(b.max/1000, 10) + ")"
}
