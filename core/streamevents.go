package core

import (
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/core/stream"
)

// eventOf is the name of the event that a notice becomes; "" for none.
func eventOf(w stream.What) string {
	switch w {
	case stream.Started:
		return event.StreamStart
	case stream.Back:
		return event.StreamBack
	case stream.Lost:
		return event.StreamLost
	case stream.EndedNow:
		return event.Unpublish
	case stream.Settled, stream.Recoded, stream.LateTrack:
		return event.Codec
	}
	return ""
}

// tell makes an event of a stream's notice, if anybody wants it.
func (s *Server) tell(n stream.Notice) {
	name := eventOf(n.What)
	if name == "" || !s.hub.Wants(name) {
		return
	}
	e := streamEvent(name, n.Stream, n.Publisher)
	e.Reason, e.Gap = n.Reason, n.Gap.Seconds()
	if n.What == stream.Lost || n.What == stream.EndedNow {
		e.BytesIn, e.BytesOut = n.Stream.Counters().BytesIn.Load(), n.Stream.Counters().BytesOut.Load()
		e.Duration = e.Time.Sub(n.Stream.Started).Round(time.Millisecond).Seconds()
		e.ToSeq = n.Stream.Head()
	}
	s.hub.Notify(&e)
}

// StreamEvents are the live streams, each as its on_stream_start and its newest
// on_codec describe it, with its bytes and its duration so far. Any goroutine.
func (s *Server) StreamEvents() []event.Event {
	var all []event.Event
	s.streams.Each(func(st *stream.Stream) bool {
		e := streamEvent(event.StreamStart, st, st.Info().Last)
		e.BytesIn, e.BytesOut = st.Counters().BytesIn.Load(), st.Counters().BytesOut.Load()
		e.Duration = e.Time.Sub(st.Started).Round(time.Millisecond).Seconds()
		all = append(all, e)
		return true
	})
	return all
}

// Keeps reports whether the media of a publish session can be read over the
// plugins' socket: it is live, or ended lately. Any goroutine.
func (s *Server) Keeps(session string) bool { return s.streams.Session(session) != nil }

// streamEvent is an event about a stream, with all that is known of it. The
// stream's lock may be held.
func streamEvent(name string, st *stream.Stream, p stream.Publisher) event.Event {
	e := event.Event{
		Event: name, Time: time.Now(), Started: st.Started,
		App: st.Key.App, Name: st.Key.Name, StreamID: st.Key.String(), Session: st.Session,
		ClientID: p.ID, Protocol: p.Protocol, RemoteAddr: p.RemoteAddr, Params: event.Params(p.Query),
		TCURL: p.TCURL, PageURL: p.PageURL, FlashVer: p.FlashVer, Labels: p.Labels, Record: p.Record,
	}
	describeMedia(&e, st.State())
	return e
}

// describeMedia fills in what is known of the media.
func describeMedia(e *event.Event, st *media.State) {
	if v := videoStatus(st); v != nil {
		e.VideoCodec, e.Width, e.Height = v.Codec, v.Width, v.Height
		e.FPS = metadata(st).Number("framerate")
	}
	if a := audioStatus(st); a != nil {
		e.AudioCodec, e.SampleRate, e.Channels = a.Codec, a.SampleRate, a.Channels
	}
}
