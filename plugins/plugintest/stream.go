package plugintest

import (
	"context"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/sdk"
)

// Stream is a stream that a plugin is attached to. One goroutine may use it.
type Stream struct {
	h       *Host
	plugin  sdk.Plugin
	stream  sdk.Stream
	attach  sdk.Attach
	start   event.Event
	next    uint64
	clock   int64 // ms, of the kit
	resume  uint64
	ended   bool
	results sdk.Detached
}

// Attach starts the plugin, unless that was done, and attaches it to a new
// publish session from its first frame on.
func (h *Host) Attach(p sdk.Plugin, app, name string) *Stream {
	h.t.Helper()
	return h.AttachWith(p, sdk.Attach{App: app, Name: name})
}

// AttachWith attaches with more said. An empty Session is a new one, a zero
// Started is 2026-01-02 03:04:05 UTC and a second later for each further
// session of the host, a Next of 0 is 1.
func (h *Host) AttachWith(p sdk.Plugin, a sdk.Attach) *Stream {
	h.t.Helper()
	s, err := h.TryAttach(p, a)
	if err != nil {
		h.t.Fatalf("attach %s/%s: %v", a.App, a.Name, err)
	}
	return s
}

// TryAttach is AttachWith for tests that expect an error.
func (h *Host) TryAttach(p sdk.Plugin, a sdk.Attach) (*Stream, error) {
	h.t.Helper()
	if !h.isStarted(p) {
		h.Start(p, nil)
	}
	recorder, ok := p.(sdk.Recorder)
	if !ok {
		return nil, fmt.Errorf("%T is no sdk.Recorder", p)
	}
	h.fill(&a)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	stream, err := recorder.Attach(ctx, a)
	if err != nil {
		return nil, err
	}
	s := &Stream{h: h, plugin: p, stream: stream, attach: a, next: max(a.Next, 1), start: event.Event{
		Event: event.StreamStart, Time: a.Started, App: a.App, Name: a.Name,
		StreamID: a.App + "/" + a.Name, Session: a.Session, Started: a.Started, Labels: a.Labels,
	}}
	if r, ok := stream.(sdk.Resumer); ok {
		s.resume = r.ResumeAt()
	}
	h.mu.Lock()
	h.streams[a.Session] = s
	h.mu.Unlock()
	return s, nil
}

func (h *Host) fill(a *sdk.Attach) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if a.Session == "" {
		a.Session = ulid.Make().String()
	}
	if a.Started.IsZero() {
		a.Started = time.Date(2026, 1, 2, 3, 4, 5+h.sessions, 0, time.UTC)
		h.sessions++
	}
	if a.Next == 0 && !a.Resume {
		a.Next = 1
	}
}

// Session is the ULID of the publish session.
func (s *Stream) Session() string { return s.attach.Session }

// Attached is what the plugin was told at Attach.
func (s *Stream) Attached() sdk.Attach { return s.attach }

// ResumeAt is what the stream's Resumer answered, 0 if it has none. A test
// that feeds from there on sets Next.
func (s *Stream) ResumeAt() uint64 { return s.resume }

// Next is the number of the next frame.
func (s *Stream) Next() uint64 { return s.next }

// SetNext numbers the frames that come from seq on.
func (s *Stream) SetNext(seq uint64) { s.next = seq }

// Feed writes items in one call. Frames without a Seq are numbered; Seq is
// written into the media.Frame, too.
func (s *Stream) Feed(items ...sdk.Item) {
	s.h.t.Helper()
	if err := s.TryFeed(items...); err != nil {
		s.h.t.Fatalf("write %s: %v", s.start.StreamID, err)
	}
}

// TryFeed is Feed for tests that expect an error.
func (s *Stream) TryFeed(items ...sdk.Item) error {
	for i := range items {
		it := &items[i]
		switch it.Type {
		case sdk.Gap:
			s.next = it.To
		case sdk.Frame:
			if it.Seq == 0 {
				it.Seq = s.next
			}
			it.Frame.Seq = it.Seq
			s.next = it.Seq + 1
		}
	}
	return s.stream.Write(items)
}

// FeedFrames writes frames, numbered, in one call.
func (s *Stream) FeedFrames(frames ...*media.Frame) {
	s.h.t.Helper()
	s.Feed(Frames(frames...)...)
}

// FeedFLV writes an FLV file as a publisher would have sent it, in batches of
// up to 300 ms: its metadata and sequence headers before the first frame are
// Headers, the rest is counted.
func (s *Stream) FeedFLV(path string) {
	s.h.t.Helper()
	items := ReadFLV(s.h.t, path)
	for len(items) > 0 {
		n := batch(items)
		s.Feed(items[:n]...)
		items = items[n:]
	}
}

// batch is how many items lie within 300 ms.
func batch(items []sdk.Item) int {
	const merge = 300 // ms
	first := items[0].Frame.DTS
	for i, it := range items {
		if it.Frame.DTS > first+merge {
			return i
		}
	}
	return len(items)
}

// Gap says that n frames were left out.
func (s *Stream) Gap(n uint64, reason string) {
	s.h.t.Helper()
	s.Feed(sdk.Item{Type: sdk.Gap, From: s.next, To: s.next + n, Reason: reason})
}

// End detaches because the publish session is over.
func (s *Stream) End() sdk.Detached {
	s.h.t.Helper()
	d := s.Detach(sdk.Ended)
	s.h.namer.Forget(s.attach.Session)
	return d
}

// Detach ends the stream for the plugin. A second call returns what the first
// did.
func (s *Stream) Detach(why sdk.Why) sdk.Detached {
	s.h.t.Helper()
	if s.ended {
		return s.results
	}
	s.ended = true
	s.h.mu.Lock()
	delete(s.h.streams, s.attach.Session)
	s.h.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	d, err := s.stream.Detach(ctx, sdk.Detach{Why: why, At: s.next, Final: why == sdk.Ended || why == sdk.Stopped})
	if err != nil {
		s.h.t.Errorf("detach %s: %v", s.start.StreamID, err)
	}
	if d.Durable > s.next {
		s.h.t.Errorf("detach %s: durable up to %d, written up to %d", s.start.StreamID, d.Durable, s.next)
	}
	if why == sdk.Stopped {
		s.h.namer.Finish("test", s.attach.Session)
	}
	s.results = d
	return d
}

// Handover moves the stream to another process of the same plugin.
func (s *Stream) Handover(to sdk.Plugin) *Stream {
	s.h.t.Helper()
	d := s.Detach(sdk.Handover)
	a := s.attach
	a.Next, a.Handover, a.Resume = s.next, d.Handover, false
	return s.h.AttachWith(to, a)
}

// Resume forgets the stream as if the plugin's process had been killed, and
// attaches another to the same session. The test feeds from ResumeAt on.
func (s *Stream) Resume(to sdk.Plugin) *Stream {
	s.h.t.Helper()
	s.h.Crash(s.plugin)
	s.ended = true
	a := s.attach
	a.Next, a.Handover, a.Resume = 0, nil, true
	next := s.h.AttachWith(to, a)
	next.next = s.next
	if next.resume > 0 {
		next.next = next.resume
	}
	return next
}
