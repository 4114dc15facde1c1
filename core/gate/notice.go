package gate

import (
	"strings"

	"github.com/millrace/millrace/core/event"
)

// began tells of a new viewer.
func (g *Gate) began(s *session) {
	ev := s.asked
	ev.Event, ev.Time = event.ViewerStart, g.options.Now()
	g.log.Info("viewer joined", "event", ev.Event, event.ClientID, s.id, event.Protocol, s.protocol,
		event.RemoteAddr, ev.RemoteAddr, event.Stream, ev.StreamID, event.UserAgent, ev.UserAgent)
	g.notify(&ev)
}

// tellEnd tells that a viewer has ended.
func (g *Gate) tellEnd(e end) {
	s := e.session
	ev := s.asked
	ev.Event, ev.Time, ev.Reason, ev.BytesOut = event.Stop, g.options.Now(), e.reason, s.bytes.Load()
	ev.Duration = e.took.Seconds()
	g.log.Info("viewer left", "event", ev.Event, event.ClientID, s.id, event.Protocol, s.protocol,
		event.RemoteAddr, ev.RemoteAddr, event.Stream, ev.StreamID, event.Reason, e.reason,
		event.BytesOut, ev.BytesOut, event.Duration, e.took.String())
	g.notify(&ev)
}

func (g *Gate) notify(ev *event.Event) {
	if g.options.Events != nil && g.options.Events.Wants(ev.Event) {
		g.options.Events.Notify(ev)
	}
}

// clip is a copy of the start of a long text: people read it in a log line.
func clip(s string) string { return strings.Clone(s[:min(len(s), 256)]) }
