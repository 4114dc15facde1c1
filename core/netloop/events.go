package netloop

import (
	"strings"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/stream"
)

// Events takes the notices of viewers and connections. Loops call it: it must
// not block.
type Events interface {
	// Wants reports whether anybody wants events of a name.
	Wants(name string) bool
	Notify(e *event.Event)
}

func (e *Engine) wanted(name string) bool {
	return e.options.Events != nil && e.options.Events.Wants(name)
}

// tellViewer tells that a viewer has begun; query is that of its request,
// which is kept for those who want to know of its end.
func (e *Engine) tellViewer(v *viewer, query string) {
	starts, stops := e.wanted(event.ViewerStart), e.wanted(event.Stop)
	if starts || stops {
		v.query = strings.Clone(query)
	}
	if starts {
		ev := e.viewerEvent(event.ViewerStart, v)
		e.options.Events.Notify(&ev)
	}
}

// tellStop tells that a viewer has ended.
func (e *Engine) tellStop(v *viewer, reason string) {
	if !e.wanted(event.Stop) {
		return
	}
	ev := e.viewerEvent(event.Stop, v)
	ev.Reason, ev.BytesOut, ev.DroppedFrames = reason, v.conn.bytesOut, v.cursor.Dropped
	ev.Duration = seconds(e.Now() - v.since)
	e.options.Events.Notify(&ev)
}

func (e *Engine) viewerEvent(name string, v *viewer) event.Event {
	ev := v.conn.event(name)
	ev.Protocol = v.conn.spoken(v.conn.watchedBy())
	ev.UserAgent, ev.Params = v.userAgent, event.Params(v.query)
	ofStream(&ev, v.cursor.Stream)
	return ev
}

// ofStream fills in which stream an event is about.
func ofStream(ev *event.Event, s *stream.Stream) {
	ev.App, ev.Name, ev.StreamID, ev.Session = s.Key.App, s.Key.Name, s.Key.String(), s.Session
}

// tellClose tells that the connection has ended.
func (c *conn) tellClose() {
	e := c.engine
	if c.lent || c.protocol == protocolPlugin || !e.wanted(event.Close) {
		return
	}
	ev := c.event(event.Close)
	ev.Reason, ev.BytesIn, ev.BytesOut = c.reason, c.bytesIn, c.bytesOut
	ev.Duration = seconds(e.Now() - c.since)
	if h, ok := c.handler.(*rtmpConn); ok {
		ev.FlashVer, ev.TCURL, ev.PageURL = h.flashVer, h.tcURL, h.pageURL
	}
	e.options.Events.Notify(&ev)
}

func (c *conn) event(name string) event.Event {
	return event.Event{
		Event: name, Time: time.Now(),
		ClientID: c.idString(), Protocol: c.spoken(string(c.protocol)), RemoteAddr: c.remote(),
	}
}

// spoken is a protocol as events name it: RTMP over TLS has a name of its own.
func (c *conn) spoken(protocol string) string {
	if c.tls != nil && protocol == string(protocolRTMP) {
		return "rtmps"
	}
	return protocol
}

func seconds(ns int64) float64 { return time.Duration(ns).Round(time.Millisecond).Seconds() }
